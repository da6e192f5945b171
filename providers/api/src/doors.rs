//! The doors through which providers reach the world: programs, the network, the time.
//!
//! Without a private network a provider uses its own client's sockets, TLS and proxies. The rehearsal
//! world gives a network of its own in place of this machine's: every host name leads to a server in
//! the same process, and bytes travel without sockets, so that virtual time can pass.

use std::io;
use std::sync::Arc;

use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;

use crate::Clock;
use crate::Fut;
use crate::process::LocalProcess;
use crate::process::ProcessDoor;

/// A connection in both directions.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A network that is not this machine's. It is private to the process and carries plain bytes:
/// whoever dials does not add TLS, whatever the URL says.
pub trait Network: Send + Sync {
    /// Connects to a host, by name or address without brackets, and a port.
    fn dial<'a>(&'a self, host: &'a str, port: u16) -> Fut<'a, io::Result<Box<dyn Stream>>>;
}

/// The access key, id and secret, of a private network for whoever gives no credentials: those of the
/// person at the machine must not be used there.
pub const PRIVATE_KEY: (&str, &str) = ("AKIDREHEARSAL", "rehearsal");

/// What providers may use of the world. Cheap to clone.
#[derive(Clone)]
pub struct Doors {
    /// Starts programs.
    pub process: Arc<dyn ProcessDoor>,
    /// Another network than this machine's.
    pub network: Option<Arc<dyn Network>>,
    /// Tells the time.
    pub clock: Clock,
}

impl Doors {
    /// This machine's programs, network and time.
    #[must_use]
    pub fn local() -> Self {
        Self {
            process: Arc::new(LocalProcess),
            network: None,
            clock: Clock::system(),
        }
    }
}
