//! A strict Route 53: the REST XML API of 2013-04-01 over hosted zones kept in memory.
//!
//! It verifies signatures, applies a batch wholly or not at all, deletes only what matches
//! exactly, reports a change as `PENDING` before `INSYNC`, and answers in AWS's error shapes.
//! It runs inside a process ([`Route53::router`]) or on a loopback socket ([`Route53::listen`]).
//!
//! What it deliberately does not know: DNS itself (no name is ever answered), health checks
//! (their ids are kept, not checked), VPCs, DNSSEC, tags, traffic policies, and the geographic
//! and CIDR routing policies, which it refuses by name instead of dropping them.
//!
//! # Source
//!
//! Amazon Route 53 API Reference, version 2013-04-01; AWS Signature Version 4 signing process.

mod change;
mod config;
mod error;
mod fault;
mod identity;
mod listing;
mod log;
mod name;
mod operation;
mod query;
mod recall;
mod record;
mod refusal;
mod server;
mod service;
mod signature;
mod state;
mod value;
mod wire;
mod xml;
mod zone;

pub use change::Action;
pub use change::Change;
pub use change::ChangeStatus;
pub use change::Convergence;
pub use config::Config;
pub use error::SandboxError;
pub use fault::Fault;
pub use identity::Identity;
pub use identity::Rights;
pub use log::Entry;
pub use log::Outcome;
pub use name::DomainName;
pub use name::NameError;
pub use operation::Operation;
pub use record::Data;
pub use record::Failover;
pub use record::RecordSet;
pub use record::RecordType;
pub use record::Routing;
pub use server::Running;
pub use service::Route53;
