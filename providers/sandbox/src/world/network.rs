//! The network of the world: names and ports that lead to servers in the same process.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;

use axum::Router;
use drplan_api::Fut;
use drplan_api::Network;
use drplan_api::Stream;
use tokio::io::DuplexStream;
use tokio::sync::watch;

use super::faults::Faults;
use super::refusal::Service;
use super::serve;
use super::serve::Between;
use super::witness::Gallery;

/// How many bytes wait in each direction of a connection before its writer does.
const BUFFER_BYTES: usize = 256 * 1024;
/// How many names a name may stand for in turn.
const ALIASES_MAX: usize = 8;

/// Takes connections that are not HTTP.
pub(super) trait Listener: Send + Sync {
    /// Serves one connection, in a task of its own.
    fn serve(&self, stream: DuplexStream);
}

/// What answers at a place.
#[derive(Clone)]
pub(super) enum Server {
    /// HTTP.
    Http(HttpServer),
    /// Another protocol.
    Other(Arc<dyn Listener>),
}

/// What answers in HTTP.
#[derive(Clone)]
pub(super) struct HttpServer {
    pub(super) service: Service,
    pub(super) router: Router,
    /// Whether it was stopped, if it can be: its connections end then.
    pub(super) stopped: Option<watch::Receiver<bool>>,
}

/// Says what an address of a host answers that no server is declared for.
pub(super) trait Addresses: Send + Sync {
    /// The server at an address and port, if there is one.
    fn at(&self, address: IpAddr, port: u16) -> Option<Server>;
}

/// Says what names stand for.
pub(super) trait Names: Send + Sync {
    /// What a name stands for.
    fn lookup(&self, name: &str) -> Option<Found>;
}

/// What a name stands for.
pub(super) enum Found {
    /// An address or another name.
    Is(String),
    /// A host that refuses every connection.
    Refuses,
}

/// The network of one world.
pub(super) struct WorldNetwork {
    places: RwLock<BTreeMap<(String, u16), Server>>,
    /// Host names, and those below them, that one server answers to, whatever the port.
    suffixes: Vec<(String, Server)>,
    /// What answers for the object store under AWS's names.
    store: Server,
    /// The places of servers that can be stopped.
    declared: RwLock<BTreeSet<(String, u16)>>,
    names: Vec<Arc<dyn Names>>,
    addresses: Vec<Arc<dyn Addresses>>,
    faults: Arc<Faults>,
    gallery: Gallery,
}

impl WorldNetwork {
    pub(super) fn new(
        suffixes: Vec<(String, Server)>,
        store: Server,
        names: Vec<Arc<dyn Names>>,
        addresses: Vec<Arc<dyn Addresses>>,
        faults: Arc<Faults>,
        gallery: Gallery,
    ) -> Self {
        Self {
            places: RwLock::default(),
            suffixes,
            store,
            declared: RwLock::default(),
            names,
            addresses,
            faults,
            gallery,
        }
    }

    /// Declares the place of a server that does not run yet.
    pub(super) fn declare(&self, host: &str, port: u16) {
        let mut declared = self
            .declared
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        declared.insert((host.to_owned(), port));
    }

    /// Lets a server answer at a place.
    pub(super) fn open(&self, host: &str, port: u16, server: Server) {
        let mut places = self.places.write().unwrap_or_else(PoisonError::into_inner);
        places.insert((host.to_owned(), port), server);
    }

    /// Lets nobody answer there any more.
    pub(super) fn close(&self, host: &str, port: u16) {
        let mut places = self.places.write().unwrap_or_else(PoisonError::into_inner);
        places.remove(&(host.to_owned(), port));
    }

    fn find(&self, host: &str, port: u16) -> io::Result<Server> {
        let mut name = host.trim_end_matches('.').to_ascii_lowercase();
        for _ in 0..ALIASES_MAX {
            let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(server) = places.get(&(name.clone(), port)) {
                return Ok(server.clone());
            }
            drop(places);
            let declared = self.declared.read().unwrap_or_else(PoisonError::into_inner);
            if declared.contains(&(name.clone(), port)) {
                return Err(stopped(&name, port));
            }
            drop(declared);
            if let Some((_, server)) = self.suffixes.iter().find(|(s, _)| is_under(&name, s)) {
                return Ok(server.clone());
            }
            if is_object_store(&name) {
                return Ok(self.store.clone());
            }
            if let Ok(address) = name.parse::<IpAddr>() {
                let mut found = self.addresses.iter().filter_map(|a| a.at(address, port));
                return found.next().ok_or_else(|| refused(&name, port));
            }
            match self.names.iter().find_map(|n| n.lookup(&name)) {
                Some(Found::Is(next)) => name = next.trim_end_matches('.').to_ascii_lowercase(),
                Some(Found::Refuses) => return Err(refused(&name, port)),
                None => return Err(unknown(&name)),
            }
        }
        Err(unknown(host))
    }
}

impl Network for WorldNetwork {
    fn dial<'a>(&'a self, host: &'a str, port: u16) -> Fut<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let server = self.find(host, port)?;
            let (ours, theirs) = tokio::io::duplex(BUFFER_BYTES);
            match server {
                Server::Http(server) => {
                    let between = Between {
                        host: host.to_owned(),
                        place: format!("{host}:{port}"),
                        service: server.service,
                        faults: Arc::clone(&self.faults),
                        gallery: self.gallery.clone(),
                    };
                    serve::http(theirs, server, Arc::new(between));
                }
                Server::Other(_) if self.faults.refuses(host, port) => {
                    return Err(io::Error::new(
                        io::ErrorKind::ConnectionRefused,
                        "a fault of the rehearsal",
                    ));
                }
                Server::Other(listener) => listener.serve(theirs),
            }
            Ok(Box::new(ours) as Box<dyn Stream>)
        })
    }
}

fn is_under(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Whether AWS's object store answers to a name: `s3.REGION.…` and `BUCKET.s3.REGION.…`.
fn is_object_store(name: &str) -> bool {
    let service = name.strip_suffix(".amazonaws.com");
    service.is_some_and(|s| {
        s.split('.')
            .any(|part| part == "s3" || part.starts_with("s3-"))
    })
}

fn stopped(host: &str, port: u16) -> io::Error {
    io::Error::new(
        io::ErrorKind::ConnectionRefused,
        format!(
            "the server at {host}, port {port}, does not run: nothing of the rehearsal has started it"
        ),
    )
}

fn refused(host: &str, port: u16) -> io::Error {
    io::Error::new(
        io::ErrorKind::ConnectionRefused,
        format!("nothing of the rehearsal answers at {host}, port {port}"),
    )
}

fn unknown(host: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::NotFound,
        format!("the rehearsal knows no host `{host}`"),
    )
}
