//! The API on loopback, for clients of other processes.
//!
//! It speaks TLS with a certificate of its own: kubectl sends no token to a server without.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::server::TlsStream;

use crate::Cluster;

/// How long a client may take to begin.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// How many connections may wait to be served.
const WAITING_MAX: usize = 128;

/// Why a cluster cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address cannot be had; most often something else has it.
    #[error("cannot listen on `{address}`; choose another port, or 0 for any that is free")]
    Address {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// No certificate could be made.
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// The certificate cannot be used.
    #[error("cannot use the certificate")]
    Tls(#[from] tokio_rustls::rustls::Error),
}

/// A cluster that can be reached over loopback for as long as this lives.
#[derive(Debug)]
pub struct Listening {
    /// Where it listens.
    pub address: SocketAddr,
    /// The certificate, as PEM.
    pub certificate: String,
    cluster: Cluster,
    end: Option<oneshot::Sender<()>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Listening {
    /// The URL of the server.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// A kubeconfig for a user of the cluster's rights.
    #[must_use]
    pub fn kubeconfig(&self, user: &str) -> String {
        let authority = json!(STANDARD.encode(&self.certificate));
        self.cluster
            .kubeconfig_with(&self.url(), user, Some(authority))
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if let Some(end) = self.end.take() {
            // Nobody listens when the server has ended by itself.
            end.send(()).ok();
        }
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Makes a cluster listen on an address of this machine; port 0 takes any that is free.
///
/// # Errors
///
/// When the address cannot be had.
pub async fn listen(cluster: &Cluster, address: SocketAddr) -> Result<Listening, ListenError> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|source| ListenError::Address { address, source })?;
    let address = listener
        .local_addr()
        .map_err(|source| ListenError::Address { address, source })?;
    let (config, certificate) = tls()?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (ready, streams) = mpsc::channel(WAITING_MAX);
    let (end, ended) = oneshot::channel::<()>();
    let tls = Tls { streams, address };
    let router = cluster.router();
    let serving = axum::serve(tls, router).with_graceful_shutdown(async {
        // A sender that is gone is an end too.
        ended.await.ok();
    });
    let tasks = vec![
        tokio::spawn(accept(listener, acceptor, ready)),
        tokio::spawn(async move {
            serving.await.ok();
        }),
    ];
    Ok(Listening {
        address,
        certificate,
        cluster: cluster.clone(),
        end: Some(end),
        tasks,
    })
}

fn tls() -> Result<(ServerConfig, String), ListenError> {
    let names = vec![
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
        "::1".to_owned(),
    ];
    let own = rcgen::generate_simple_self_signed(names)?;
    let key = PrivateKeyDer::Pkcs8(own.signing_key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)?;
    Ok((config, own.cert.pem()))
}

/// Takes connections; each begins on its own, so that a slow one holds up nobody.
async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    ready: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>,
) {
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // Out of file handles: others must end first.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (acceptor, ready) = (acceptor.clone(), ready.clone());
        tokio::spawn(async move {
            let handshake = tokio::time::timeout(HANDSHAKE_LIMIT, acceptor.accept(stream));
            if let Ok(Ok(stream)) = handshake.await {
                ready.send((stream, peer)).await.ok();
            }
        });
    }
}

/// Connections whose handshake is done.
struct Tls {
    streams: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    address: SocketAddr,
}

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.streams.recv().await {
            Some(connection) => connection,
            // Whoever accepts has ended; the server is about to.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.address)
    }
}
