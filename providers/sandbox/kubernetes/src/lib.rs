//! An embedded Kubernetes API for the rehearsal world.
//!
//! A [`Cluster`] is a store of objects behind an [`axum::Router`] that answers as a real API server
//! does: discovery, lists and watches, optimistic writes, server-side apply, rights, admission,
//! deletion with finalizers and owners. Clients reach it in process, without a socket and in
//! virtual time, or over loopback ([`listen`]).
//!
//! What a write means to an object's fields is decided by `drplan-sandbox-fields`, what follows
//! from it by `drplan-sandbox-controllers`. This crate knows neither backups nor databases, and it
//! runs no containers.

mod accept;
mod access;
mod admission;
mod allocations;
mod audit;
mod background;
mod bootstrap;
mod cluster;
mod condition;
mod convert;
mod decode;
mod deletion;
mod discovery;
mod failure;
mod field_selector;
mod generation;
mod history;
mod identity;
mod ids;
mod label_selector;
mod listen;
mod object;
mod options;
mod outside;
mod path;
mod protobuf;
mod query;
mod recall;
mod reply;
mod request;
mod scale;
mod sent;
mod serve;
mod state;
mod store;
mod table;
mod types;
mod verbs;
mod write;

pub use audit::Audited;
pub use cluster::Cluster;
pub use cluster::ObjectKey;
pub use cluster::UnknownKind;
pub use drplan_sandbox_controllers::Durations;
pub use drplan_sandbox_controllers::Settings;
pub use listen::Front;
pub use listen::ListenError;
pub use listen::Listening;
pub use listen::listen;
pub use listen::listen_behind;
pub use options::ClusterOptions;
pub use options::Rights;
pub use options::User;
pub use options::VERSION;
pub use recall::Recalled;
pub use recall::Taken;
