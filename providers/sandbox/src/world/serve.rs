//! HTTP over a stream of the world's network, with the world's faults.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::Request;
use http::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tower::ServiceExt as _;

use super::faults::Fault;
use super::faults::Faults;
use super::witness;
use super::witness::Gallery;

/// What stands between a client and a server.
pub(super) struct Between {
    /// The host that was dialled.
    pub(super) host: String,
    pub(super) faults: Arc<Faults>,
    pub(super) gallery: Gallery,
}

/// Serves one connection in a task of its own, until either side ends it.
pub(super) fn http(stream: DuplexStream, router: Router, between: Arc<Between>) {
    let service = service_fn(move |request: Request<Incoming>| {
        answer(router.clone(), Arc::clone(&between), request)
    });
    // The date that hyper would add is this machine's, and clients correct their clocks by it.
    let connection = http1::Builder::new()
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service);
    // A connection that ends early is the client's to complain about.
    tokio::spawn(async move { connection.await.ok() });
}

/// An error here ends the connection without an answer, which is what a reset looks like.
async fn answer(
    router: Router,
    between: Arc<Between>,
    request: Request<Incoming>,
) -> Result<Response<Body>, io::Error> {
    let reset = || io::Error::from(io::ErrorKind::ConnectionReset);
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let seen = witness::Request {
        host: &between.host,
        method: &method,
        uri: &uri,
    };
    if !between.gallery.ask(|w| w.comes(seen)) {
        return Err(reset());
    }
    let fault = between.faults.next(&method, &uri);
    match fault {
        Some(Fault::ResetBefore) => return Err(reset()),
        Some(Fault::Answers(refusal)) => return Ok(refusal.into()),
        Some(Fault::Slow(pause)) => tokio::time::sleep(pause).await,
        Some(Fault::ResetAfter) | None => {}
    }
    let served = router.oneshot(request.map(Body::new)).await;
    let response = served.unwrap_or_else(|never| match never {});
    let lost = fault == Some(Fault::ResetAfter);
    if !between.gallery.ask(|w| w.leaves(seen, response.status())) || lost {
        return Err(reset());
    }
    Ok(response)
}
