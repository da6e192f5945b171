//! The vocabulary of drplan and the traits that providers implement.
//!
//! Everything here is plain data or a trait. The crate performs no I/O except behind [`Doors`]:
//! [`process::LocalProcess`] is the one way in which providers start programs.
//! It knows nothing about the graph, the plan file, rendering or any particular system.
//!
//! A provider implements three things:
//!
//! - [`System`]: how a `provider` block becomes a [`Conn`], and how a [`Conn`] answers bulk reads;
//! - [`Kind`]: the pure half of a resource or data source: what it reads, what it means, what it
//!   decides;
//! - [`Acts`]: the effectful half: begin, probe, poll and prove, each one bounded attempt.
//!
//! Order, retries, deadlines, waiting, the journal and the lock belong to the engine.

mod address;
mod clock;
#[cfg(feature = "hyper")]
mod connector;
pub mod cut;
mod cx;
mod decision;
mod doors;
mod erased;
mod error;
mod facts;
mod given;
mod json;
mod kind;
mod late;
mod length;
mod like;
pub mod process;
mod registry;
mod right;
mod room;
mod schema;
mod shape;
pub mod shell;
pub mod stamp;
mod standing;
mod store;
mod system;

pub use address::Address;
pub use address::ConnId;
pub use clock::Clock;
#[cfg(feature = "hyper")]
pub use connector::Connector;
#[cfg(feature = "hyper")]
pub use connector::Dialed;
pub use cx::Opener;
pub use cx::PlanCx;
pub use cx::ReadCx;
pub use cx::WriteCx;
pub use cx::acceptance;
pub use decision::Action;
pub use decision::Because;
pub use decision::Breakdown;
pub use decision::Change;
pub use decision::Effect;
pub use decision::Hazard;
pub use decision::HazardLevel;
pub use decision::ObjectLine;
pub use decision::Planned;
pub use decision::Proposal;
pub use decision::RecoveryPoint;
pub use decision::Repeat;
pub use doors::Doors;
pub use doors::Network;
pub use doors::PRIVATE_KEY;
pub use doors::Stream;
pub use erased::BoundOp;
pub use erased::DynKind;
pub use erased::LookError;
pub use erased::Looked;
pub use erased::acting;
pub use erased::reading;
pub use error::ErrorKind;
pub use error::ProviderError;
pub use facts::Answer;
pub use facts::Ask;
pub use facts::Facts;
pub use facts::Pending;
pub use facts::Query;
pub use facts::TargetState;
pub use facts::View;
pub use given::Fault;
pub use given::Given;
pub use json::canonical;
pub use json::digest;
pub use json::short_hash;
pub use kind::Acts;
pub use kind::Cap;
pub use kind::Evidence;
pub use kind::Fut;
pub use kind::Kind;
pub use kind::Lack;
pub use kind::Landed;
pub use kind::Notes;
pub use kind::Progress;
pub use kind::Proof;
pub use kind::RawWant;
pub use kind::Seen;
pub use kind::Slots;
pub use kind::Want;
pub use kind::Wires;
pub use late::Hole;
pub use late::Late;
pub use late::SecretRef;
pub use late::holes;
pub use late::is_hole;
pub use length::length;
pub use length::parse_duration;
pub use like::is_like;
pub use registry::Registry;
pub use right::Right;
pub use right::Verdict;
pub use room::Room;
pub use schema::Arg;
pub use schema::Def;
pub use schema::Mode;
pub use schema::Schema;
pub use schema::Stage;
pub use schema::Type;
pub use shape::Shape;
pub use standing::Standing;
pub use standing::StandingKey;
pub use standing::StandingTable;
pub use standing::StandingType;
pub use store::Kept;
pub use store::Put;
pub use store::SharedStore;
pub use store::Tag;
pub use store::When;
pub use system::Conn;
pub use system::Connecting;
pub use system::System;
pub use system::TargetId;

/// A point in time, with a time zone only where one is shown to people.
pub type Timestamp = jiff::Timestamp;

/// The one dynamic data type that crosses the seam.
pub type Json = serde_json::Value;
