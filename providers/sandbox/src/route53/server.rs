//! HTTP around the service: a router for use in process, and a loopback listener.

#![allow(
    clippy::disallowed_methods,
    reason = "a listener runs beside its callers by nature"
)]

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures::stream;
use http::HeaderName;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use http::header::LOCATION;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::error::SandboxError;
use super::refusal::Refusal;
use super::service::Answer;
use super::service::Delivery;
use super::service::Route53;

/// The largest body that is read, in bytes.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long [`Running::end`] waits for requests under way.
const END_WAIT_MAX: Duration = Duration::from_secs(2);

impl Route53 {
    /// Returns the service as a router, for use without a socket.
    pub fn router(&self) -> Router {
        Router::new().fallback(handle).with_state(self.clone())
    }

    /// Listens on a loopback address; port 0 takes a free one.
    ///
    /// # Errors
    ///
    /// [`SandboxError::NotLoopback`] or [`SandboxError::Listen`].
    pub async fn listen(self, address: SocketAddr) -> Result<Running, SandboxError> {
        if !address.ip().is_loopback() {
            return Err(SandboxError::NotLoopback(address));
        }
        let failed = |source| SandboxError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = axum::serve(listener, self.router()).with_graceful_shutdown(async {
            // A dropped sender means the same as a sent stop.
            stopped.await.unwrap_or_default();
        });
        let serving = tokio::spawn(async move { serve.await });
        Ok(Running {
            service: self,
            address,
            stop,
            serving,
        })
    }
}

/// A server that listens; dropping it stops it without waiting.
#[derive(Debug)]
pub struct Running {
    service: Route53,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<io::Result<()>>,
}

impl Running {
    /// Returns the endpoint to give to a client.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the address listened on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the service behind the socket, to read its log or to inject faults.
    pub fn service(&self) -> &Route53 {
        &self.service
    }

    /// Stops listening and waits a short, bounded time for requests under way.
    pub async fn end(self) {
        let Self {
            stop, mut serving, ..
        } = self;
        drop(stop);
        if tokio::time::timeout(END_WAIT_MAX, &mut serving)
            .await
            .is_err()
        {
            serving.abort();
        }
    }
}

async fn handle(State(service): State<Route53>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, BODY_BYTES_MAX).await;
    let answer = service.answer(&parts, body.as_deref().map_err(|_| Refusal::too_large()));
    respond(answer)
}

fn respond(answer: Answer) -> Response {
    let body = match answer.delivery {
        Delivery::Whole => Body::from(answer.document),
        Delivery::BrokenOff => Body::from_stream(stream::once(async {
            Err::<Bytes, _>(io::Error::from(io::ErrorKind::ConnectionReset))
        })),
    };
    let mut response = Response::new(body);
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    let fields = [
        (
            HeaderName::from_static("x-amzn-requestid"),
            Some(answer.request_id),
        ),
        (LOCATION, answer.location),
    ];
    for (name, text) in fields {
        if let Some(value) = text.and_then(|text| HeaderValue::try_from(text).ok()) {
            headers.insert(name, value);
        }
    }
    response
}
