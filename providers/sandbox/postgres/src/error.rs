//! Refusals as the server words them.

use std::io;
use std::net::SocketAddr;

/// A refusal with its SQLSTATE.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({code})")]
pub struct SqlError {
    /// The SQLSTATE.
    pub code: &'static str,
    /// The message.
    pub message: String,
}

impl SqlError {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    pub(crate) fn no_database(name: &str) -> Self {
        Self::new("3D000", format!("database \"{name}\" does not exist"))
    }

    pub(crate) fn no_role(name: &str) -> Self {
        Self::new("42704", format!("role \"{name}\" does not exist"))
    }

    pub(crate) fn no_schema(name: &str) -> Self {
        Self::new("3F000", format!("schema \"{name}\" does not exist"))
    }

    pub(crate) fn no_relation(name: &str) -> Self {
        Self::new("42P01", format!("relation \"{name}\" does not exist"))
    }

    pub(crate) fn duplicate_database(name: &str) -> Self {
        Self::new("42P04", format!("database \"{name}\" already exists"))
    }

    pub(crate) fn in_use(name: &str) -> Self {
        Self::new(
            IN_USE,
            format!("database \"{name}\" is being accessed by other users"),
        )
    }

    pub(crate) fn aborted() -> Self {
        Self::new(
            "25P02",
            "current transaction is aborted, commands ignored until end of transaction block",
        )
    }

    pub(crate) fn protocol(message: &str) -> Self {
        Self::new("08P01", message)
    }
}

/// The code of what can be tried again when others have gone.
pub(crate) const IN_USE: &str = "55006";

/// Why a server cannot be listened with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// Only loopback addresses are listened on.
    #[error("{0} is no loopback address; the rehearsal's PostgreSQL is for this machine only")]
    NotLoopback(SocketAddr),
    /// The address cannot be had.
    #[error("cannot listen on {address}: {source}; choose another port")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}
