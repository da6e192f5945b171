//! How clients reach the store: in process, over any stream, or on loopback.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;

use axum::body::Body;
use bytes::Bytes;
use futures::future::BoxFuture;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use s3s::config::S3Config;
use s3s::config::StaticConfigProvider;
use s3s::service::S3Service;
use s3s::service::S3ServiceBuilder;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower::Service;

use crate::host::Hosts;
use crate::refusal::StoreError;
use crate::store::Store;
use crate::wire::Wire;

/// The HTTP side of a [`Store`]: a tower service. Clones share the store.
#[derive(Clone)]
pub struct StoreService {
    inner: S3Service,
    requests: Arc<AtomicU64>,
}

impl fmt::Debug for StoreService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreService").finish_non_exhaustive()
    }
}

impl Store {
    /// The HTTP side: a cloneable tower service for requests with the bucket in the path.
    #[must_use]
    pub fn service(&self) -> StoreService {
        let mut config = S3Config::default();
        // Clients may sign with the machine's clock while the rehearsal's runs ahead of it.
        config.presigned_url_max_skew_time_secs = u32::MAX;
        let mut builder = S3ServiceBuilder::new(Wire::new(self.clone()));
        builder.set_host(Hosts);
        builder.set_auth(self.keys().clone());
        builder.set_access(self.keys().clone());
        builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
        StoreService {
            inner: builder.build(),
            requests: Arc::default(),
        }
    }

    /// The HTTP side as a router, for whoever composes routers.
    pub fn router(&self) -> axum::Router {
        axum::Router::new().fallback_service(self.service())
    }

    /// Serves HTTP/1.1 over one stream until the client closes it.
    ///
    /// # Errors
    ///
    /// If the stream breaks or what comes over it is not HTTP.
    pub async fn serve<S>(&self, stream: S) -> Result<(), hyper::Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.service().serve(stream).await
    }

    /// Listens on a loopback address, with port 0 on any free port, until the answer is dropped.
    ///
    /// # Errors
    ///
    /// If the address is not a loopback address or cannot be had.
    pub async fn listen(&self, address: SocketAddr) -> Result<Listening, StoreError> {
        if !address.ip().is_loopback() {
            return Err(StoreError::NotLoopback(address));
        }
        let failed = |source| StoreError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let task = tokio::spawn(accept(listener, self.service()));
        Ok(Listening { address, task })
    }
}

/// A store that listens; it stops when this is dropped.
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

    /// The same as a URL.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, service: StoreService) {
    // Connections end with the listener, since the set aborts what it still holds when it is dropped.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A client that went away before it was accepted is no reason to stop.
                if let Ok((stream, _)) = accepted {
                    let service = service.clone();
                    connections.spawn(async move { service.serve(stream).await.ok() });
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

impl StoreService {
    /// Serves HTTP/1.1 over one stream until the client closes it.
    ///
    /// # Errors
    ///
    /// If the stream breaks or what comes over it is not HTTP.
    pub async fn serve<S>(&self, stream: S) -> Result<(), hyper::Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = hyper_util::service::TowerToHyperService::new(self.clone());
        hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .await
    }
}

impl<B> Service<Request<B>> for StoreService
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let number = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let is_head = request.method() == Method::HEAD;
        let answer = Service::call(&mut self.inner, request);
        Box::pin(async move {
            let mut response = match answer.await {
                Ok(response) => response.map(|body| Body::new(body.map_err(axum::Error::new))),
                // Only a request that could not be answered at all ends here.
                Err(_) => {
                    let mut response = Response::new(Body::empty());
                    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                    response
                }
            };
            if let Ok(id) = HeaderValue::from_str(&format!("{number:016X}")) {
                response.headers_mut().insert("x-amz-request-id", id);
            }
            if is_head || response.status() == StatusCode::NOT_MODIFIED {
                *response.body_mut() = Body::empty();
            }
            Ok(response)
        })
    }
}
