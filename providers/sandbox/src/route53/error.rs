//! Why the server could not be set up or driven from within its process.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::name::NameError;

/// Why the server could not be set up or driven from within its process.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A zone's name is malformed.
    #[error("`{name}` is not a domain name")]
    Name {
        /// The text.
        name: String,
        /// What is wrong with it.
        source: NameError,
    },
    /// There is no zone with that id.
    #[error("there is no hosted zone `{0}`; make it with `zone`")]
    NoSuchZone(String),
    /// A batch was refused; nothing was changed.
    #[error("the batch was refused: {}", .0.join(", "))]
    Refused(Vec<String>),
    /// The state file could not be read.
    #[error("could not read the Route 53 state from `{}`; repair or remove the file", .path.display())]
    Load {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The state file could not be written; the change was taken back.
    #[error("could not keep the Route 53 state in `{}`; nothing was changed", .path.display())]
    Save {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The address is not on this machine alone.
    #[error("`{0}` is not a loopback address; listen on 127.0.0.1 or ::1")]
    NotLoopback(SocketAddr),
    /// The address could not be listened on.
    #[error("could not listen on `{address}`; choose port 0 to take a free one")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}
