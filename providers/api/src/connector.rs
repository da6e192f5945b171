//! A private network as hyper sees it: what dials for an HTTP client.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;

use http::Uri;
use hyper::rt::Read;
use hyper::rt::ReadBufCursor;
use hyper::rt::Write;
use hyper_util::client::legacy::connect::Connected;
use hyper_util::client::legacy::connect::Connection;
use hyper_util::rt::TokioIo;

use crate::Fut;
use crate::Network;
use crate::Stream;

const PORT_HTTP: u16 = 80;
const PORT_HTTPS: u16 = 443;

/// Dials the host and port of a URL in a private network, for hyper's client.
#[derive(Clone)]
pub struct Connector(Arc<dyn Network>);

impl Connector {
    /// Dials in this network.
    #[must_use]
    pub fn new(network: Arc<dyn Network>) -> Self {
        Self(network)
    }

    /// An HTTP client of the network. It keeps no idle connection, so that every request can meet
    /// what the network then holds.
    #[must_use]
    pub fn client<B>(self) -> hyper_util::client::legacy::Client<Self, B>
    where
        B: http_body::Body + Send,
        B::Data: Send,
    {
        hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build(self)
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = Dialed;
    type Error = io::Error;
    type Future = Fut<'static, io::Result<Dialed>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let network = Arc::clone(&self.0);
        Box::pin(async move {
            let host = uri.host().unwrap_or_default();
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let port = uri.port_u16().unwrap_or(match uri.scheme_str() {
                Some("https") => PORT_HTTPS,
                _ => PORT_HTTP,
            });
            Ok(Dialed(TokioIo::new(network.dial(host, port).await?)))
        })
    }
}

/// A dialed connection as hyper wants it.
pub struct Dialed(TokioIo<Box<dyn Stream>>);

impl Connection for Dialed {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Dialed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl Write for Dialed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
