//! Starts, readies and ends the real components that tests run against.
//!
//! Everything is a plain process on loopback, built from its own source by the `go` client
//! ([`components`]) or installed by Debian (PostgreSQL). A *site* is what a disaster takes away:
//! a control plane with fake nodes, Velero beside it and a database, all inside one folder
//! ([`site`]). What outlives a disaster stands apart: [`object_store`] and [`route53`].
//!
//! The crate knows nothing about recoveries. It may be slow and thorough; it may never leave a
//! process behind, end a process that it did not start, or write outside the folder it was given.
//!
//! Linux only: processes are recognised by `/proc`.
#![allow(
    clippy::disallowed_methods,
    reason = "starting, waiting for and ending processes is its purpose"
)]

pub mod audit;
pub mod components;
pub mod credentials;
pub mod object_store;
pub mod process;
pub mod route53;
pub mod site;

mod launch;
mod pki;
mod port;
mod private;
mod wait;

pub use components::Components;
pub use credentials::Credentials;
pub use object_store::ObjectStore;
pub use process::Ending;
pub use process::Process;
pub use route53::Route53;
pub use site::Identity;
pub use site::Part;
pub use site::Site;
pub use site::SiteDir;
