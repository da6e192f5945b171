//! A PostgreSQL server for the rehearsal world, which knows drplan's own statements and no others.
//!
//! [`Server`] speaks the wire protocol over any stream, so that the real client of the provider talks
//! to it. It keeps databases, roles, tables with the rows that a real dump really holds, indexes,
//! constraints and the marker; it runs no SQL. A statement that it does not know it refuses by name
//! instead of pretending ([`Server::serve`]).
//!
//! [`Tools`] stands in for the client programs: it reads the script and the archive that the provider
//! wrote, refuses what the real ones refuse, and takes the time that [`Pace`] says.
//!
//! Things go wrong only where whoever makes a server says so ([`Troubles`]).
//!
//! It knows nothing of the provider's code: the archive is read by a reader of its own, so that a
//! mistake in the provider's cannot hide here.
#![allow(
    clippy::disallowed_methods,
    reason = "the simulated programs read and remove the files that they are given"
)]

mod archive;
mod database;
mod error;
mod execute;
mod frame;
mod known;
mod lexer;
mod listen;
mod options;
mod psql;
mod recall;
mod restore;
mod script;
mod server;
mod session;
mod state;
mod tools;
mod trouble;
mod value;

pub use archive::ArchiveError;
pub use database::Database;
pub use database::Relation;
pub use database::RelationKind;
pub use error::ListenError;
pub use error::SqlError;
pub use listen::Listening;
pub use options::Options;
pub use options::Pace;
pub use options::Role;
pub use server::Server;
pub use state::Deed;
pub use tools::Tools;
pub use trouble::Interruption;
pub use trouble::Troubles;
pub use trouble::Unready;
