//! An object store for the rehearsal world: buckets in memory over a folder that is only read.
//!
//! [`Store`] holds the buckets. Clients reach it as [`StoreService`], a tower service that can be
//! called in process, served over any stream or listened with on loopback; whoever lives in the same
//! process can also [`Store::put`], [`Store::get`] and [`Store::list`] directly.
//!
//! It does what AWS documents: versions, conditions, ranges, multipart uploads, checksums and object
//! lock, with signatures verified and rights checked. What it does not do it refuses by name
//! (`NotImplemented`), never silently. It knows nothing of faults: those are a layer around it.
//!
//! The wire (XML, signatures, chunked uploads) is the crate `s3s`; the rules are ours.
#![allow(
    clippy::disallowed_methods,
    reason = "reading and writing the folder of objects is its purpose"
)]

mod access;
mod attributes;
mod bucket;
mod checksum;
mod condition;
mod content;
mod folder;
mod host;
mod listing;
mod lock;
mod object;
mod refusal;
mod service;
mod store;
mod token;
mod upload;
mod wire;

pub use access::AccessKey;
pub use access::Rights;
pub use attributes::Attributes;
pub use bucket::Versioning;
pub use object::ObjectInfo;
pub use refusal::Refusal;
pub use refusal::StoreError;
pub use service::Listening;
pub use service::StoreService;
pub use store::Options;
pub use store::Put;
pub use store::Store;
