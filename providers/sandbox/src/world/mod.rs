//! The rehearsal world: every system that a recovery touches, in one process and virtual time.
//!
//! A [`World`] is made from a [`WorldFile`] and gives the [`Doors`] through which
//! drplan's own providers reach it. It opens no socket, starts no program and reads no clock of the
//! machine. It knows systems, not resources: plans, steps and specs are the caller's.

mod addresses;
mod clusters;
mod commands;
mod databases;
mod downloads;
mod durations;
mod faults;
mod file;
mod listen;
mod names;
mod network;
mod power;
mod programs;
mod recall;
mod refusal;
mod seeds;
mod serve;
mod services;
mod simulation;
mod troubles;
mod velero;
mod witness;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use drplan_api::Clock;
use drplan_api::ConnId;
use drplan_api::Doors;
use drplan_api::Network;
use drplan_api::Standing;
use drplan_api::Timestamp;
use drplan_sandbox_kubernetes::Cluster;
use drplan_sandbox_s3::Store;

use crate::helm::Helm;
use crate::route53::Route53;
use addresses::Balancers;
use clusters::ClusterMachine;
use databases::Clients;
use databases::DatabaseMachine;
use names::Hosts;
use names::Zones;
use network::HttpServer;
use network::Listener;
use network::Names;
use network::Server;
use network::WorldNetwork;
use power::Machine;
use power::Power;
use power::Socket;
use programs::Programs;
use refusal::Service;
use velero::Velero;
use witness::Gallery;

pub use commands::CommandLine;
pub use faults::Fault;
pub use faults::Faults;
pub use file::Stand;
pub use file::WorldFile;
pub use file::host_and_port;
pub use listen::Open;
pub use power::Place;
pub use programs::Said;
pub use programs::Tool;
pub use recall::Loaded;
pub use recall::LoadedConnection;
pub use recall::Recall;
pub use recall::reached_by;
pub use refusal::Refusal;
pub use simulation::By;
pub use simulation::CLIENTS;
pub use simulation::SIMULATIONS;
pub use simulation::STARTERS;
pub use simulation::Simulation;
pub use simulation::Starter;
pub use simulation::simulation;
pub use witness::Fate;
pub use witness::Request;
pub use witness::Witness;

/// Why a world cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// A name stands for nothing in the world.
    #[error("{at} names `{name}`, which the world file does not declare; it declares: {known}")]
    Unknown {
        /// Where the name stands.
        at: String,
        /// The name.
        name: String,
        /// What there is.
        known: String,
    },
    /// A value is not what it should be.
    #[error("{at} is `{value}`, which is not {wanted}")]
    Value {
        /// What it is.
        at: String,
        /// What was given.
        value: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// A part of the world cannot start.
    #[error("{part} cannot be made: {why}")]
    Part {
        /// Which.
        part: String,
        /// Why not.
        why: String,
    },
    /// The recording holds a connection, and nothing of the world stands behind it.
    #[error(
        "the snapshot holds `{connection}`, and the world file declares nothing that is behind it"
    )]
    NoPlace {
        /// The connection.
        connection: String,
        /// A block that would be.
        block: String,
    },
    /// Two connections of the recording led to two servers, and lead to one here.
    #[error(
        "`{one}` and `{other}` both lead to {block} \"{name}\", and the snapshot says that they led to \
         different servers"
    )]
    TwoInOne {
        /// A connection.
        one: String,
        /// Another.
        other: String,
        /// The sort of the server.
        block: &'static str,
        /// Its name.
        name: String,
    },
    /// The recording says what can never have been.
    #[error("the snapshot is no beginning of a world: {why}")]
    Recording {
        /// What is wrong with it.
        why: String,
    },
}

/// What a world is made from beside its file.
pub struct Beginning<'a> {
    /// The folder that relative paths of the world file start from.
    pub data_dir: &'a Path,
    /// The folder that programs run in.
    pub base_dir: &'a Path,
    /// Where names and ids are drawn from: one seed gives one world.
    pub seed: u64,
    /// What goes wrong between clients and servers.
    pub faults: Faults,
    /// What a recording says about how things stood; `None` for what the file says.
    pub recall: Option<Recall>,
}

/// A world to rehearse in. What runs in it ends when it is dropped.
pub struct World {
    clock: Clock,
    network: Arc<WorldNetwork>,
    programs: Programs,
    power: Power,
    clusters: BTreeMap<String, Arc<ClusterMachine>>,
    databases: BTreeMap<String, Arc<DatabaseMachine>>,
    store: Store,
    velero: Arc<Velero>,
    dns: Route53,
    zones: Vec<String>,
    faults: Arc<Faults>,
    gallery: Gallery,
    loaded: Option<Loaded>,
}

impl World {
    /// Makes a world. Must be called inside of the runtime whose time the world follows.
    ///
    /// # Errors
    ///
    /// If the file names what it does not declare, or a part cannot be made.
    pub fn new(file: &WorldFile, from: Beginning<'_>) -> Result<Self, WorldError> {
        let mut file = file.clone();
        let recall = from.recall.as_ref();
        let places = recall.map(|r| recall::places(&file, r)).transpose()?;
        let places = places.unwrap_or_default();
        if let Some(recall) = recall {
            recall::awake(&mut file, recall, &places);
        }
        let starts_at = match recall {
            Some(recall) => recall::begins(recall)?,
            None => file.start.unwrap_or_else(Timestamp::now),
        };
        let clock = Clock::starting_at(starts_at);
        let faults = Arc::new(from.faults);
        let object_store = file.object_store.clone().unwrap_or_default();
        let store = services::object_store(&object_store, from.data_dir, clock.clone(), from.seed)?;
        let dns_part = file.dns.clone().unwrap_or_default();
        let mut loaded = Loaded::default();
        let mut zones: Vec<String> = dns_part.zone.keys().cloned().collect();
        let mut dns = services::dns(&dns_part, clock.clone())?;
        for (connection, standing) in standing(recall, "route53") {
            let (service, names, told) = recall::zones(connection, dns, standing)?;
            dns = service;
            zones.extend(names);
            loaded.connections.push(told);
        }
        zones.sort_unstable();
        zones.dedup();
        let listed: Vec<_> = standing(recall, "s3").collect();
        loaded.connections.extend(recall::buckets(&store, &listed));
        let settings = durations::settings(&file.durations, from.seed)?;
        let velero = Arc::new(Velero::new(
            store.clone(),
            object_store.key.clone(),
            clock.clone(),
            from.seed,
        ));
        let clusters: BTreeMap<_, _> = file
            .cluster
            .iter()
            .map(|(name, part)| {
                let velero = Some(Arc::clone(&velero));
                let machine =
                    ClusterMachine::new(name, part, settings.clone(), clock.clone(), velero)?;
                Ok((name.clone(), Arc::new(machine)))
            })
            .collect::<Result<_, WorldError>>()?;
        let identities = recall
            .map(|r| recall::numbers(r, &places))
            .unwrap_or_default();
        let databases: BTreeMap<_, _> = file
            .postgres
            .iter()
            .map(|(name, part)| {
                let faults = Arc::clone(&faults);
                let known = identities.get(name).copied();
                let identity = known.unwrap_or_else(|| databases::identity(from.seed, name));
                let machine = DatabaseMachine::new(name, part, clock.clone(), identity, faults)?;
                Ok((name.clone(), Arc::new(machine)))
            })
            .collect::<Result<_, WorldError>>()?;
        let by_part = recall.map(|r| recall::by_part(r, &places));
        for ((block, name), said) in by_part.unwrap_or_default() {
            loaded
                .connections
                .extend(match (clusters.get(name), databases.get(name)) {
                    (Some(machine), _) if *block == "cluster" => {
                        recall::cluster(name, &machine.cluster, &said)
                    }
                    (_, Some(machine)) => recall::database(name, &machine.server, &said),
                    _ => Vec::new(),
                });
        }
        let balancers = Balancers {
            clusters: clusters.values().map(|c| c.cluster.clone()).collect(),
            pages: file.page.clone(),
        };
        let names: Vec<Arc<dyn Names>> = vec![
            Arc::new(Hosts(file.host.clone())),
            Arc::new(Zones {
                service: dns.clone(),
                zones: zones.clone(),
            }),
        ];
        let gallery = Gallery::default();
        let suffixes = suffixes(&object_store.hosts, &dns_part.hosts, &store, &dns);
        let network = Arc::new(WorldNetwork::new(
            suffixes,
            of(Service::ObjectStore, store.router()),
            names,
            vec![Arc::new(balancers)],
            Arc::clone(&faults),
            gallery.clone(),
        ));
        let sockets = sockets(&file, &clusters, &databases)?;
        let mut places = BTreeMap::new();
        for (name, machine) in &databases {
            let name = format!("postgres.{name}");
            if let Some(socket) = sockets.get(&name) {
                let place = (socket.host.clone(), socket.port);
                places.insert(place, (name, Arc::clone(machine)));
            }
        }
        let power = Power::new(sockets, Arc::clone(&network));
        let helm = Helm::new(Arc::clone(&network) as Arc<dyn Network>, clock.clone());
        let clients = Clients::new(places, power.clone(), Arc::clone(&faults));
        let tools: Vec<Arc<dyn Tool>> = vec![Arc::new(helm), Arc::new(clients)];
        let base_dir = from.base_dir.to_owned();
        let programs = Programs::new(
            base_dir,
            file.program.clone(),
            tools,
            power.clone(),
            gallery.clone(),
        )?;
        let started = started(&file);
        for name in &started {
            power.set(name, true);
        }
        if let Some(recall) = recall {
            had_run(&started, &programs, &recall.commands)?;
        }
        leave_files(&file, &programs)?;
        let reads = recall.map(|r| r.reads.clone()).unwrap_or_default();
        for (connection, standing) in standing(recall, "local") {
            loaded
                .connections
                .push(recall::machine(connection, &programs, standing, &reads));
        }
        if let Some(recall) = recall {
            loaded.complete(recall);
        }
        Ok(Self {
            loaded: recall.map(|_| loaded),
            clock,
            network,
            programs,
            power,
            clusters,
            databases,
            store,
            velero,
            dns,
            zones,
            faults,
            gallery,
        })
    }

    /// The doors that lead into the world.
    #[must_use]
    pub fn doors(&self) -> Doors {
        Doors {
            process: Arc::new(self.programs.clone()),
            network: Some(Arc::clone(&self.network) as Arc<dyn Network>),
            clock: self.clock.clone(),
        }
    }

    /// Lets time pass until the moment of the recording that the world begins with; of others none.
    pub async fn settle(&self) {
        if self.loaded.is_some() {
            tokio::time::sleep(recall::SETTLES).await;
        }
    }

    /// What was made of a recording, if the world began with one.
    #[must_use]
    pub fn loaded(&self) -> Option<&Loaded> {
        self.loaded.as_ref()
    }

    /// Lets somebody see every request and every start of a program from now on. There is room for
    /// one; who comes later is not let in.
    pub fn admit(&self, witness: Arc<dyn Witness>) {
        self.gallery.admit(witness);
    }

    /// Ends the faults, so that what is asked from here on is answered as things are.
    pub fn calm(&self) {
        self.faults.end();
    }

    /// How many requests, statements and restores met a fault.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.faults.count()
    }

    /// The commands that nothing stood in for so far: program and arguments of each.
    #[must_use]
    pub fn strangers(&self) -> Vec<Vec<String>> {
        self.programs.strangers()
    }

    /// Every server that can be started, in order of name, and whether it runs now.
    #[must_use]
    pub fn places(&self) -> Vec<Place> {
        self.power.places()
    }

    /// The clusters by name.
    pub fn clusters(&self) -> impl Iterator<Item = (&str, &Cluster)> {
        self.clusters
            .iter()
            .map(|(name, c)| (name.as_str(), &c.cluster))
    }

    /// The database servers by name.
    pub fn databases(&self) -> impl Iterator<Item = (&str, &drplan_sandbox_postgres::Server)> {
        self.databases
            .iter()
            .map(|(name, d)| (name.as_str(), &d.server))
    }

    /// The object store.
    #[must_use]
    pub fn object_store(&self) -> &Store {
        &self.store
    }

    /// The DNS service.
    #[must_use]
    pub fn dns(&self) -> &Route53 {
        &self.dns
    }

    /// The zones of the DNS service.
    #[must_use]
    pub fn zones(&self) -> &[String] {
        &self.zones
    }
}

/// What a recording says of the connections of one system.
fn standing<'r>(
    recall: Option<&'r Recall>,
    system: &'static str,
) -> impl Iterator<Item = (&'r ConnId, &'r [Standing])> {
    let connections = recall.into_iter().flat_map(|r| &r.connections);
    let of = connections.filter(move |(connection, _)| connection.system() == system);
    of.map(|(connection, standing)| (connection, standing.as_slice()))
}

/// The servers that run from the beginning.
fn started(file: &WorldFile) -> Vec<String> {
    let clusters = file.cluster.iter().filter(|(_, part)| part.running);
    let clusters = clusters.map(|(name, _)| format!("cluster.{name}"));
    let databases = file.postgres.iter().filter(|(_, part)| part.running);
    clusters
        .chain(databases.map(|(name, _)| format!("postgres.{name}")))
        .collect()
}

/// Leaves the files that the world file asks for: those that lead to servers which run from the beginning.
fn leave_files(file: &WorldFile, programs: &Programs) -> Result<(), WorldError> {
    for (name, part) in file.cluster.iter().filter(|(_, part)| part.running) {
        if let Some(path) = &part.kubeconfig {
            let content = file::Content::Kubeconfig(name.clone());
            programs
                .lead_to(content, path)
                .map_err(|e| no_way(name, &e))?;
        }
    }
    Ok(())
}

/// Leaves what the programs left that had started servers.
fn had_run(
    servers: &[String],
    programs: &Programs,
    commands: &[CommandLine],
) -> Result<(), WorldError> {
    let ran = |name: &String| programs.ran(name, commands).map_err(|e| no_way(name, &e));
    servers.iter().try_for_each(ran)
}

fn no_way(server: &str, why: &drplan_api::ProviderError) -> WorldError {
    WorldError::Part {
        part: format!("what leads to `{server}`"),
        why: why.to_string(),
    }
}

/// What answers under names of AWS, and under those that the file gives.
fn suffixes(
    store_hosts: &[String],
    dns_hosts: &[String],
    store: &Store,
    dns: &Route53,
) -> Vec<(String, Server)> {
    let dns = of(Service::Dns, dns.router());
    let store = of(Service::ObjectStore, store.router());
    let given = |hosts: &[String], server: &Server| {
        let pairs = hosts.iter().map(|h| (h.clone(), server.clone()));
        pairs.collect::<Vec<_>>()
    };
    let mut out = given(dns_hosts, &dns);
    out.extend(given(store_hosts, &store));
    out.push(("route53.amazonaws.com".to_owned(), dns));
    out
}

/// A service that nobody stops.
fn of(service: Service, router: axum::Router) -> Server {
    Server::Http(HttpServer {
        service,
        router,
        stopped: None,
    })
}

fn sockets(
    file: &WorldFile,
    clusters: &BTreeMap<String, Arc<ClusterMachine>>,
    databases: &BTreeMap<String, Arc<DatabaseMachine>>,
) -> Result<BTreeMap<String, Socket>, WorldError> {
    let mut out = BTreeMap::new();
    for (name, machine) in clusters {
        let server = &file.cluster[name].server;
        let (host, port) = place(server, &format!("`server` of cluster \"{name}\""))?;
        let socket = Socket {
            host,
            port,
            server: Server::Http(HttpServer {
                service: Service::Kubernetes,
                router: machine.cluster.router(),
                stopped: Some(machine.cluster.stopped()),
            }),
            machine: Arc::clone(machine) as Arc<dyn Machine>,
        };
        out.insert(format!("cluster.{name}"), socket);
    }
    for (name, machine) in databases {
        let address = &file.postgres[name].address;
        let at = format!("`address` of postgres \"{name}\"");
        let (host, port) = place(&format!("postgres://{address}"), &at)?;
        let socket = Socket {
            host,
            port,
            server: Server::Other(Arc::clone(machine) as Arc<dyn Listener>),
            machine: Arc::clone(machine) as Arc<dyn Machine>,
        };
        out.insert(format!("postgres.{name}"), socket);
    }
    Ok(out)
}

/// Takes host and port out of a URL.
fn place(text: &str, at: &str) -> Result<(String, u16), WorldError> {
    host_and_port(text).ok_or_else(|| WorldError::Value {
        at: at.to_owned(),
        value: text.to_owned(),
        wanted: "a place such as https://b.example:6443 or db.example:5432",
    })
}

fn duration(text: &str, at: &str) -> Result<Duration, WorldError> {
    let span: Option<jiff::SignedDuration> = text.parse().ok();
    let span = span.and_then(|s| Duration::try_from(s).ok());
    span.ok_or_else(|| WorldError::Value {
        at: at.to_owned(),
        value: text.to_owned(),
        wanted: "a length of time such as \"90s\" or \"8m\"",
    })
}
