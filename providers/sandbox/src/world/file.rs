//! What a rehearsal starts from, as data: the content of a world file.
//!
//! Reading the file is the caller's business; the parts decode themselves from its blocks. Passwords
//! and keys in it open nothing but the rehearsal.

use std::collections::BTreeMap;

use drplan_api::Timestamp;
use serde::Deserialize;

/// How many nodes a cluster has if the file does not say.
const NODES_DEFAULT: usize = 3;
/// What a page answers if the file does not say.
const STATUS_DEFAULT: u16 = 200;
/// Where a PostgreSQL server listens if the file does not say.
const POSTGRES_PORT: u16 = 5432;
/// How long records are cached if the file does not say, in seconds.
const TTL_DEFAULT: i64 = 60;

/// A world to rehearse in.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorldFile {
    /// What the clock shows first; the machine's time if it is not given.
    pub start: Option<Timestamp>,
    /// The failure domains that are lost.
    pub lost: Vec<String>,
    /// Values of the spec's variables in the rehearsal.
    pub variables: BTreeMap<String, String>,
    /// The object store.
    pub object_store: Option<ObjectStore>,
    /// The DNS service, which also answers for the names of the world.
    pub dns: Option<Dns>,
    /// Clusters by name.
    pub cluster: BTreeMap<String, ClusterPart>,
    /// PostgreSQL servers by name.
    pub postgres: BTreeMap<String, PostgresPart>,
    /// What the pods behind a Service answer, by `namespace/service`.
    pub page: BTreeMap<String, Page>,
    /// Hosts outside the zones.
    pub host: BTreeMap<String, Host>,
    /// What stands in for programs, by program, in the order in which they are tried.
    pub program: BTreeMap<String, Vec<Stand>>,
    /// How long things take, over the defaults: lengths of time by name.
    pub durations: BTreeMap<String, String>,
}

/// One object store for all buckets.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ObjectStore {
    /// Names that it answers to, beside those of AWS.
    pub hosts: Vec<String>,
    /// Access keys by id.
    pub key: BTreeMap<String, Key>,
    /// Buckets by name.
    pub bucket: BTreeMap<String, Bucket>,
}

/// An access key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Its secret.
    pub secret: String,
    /// Whether it may only read.
    #[serde(default)]
    pub read_only: bool,
}

/// A bucket.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// The folder that holds its objects, relative to the spec. It is never written to.
    pub folder: Option<String>,
    /// Whether it keeps versions.
    #[serde(default)]
    pub versioned: bool,
}

/// The DNS service.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dns {
    /// Names that it answers to, beside that of AWS.
    pub hosts: Vec<String>,
    /// Access keys by id.
    pub key: BTreeMap<String, Key>,
    /// Zones by name.
    pub zone: BTreeMap<String, Zone>,
}

/// A hosted zone.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Zone {
    /// Records by name, relative to the zone.
    pub record: BTreeMap<String, Record>,
}

/// A record set.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// How long it is cached, in seconds.
    #[serde(default = "ttl_default")]
    pub ttl: i64,
    /// Its values.
    pub values: Vec<String>,
}

/// A Kubernetes cluster.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterPart {
    /// Where it is reached: a URL.
    pub server: String,
    /// How many nodes it has.
    #[serde(default = "nodes_default")]
    pub nodes: usize,
    /// Its version, as `v1.35.3`.
    pub version: Option<String>,
    /// Whether a Velero server runs once its Deployment is there.
    #[serde(default)]
    pub velero: bool,
    /// Whether it runs from the beginning.
    #[serde(default)]
    pub running: bool,
    /// The file, relative to the spec, that leads to it if it runs from the beginning.
    pub kubeconfig: Option<String>,
    /// The connections of the spec that lead to it; the one of its name if none is given.
    #[serde(default)]
    pub connections: Vec<String>,
    /// Storage classes by name.
    #[serde(default)]
    pub storage_class: BTreeMap<String, StorageClass>,
}

/// A storage class.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StorageClass {
    /// Whether it is taken where a claim names none.
    pub default: bool,
    /// Its provisioner.
    pub provisioner: Option<String>,
}

/// A PostgreSQL server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresPart {
    /// `HOST:PORT`.
    pub address: String,
    /// Who may connect.
    pub user: String,
    /// With which password.
    pub password: String,
    /// Its major version.
    pub version: Option<String>,
    /// The connections of the spec that lead to it; the one of its name if none is given.
    #[serde(default)]
    pub connections: Vec<String>,
    /// Roles that exist beside the user.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Whether it runs from the beginning.
    #[serde(default)]
    pub running: bool,
}

/// What pods answer over HTTP once they are ready.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// The status.
    #[serde(default = "status_default")]
    pub status: u16,
    /// The body.
    #[serde(default)]
    pub body: String,
}

/// A host outside the zones.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Host {
    /// Where its name leads to.
    pub address: Option<String>,
    /// Whether it refuses every connection.
    pub refuses: bool,
}

/// What stands in for a program.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Stand {
    /// How its arguments must begin.
    pub args: Vec<String>,
    /// How much virtual time it takes.
    pub takes: Option<String>,
    /// The servers that run afterwards, as `cluster.b`.
    pub starts: Vec<String>,
    /// The servers that do not run afterwards.
    pub stops: Vec<String>,
    /// What is there afterwards, by names of the file's own: `made.NAME` elsewhere.
    pub makes: Vec<String>,
    /// It ends with `exit` if all of these run or were made, else with 1.
    pub true_if: Vec<String>,
    /// The files that it writes, relative to where it runs.
    pub files: BTreeMap<String, Content>,
    /// It prints the address of this Service's load balancer, as `CLUSTER/NAMESPACE/SERVICE`, and ends
    /// with 1 while there is none.
    pub address_of: Option<String>,
    /// How long it waits for what `true_if` and `address_of` ask for.
    pub within: Option<String>,
    /// What it prints.
    pub stdout: String,
    /// What it prints as complaint.
    pub stderr: String,
    /// How it ends.
    pub exit: i32,
}

/// What a program writes to a file.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Content {
    /// A kubeconfig of a cluster.
    Kubeconfig(String),
    /// The URL of a PostgreSQL server.
    Postgres(String),
    /// This text.
    Text(String),
}

/// Host and port that a URL leads to; PostgreSQL's port where one of its URLs gives none.
#[must_use]
pub fn host_and_port(url: &str) -> Option<(String, u16)> {
    let url: url::Url = url.parse().ok()?;
    let host = url.host_str()?.to_owned();
    let port = match url.scheme() {
        "postgres" => url.port().unwrap_or(POSTGRES_PORT),
        _ => url.port_or_known_default()?,
    };
    Some((host, port))
}

fn nodes_default() -> usize {
    NODES_DEFAULT
}

fn status_default() -> u16 {
    STATUS_DEFAULT
}

fn ttl_default() -> i64 {
    TTL_DEFAULT
}
