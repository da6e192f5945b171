//! PostgreSQL: dump archives in a bucket and restores of them.
//!
//! [`PostgresSystem`] turns a `provider "postgres"` block into a [`PgConn`], which answers [`asks`].
//! [`DumpToc`] is the lens through which an object store's connection reads a dump's table of contents
//! without downloading it. [`DumpArchive`] chooses a dump, [`PostgresRestore`] brings a database back
//! from one. The crate knows nothing of plans, journals or rendering.

mod archive;
pub mod asks;
mod catalogue;
mod client;
mod config;
mod conn;
mod dump;
mod error;
mod marker;
mod recall;
mod restore;
mod rights;
mod sql;

pub use archive::DumpToc;
pub use conn::PgConn;
pub use conn::PostgresSystem;
pub use dump::DumpArchive;
pub use dump::DumpArchiveSpec;
pub use dump::DumpsSeen;
pub use restore::PostgresRestore;
pub use restore::PostgresRestoreSpec;
pub use restore::RestoreOp;
pub use restore::RestoreSeen;
