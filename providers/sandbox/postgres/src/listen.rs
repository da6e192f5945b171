//! Listening on loopback, for clients outside of the process.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::error::ListenError;
use crate::server::Server;

/// A server that listens; it stops when this is dropped.
#[derive(Debug)]
pub struct Listening {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Listening {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Listens on a loopback address, with port 0 on any free port, until the answer is dropped.
    ///
    /// # Errors
    ///
    /// If the address is not a loopback address or cannot be had.
    pub async fn listen(&self, address: SocketAddr) -> Result<Listening, ListenError> {
        if !address.ip().is_loopback() {
            return Err(ListenError::NotLoopback(address));
        }
        let failed = |source| ListenError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let task = tokio::spawn(accept(listener, self.clone()));
        Ok(Listening { address, task })
    }
}

async fn accept(listener: TcpListener, server: Server) {
    // Sessions end with the listener, since the set aborts what it still holds when it is dropped.
    let mut sessions = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A client that went away before it was accepted is no reason to stop.
                if let Ok((stream, _)) = accepted {
                    let server = server.clone();
                    sessions.spawn(async move { server.serve(stream).await.ok() });
                }
            }
            Some(_) = sessions.join_next() => {}
        }
    }
}
