//! Which servers of the world run. Programs start and stop them; the network follows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use super::WorldError;
use super::file::Content;
use super::network::Server;
use super::network::WorldNetwork;

/// What happens in a server when it starts and stops.
pub(super) trait Machine: Send + Sync {
    /// Starts what runs inside. Called when the server does not run.
    fn start(&self);
    /// Ends what runs inside; what is stored stays.
    fn stop(&self);
    /// How it is reached, for a file of a program: a kubeconfig or a URL.
    fn access(&self) -> String;
    /// The address of a Service's load balancer, where there is such a thing.
    fn balancer(&self, namespace: &str, service: &str) -> Option<String>;
}

/// A server that can be started.
pub(super) struct Socket {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) server: Server,
    pub(super) machine: Arc<dyn Machine>,
}

/// Where a server of the world is, and whether it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its name, as `cluster.b`.
    pub name: String,
    /// The name that leads to it within the world.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether it runs now.
    pub runs: bool,
}

/// Which servers run, by name: `cluster.b`. Clones share one state.
#[derive(Clone)]
pub(super) struct Power(Arc<Inner>);

struct Inner {
    sockets: BTreeMap<String, Socket>,
    running: Mutex<BTreeMap<String, bool>>,
    network: Arc<WorldNetwork>,
}

impl Power {
    pub(super) fn new(sockets: BTreeMap<String, Socket>, network: Arc<WorldNetwork>) -> Self {
        for socket in sockets.values() {
            network.declare(&socket.host, socket.port);
        }
        Self(Arc::new(Inner {
            sockets,
            running: Mutex::default(),
            network,
        }))
    }

    /// Whether a server runs.
    pub(super) fn runs(&self, name: &str) -> bool {
        let running = self.0.running.lock();
        let running = running.unwrap_or_else(PoisonError::into_inner);
        running.get(name).copied().unwrap_or_default()
    }

    /// Every server, in order of name.
    pub(super) fn places(&self) -> Vec<Place> {
        let place = |(name, socket): (&String, &Socket)| Place {
            name: name.clone(),
            host: socket.host.clone(),
            port: socket.port,
            runs: self.runs(name),
        };
        self.0.sockets.iter().map(place).collect()
    }

    /// Starts or stops a server; one that is so already stays as it is.
    pub(super) fn set(&self, name: &str, on: bool) {
        let Some(socket) = self.0.sockets.get(name) else {
            return;
        };
        let mut running = self
            .0
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if running.insert(name.to_owned(), on).unwrap_or_default() == on {
            return;
        }
        drop(running);
        if on {
            socket.machine.start();
            let server = socket.server.clone();
            self.0.network.open(&socket.host, socket.port, server);
        } else {
            self.0.network.close(&socket.host, socket.port);
            socket.machine.stop();
        }
    }

    /// Refuses the name of a server that the world does not have.
    pub(super) fn known(&self, name: &str, at: &str) -> Result<(), WorldError> {
        if self.0.sockets.contains_key(name) {
            return Ok(());
        }
        let known: Vec<&str> = self.0.sockets.keys().map(String::as_str).collect();
        Err(WorldError::Unknown {
            at: at.to_owned(),
            name: name.to_owned(),
            known: known.join(", "),
        })
    }

    /// The address of a Service's load balancer, named `CLUSTER/NAMESPACE/SERVICE`.
    pub(super) fn balancer(&self, name: &str) -> Option<String> {
        let (cluster, service) = name.split_once('/')?;
        let (namespace, service) = service.split_once('/')?;
        let name = format!("cluster.{cluster}");
        let socket = self.0.sockets.get(&name).filter(|_| self.runs(&name))?;
        socket.machine.balancer(namespace, service)
    }

    /// What a program writes to a file.
    pub(super) fn content(&self, content: &Content) -> Vec<u8> {
        let of = |name: String| self.0.sockets.get(&name).map(|s| s.machine.access());
        match content {
            Content::Kubeconfig(cluster) => of(format!("cluster.{cluster}")),
            Content::Postgres(server) => of(format!("postgres.{server}")),
            Content::Text(text) => Some(text.clone()),
        }
        .unwrap_or_default()
        .into_bytes()
    }
}
