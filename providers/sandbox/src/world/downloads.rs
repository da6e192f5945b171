//! What Velero offers for download once a world is open: logs and results, under addresses that nobody can
//! guess, for as long as Velero says.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::extract::State;
use axum::routing::get;
use bytes::Bytes;
use drplan_sandbox_s3::Store;
use drplan_sandbox_velero::Download;
use drplan_sandbox_velero::Sign;
use http::StatusCode;
use ring::rand::SecureRandom as _;
use ring::rand::SystemRandom;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::network::HttpServer;
use super::refusal::Service;
use super::serve;
use super::serve::Between;

/// How long nobody is let in when there is no room for another connection.
const BREATH: Duration = Duration::from_millis(100);

/// How many addresses are open at once.
const OFFERS_MAX: usize = 1000;

/// The downloads of a world.
pub(super) struct Downloads {
    store: Store,
    address: OnceLock<SocketAddr>,
    offers: Mutex<BTreeMap<String, Offer>>,
}

struct Offer {
    bucket: String,
    key: String,
    until: Instant,
}

/// Downloads that are served; they end when this is dropped.
pub(super) struct Serving {
    accepting: JoinHandle<()>,
    /// Connections end when it is gone.
    _open: watch::Sender<bool>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Downloads {
    pub(super) fn of(store: Store) -> Arc<Self> {
        Arc::new(Self {
            store,
            address: OnceLock::new(),
            offers: Mutex::default(),
        })
    }

    /// Makes addresses, as soon as somebody listens there.
    pub(super) fn sign(self: &Arc<Self>) -> Sign {
        let this = Arc::clone(self);
        Arc::new(move |download: &Download<'_>| this.offer(download))
    }

    fn offer(&self, download: &Download<'_>) -> Result<String, String> {
        let address = self.address.get();
        let address = address.ok_or("the world is not open to anybody")?;
        let mut bytes = [0_u8; 16];
        let drawn = SystemRandom::new().fill(&mut bytes);
        drawn.map_err(|_| "this machine gives no random numbers")?;
        let token: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut offers = self.offers.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        offers.retain(|_, offer| offer.until > now);
        if offers.len() >= OFFERS_MAX {
            return Err("too many downloads are open".to_owned());
        }
        let offer = Offer {
            bucket: download.bucket.to_owned(),
            key: download.key.to_owned(),
            until: now + download.lifetime,
        };
        offers.insert(token.clone(), offer);
        Ok(format!("http://{address}/{token}"))
    }

    /// Serves them on a free port of an address, with something between them and clients.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub(super) async fn listen(
        self: &Arc<Self>,
        beside: SocketAddr,
        between: Between,
    ) -> std::io::Result<Serving> {
        let listener = TcpListener::bind(SocketAddr::new(beside.ip(), 0)).await?;
        let address = listener.local_addr()?;
        self.address.get_or_init(|| address);
        let router = Router::new().route("/{token}", get(download));
        let (open, stopped) = watch::channel(false);
        let server = HttpServer {
            service: Service::ObjectStore,
            router: router.with_state(Arc::clone(self)),
            stopped: Some(stopped),
        };
        Ok(Serving {
            accepting: tokio::spawn(accept(listener, server, Arc::new(between))),
            _open: open,
        })
    }

    fn read(&self, token: &str) -> Option<Bytes> {
        let offers = self.offers.lock().unwrap_or_else(PoisonError::into_inner);
        let offer = offers.get(token).filter(|o| o.until > Instant::now())?;
        self.store.get(&offer.bucket, &offer.key).ok()
    }
}

/// Takes connections for as long as the world is open.
async fn accept(listener: TcpListener, server: HttpServer, between: Arc<Between>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => serve::http(stream, server.clone(), Arc::clone(&between)),
            // Out of file handles: others must end first.
            Err(_) => tokio::time::sleep(BREATH).await,
        }
    }
}

async fn download(
    State(downloads): State<Arc<Downloads>>,
    Path(token): Path<String>,
) -> Result<Bytes, StatusCode> {
    downloads.read(&token).ok_or(StatusCode::NOT_FOUND)
}

#[cfg(test)]
mod tests {
    use drplan_api::Clock;
    use drplan_sandbox_s3::Options;
    use drplan_sandbox_s3::Put;
    use tokio::io::AsyncReadExt as _;
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpStream;

    use super::super::Faults;
    use super::super::witness::Gallery;
    use super::*;

    fn wish(lifetime: Duration) -> Download<'static> {
        Download {
            bucket: "b",
            key: "logs.gz",
            endpoint: None,
            region: None,
            credentials: None,
            lifetime,
        }
    }

    /// The answer to a GET of an address, head and body.
    async fn fetched(url: &str) -> String {
        let rest = url.strip_prefix("http://").expect("an address");
        let (host, path) = rest.split_once('/').expect("a path");
        let mut stream = TcpStream::connect(host).await.expect("a server");
        let request = format!("GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut text = String::new();
        stream.read_to_string(&mut text).await.expect("an answer");
        text
    }

    #[tokio::test]
    async fn an_object_is_served_under_its_address_until_that_expires_and_under_no_other() {
        let store = Store::in_memory(Options {
            clock: Clock::system(),
            region: "eu-west-1".to_owned(),
            seed: 1,
            keys: Vec::new(),
        });
        store.create_bucket("b").expect("a bucket");
        let put = Put {
            bytes: Bytes::from_static(b"what was logged"),
            ..Put::default()
        };
        store.put("b", "logs.gz", put).expect("an object");
        let downloads = Downloads::of(store);
        let sign = downloads.sign();
        assert!(
            sign(&wish(Duration::from_secs(60))).is_err(),
            "nobody listens"
        );

        let faults = Arc::new(Faults::none());
        let between = Between::outside(
            "here".to_owned(),
            Service::ObjectStore,
            faults,
            Gallery::default(),
        );
        let beside: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let serving = downloads.listen(beside, between).await.expect("a port");
        let url = sign(&wish(Duration::from_secs(60))).expect("an address");
        assert!(fetched(&url).await.ends_with("what was logged"));
        let (root, token) = url.rsplit_once('/').expect("a token");
        assert_eq!(token.len(), 32);
        let other = format!("{root}/{}", "0".repeat(32));
        assert!(fetched(&other).await.starts_with("HTTP/1.1 404"));
        let brief = sign(&wish(Duration::ZERO)).expect("an address");
        assert!(fetched(&brief).await.starts_with("HTTP/1.1 404"));
        drop(serving);
    }
}
