//! One GET request over a connection of its own: everything that touches the network.

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use drplan_api::Doors;
use drplan_api::digest;
use http::Request;
use http::header;
use http_body_util::BodyExt as _;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::IpAddr;
use rustls::pki_types::ServerName;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use url::Host;
use url::Url;

use crate::answer::GetAsk;
use crate::answer::Reply;
use crate::certificate;

/// How much of a body is read; the rest is left unread.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Asks, each time over a new connection, so that every answer proves the whole way.
pub(crate) struct Client {
    pub(crate) tls: Arc<ClientConfig>,
    pub(crate) timeout: Duration,
    pub(crate) doors: Doors,
}

impl Client {
    /// Sends one request. Every failure of the other side is part of the reply.
    pub(crate) async fn get(&self, ask: &GetAsk) -> Reply {
        let started = Instant::now();
        let outcome = tokio::time::timeout(self.timeout, self.exchange(ask)).await;
        let mut reply = match outcome {
            Ok(Ok(reply)) => reply,
            Ok(Err(why)) => failed(why),
            Err(_) => failed(format!("no answer within {} ms", self.timeout.as_millis())),
        };
        reply.latency_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        reply
    }

    async fn exchange(&self, ask: &GetAsk) -> Result<Reply, String> {
        let url = Url::parse(&ask.url).map_err(|e| e.to_string())?;
        let (host, port) = address(&url, ask.via.as_deref());
        if let Some(network) = &self.doors.network {
            let stream = network.dial(&host, port).await;
            return converse(stream.map_err(|e| connection_words(&e))?, &url, ask).await;
        }
        let stream = TcpStream::connect((host.as_str(), port))
            .await
            .map_err(|e| connection_words(&e))?;
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        if url.scheme() != "https" {
            return converse(stream, &url, ask).await;
        }
        let stream = TlsConnector::from(Arc::clone(&self.tls))
            .connect(server_name(&url)?, stream)
            .await
            .map_err(|e| format!("no TLS connection: {}", chain(&e)))?;
        let days = stream
            .get_ref()
            .1
            .peer_certificates()
            .and_then(|chain| chain.first())
            .and_then(|leaf| certificate::days_left(leaf, self.doors.clock.now()));
        let mut reply = converse(stream, &url, ask).await?;
        reply.tls_expires_in_days = days;
        Ok(reply)
    }
}

fn failed(why: String) -> Reply {
    Reply {
        error: Some(why),
        ..Reply::default()
    }
}

/// Returns where to connect to: `via` if given, with the URL's port if it has none.
fn address(url: &Url, via: Option<&str>) -> (String, u16) {
    let port = url.port_or_known_default().unwrap_or_default();
    let given = via.unwrap_or_else(|| url.host_str().unwrap_or_default());
    // The last colon of an address in brackets, or a lone one, is that of a port.
    let behind = given.rsplit_once(']').map_or(given, |(_, behind)| behind);
    let (host, port) = match (behind.matches(':').count(), given.rsplit_once(':')) {
        (1, Some((host, digits))) => (host, digits.parse().unwrap_or(port)),
        _ => (given, port),
    };
    (host.trim_matches(['[', ']']).to_owned(), port)
}

fn server_name(url: &Url) -> Result<ServerName<'static>, String> {
    match url.host() {
        Some(Host::Domain(name)) => {
            ServerName::try_from(name.to_owned()).map_err(|e| format!("`{name}`: {e}"))
        }
        Some(Host::Ipv4(ip)) => Ok(ServerName::IpAddress(IpAddr::V4(ip.into()))),
        Some(Host::Ipv6(ip)) => Ok(ServerName::IpAddress(IpAddr::V6(ip.into()))),
        None => Err("the URL has no host".to_owned()),
    }
}

async fn converse<S>(stream: S, url: &Url, ask: &GetAsk) -> Result<Reply, String>
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|e| chain(&e))?;
    let request = request(url)?;
    let talk = async {
        let response = sender.send_request(request).await.map_err(|e| chain(&e))?;
        let status = response.status().as_u16();
        let body = read_body(response.into_body()).await?;
        let matched = match &ask.body_matches {
            Some(pattern) => {
                let pattern = regex::bytes::Regex::new(pattern).map_err(|e| e.to_string())?;
                Some(pattern.is_match(&body))
            }
            None => None,
        };
        Ok(Reply {
            status: Some(status),
            matched,
            body_digest: Some(digest(&body)),
            ..Reply::default()
        })
    };
    // The connection may end before its last bytes have been taken from it; what it says of itself
    // reaches the talk as an error.
    let drive = async {
        connection.await.ok();
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        // One order in every run.
        biased;
        reply = talk => reply,
        never = drive => match never {},
    }
}

fn request(url: &Url) -> Result<Request<Empty<Bytes>>, String> {
    let host = url.host_str().unwrap_or_default();
    let host = match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    let path = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    Request::get(path)
        .header(header::HOST, host)
        .header(
            header::USER_AGENT,
            concat!("drplan/", env!("CARGO_PKG_VERSION")),
        )
        .header(header::ACCEPT, "*/*")
        .header(header::CONNECTION, "close")
        .body(Empty::new())
        .map_err(|e| e.to_string())
}

async fn read_body(mut body: Incoming) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| format!("the answer broke off: {}", chain(&e)))?;
        if let Some(data) = frame.data_ref() {
            let room = BODY_BYTES_MAX - bytes.len();
            bytes.extend_from_slice(&data[..data.len().min(room)]);
            if bytes.len() == BODY_BYTES_MAX {
                break;
            }
        }
    }
    Ok(bytes)
}

fn connection_words(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        std::io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        _ => format!("no connection: {error}"),
    }
}

fn chain(error: &(dyn Error + 'static)) -> String {
    let mut words = error.to_string();
    let mut next = error.source();
    while let Some(link) = next {
        let text = link.to_string();
        if !words.contains(&text) {
            words = format!("{words}: {text}");
        }
        next = link.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_goes_where_via_says() {
        for (url, via, host, port) in [
            ("http://shop.example/", None, "shop.example", 80),
            ("https://shop.example/", None, "shop.example", 443),
            ("https://[::1]:8443/", None, "::1", 8443),
            ("https://shop.example/", Some("10.0.0.7"), "10.0.0.7", 443),
            (
                "https://shop.example/",
                Some("10.0.0.7:8443"),
                "10.0.0.7",
                8443,
            ),
            ("https://shop.example/", Some("::1"), "::1", 443),
            ("https://shop.example/", Some("[::1]"), "::1", 443),
            ("https://shop.example/", Some("[::1]:9"), "::1", 9),
        ] {
            let url = Url::parse(url).expect("a URL");
            let to = (host.to_owned(), port);
            assert_eq!(address(&url, via), to, "{url} via {via:?}");
        }
    }
}
