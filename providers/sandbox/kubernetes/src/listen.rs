//! The API on loopback, for clients of other processes.
//!
//! It speaks TLS with a certificate of its own: kubectl sends no token to a server without.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use drplan_api::Fut;
use http::Request;
use http::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tower::ServiceExt as _;

use crate::Cluster;

/// How long a client may take to begin.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// How many connections there may be at once; who comes later waits.
const CONNECTIONS_MAX: usize = 512;

/// What stands between clients and the API.
pub trait Front: Send + Sync {
    /// Answers a request, mostly with what the API answers. An error ends the connection without an
    /// answer.
    fn answer(
        self: Arc<Self>,
        api: Router,
        request: Request<Body>,
    ) -> Fut<'static, io::Result<Response<Body>>>;
}

/// Lets every request through.
struct Nothing;

impl Front for Nothing {
    fn answer(
        self: Arc<Self>,
        api: Router,
        request: Request<Body>,
    ) -> Fut<'static, io::Result<Response<Body>>> {
        Box::pin(async move {
            let served = api.oneshot(request).await;
            Ok(served.unwrap_or_else(|never| match never {}))
        })
    }
}

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
    accepting: JoinHandle<()>,
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
        // Its connections end with it.
        self.accepting.abort();
    }
}

/// Makes a cluster listen on an address of this machine; port 0 takes any that is free.
///
/// # Errors
///
/// When the address cannot be had.
pub async fn listen(cluster: &Cluster, address: SocketAddr) -> Result<Listening, ListenError> {
    listen_behind(cluster, address, Arc::new(Nothing)).await
}

/// The same with something between clients and the API.
///
/// # Errors
///
/// When the address cannot be had.
pub async fn listen_behind(
    cluster: &Cluster,
    address: SocketAddr,
    front: Arc<dyn Front>,
) -> Result<Listening, ListenError> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|source| ListenError::Address { address, source })?;
    let address = listener
        .local_addr()
        .map_err(|source| ListenError::Address { address, source })?;
    let (config, certificate) = tls()?;
    let door = Door {
        cluster: cluster.clone(),
        acceptor: TlsAcceptor::from(Arc::new(config)),
        front,
    };
    Ok(Listening {
        address,
        certificate,
        cluster: cluster.clone(),
        accepting: tokio::spawn(accept(listener, Arc::new(door))),
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
async fn accept(listener: TcpListener, door: Arc<Door>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        if connections.len() == CONNECTIONS_MAX {
            connections.join_next().await;
        }
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file handles: others must end first.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        if *door.cluster.stopped().borrow() {
            // The port is kept for the cluster's next start; until then nobody is there. A stream of
            // which this cannot be said is closed all the same.
            stream.set_zero_linger().ok();
            continue;
        }
        connections.spawn(Arc::clone(&door).serve(stream));
    }
}

/// What every connection needs.
struct Door {
    cluster: Cluster,
    acceptor: TlsAcceptor,
    front: Arc<dyn Front>,
}

impl Door {
    /// Serves one connection, until either side ends it or the cluster stops.
    async fn serve(self: Arc<Self>, stream: TcpStream) {
        let mut stopped = self.cluster.stopped();
        let served = async {
            let handshake = tokio::time::timeout(HANDSHAKE_LIMIT, self.acceptor.accept(stream));
            let Ok(Ok(stream)) = handshake.await else {
                return;
            };
            let service = service_fn(|request: Request<Incoming>| {
                let front = Arc::clone(&self.front);
                front.answer(self.cluster.router(), request.map(Body::new))
            });
            // The date that hyper would add is this machine's, and not the cluster's.
            let connection = http1::Builder::new()
                .auto_date_header(false)
                .serve_connection(TokioIo::new(stream), service);
            // A connection that ends early is the client's to complain about.
            connection.await.ok();
        };
        tokio::select! {
            // A cluster that is gone answers nothing more.
            biased;
            _ = stopped.wait_for(|stopped| *stopped) => {}
            () = served => {}
        }
    }
}
