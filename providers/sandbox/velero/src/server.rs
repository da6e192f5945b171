//! The server: what it needs to start, and everything that it does at the same time.

use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use drplan_api::Timestamp;
use kube::Client;
use serde_json::json;

use crate::bucket::Buckets;
use crate::deletion;
use crate::discovery;
use crate::discovery::Discovery;
use crate::download;
use crate::gc;
use crate::kube_api::Answer;
use crate::kube_api::Kube;
use crate::kube_api::Place;
use crate::location;
use crate::options::Options;
use crate::restore;
use crate::status_request;
use crate::sync;

/// The kinds that must be served.
const KINDS: &[(&str, &str)] = &[
    ("velero.io/v1", "Backup"),
    ("velero.io/v1", "BackupRepository"),
    ("velero.io/v1", "BackupStorageLocation"),
    ("velero.io/v1", "DeleteBackupRequest"),
    ("velero.io/v1", "DownloadRequest"),
    ("velero.io/v1", "PodVolumeBackup"),
    ("velero.io/v1", "PodVolumeRestore"),
    ("velero.io/v1", "Restore"),
    ("velero.io/v1", "Schedule"),
    ("velero.io/v1", "ServerStatusRequest"),
    ("velero.io/v1", "VolumeSnapshotLocation"),
    ("velero.io/v2alpha1", "DataDownload"),
    ("velero.io/v2alpha1", "DataUpload"),
];

/// The Secret with the key of all repositories, and the key that everybody knows.
const REPOSITORY_SECRET: &str = "velero-repo-credentials";
const REPOSITORY_PASSWORD: &str = "static-passw0rd";

/// How many letters make a generated name different from others.
const SUFFIX_LETTERS: usize = 5;

/// The letters of generated names.
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// Why a server ended. Whoever runs it starts it again after a while, as a kubelet does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// What it said last.
    pub why: String,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

/// What everything that the server does shares.
pub(crate) struct Server {
    pub(crate) kube: Kube,
    pub(crate) buckets: Arc<dyn Buckets>,
    pub(crate) options: Options,
    pub(crate) discovery: Discovery,
    random: Mutex<fastrand::Rng>,
}

impl Server {
    pub(crate) fn now(&self) -> Timestamp {
        self.options.clock.now()
    }

    /// Objects of one of Velero's own kinds in the server's namespace.
    pub(crate) fn own(&self, plural: &str) -> Place {
        Place::velero(plural, &self.options.namespace)
    }

    /// A new name that begins so.
    pub(crate) fn generated(&self, prefix: &str) -> String {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        let letters =
            (0..SUFFIX_LETTERS).map(|_| char::from(ALPHABET[random.usize(..ALPHABET.len())]));
        format!("{prefix}{}", letters.collect::<String>())
    }
}

/// Runs a server until it is dropped, or ends by itself because its namespace or its kinds are
/// missing.
pub async fn serve(client: Client, buckets: Arc<dyn Buckets>, options: Options) -> Exit {
    let server = Server {
        kube: Kube::new(client),
        buckets,
        random: Mutex::new(fastrand::Rng::with_seed(options.seed)),
        options,
        discovery: Discovery::default(),
    };
    match run(&server).await {
        Ok(never) => never,
        Err(why) => Exit { why },
    }
}

async fn run(server: &Server) -> Result<Exit, String> {
    tokio::time::sleep(server.options.durations.start).await;
    let said = |refusal: crate::kube_api::Refusal| refusal.to_string();
    let namespaces = Place::new("v1", "namespaces", "");
    server
        .kube
        .get(&namespaces, &server.options.namespace)
        .await
        .map_err(said)?;
    server.discovery.refresh(&server.kube).await.map_err(said)?;
    kinds_are_served(server)?;
    make_repository_key(server).await.map_err(said)?;
    restore::fail_interrupted(server).await.map_err(said)?;
    location::mark_default(server).await.map_err(said)?;
    let ended: Answer<()> = tokio::select! {
        biased;
        ended = location::run(server) => ended,
        ended = sync::run(server) => ended,
        ended = gc::run(server) => ended,
        ended = deletion::run(server) => ended,
        ended = restore::run(server) => ended,
        ended = restore::finalize(server) => ended,
        ended = download::run(server) => ended,
        ended = status_request::run(server) => ended,
        () = look_around(server) => Ok(()),
    };
    let why = ended
        .err()
        .map_or_else(|| "the server ended".to_owned(), |refusal| refusal.message);
    Ok(Exit { why })
}

/// Makes the key of all repositories, unless somebody brought the real one in time.
async fn make_repository_key(server: &Server) -> Answer<()> {
    let place = Place::new("v1", "secrets", &server.options.namespace);
    if server.kube.find(&place, REPOSITORY_SECRET).await?.is_some() {
        return Ok(());
    }
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": REPOSITORY_SECRET, "namespace": server.options.namespace},
        "type": "Opaque",
        "stringData": {"repository-password": REPOSITORY_PASSWORD},
    });
    server.kube.create(&place, &secret).await?;
    Ok(())
}

fn kinds_are_served(server: &Server) -> Result<(), String> {
    let mut missing: Vec<String> = KINDS
        .iter()
        .filter(|(version, kind)| server.discovery.kind(version, kind).is_none())
        .map(|(version, kind)| {
            format!("custom resource {kind} not found in Velero API group {version}")
        })
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    missing.push(
        "Velero custom resources not found - apply config/crd/v1/bases/*.yaml,config/crd/v2alpha1/\
         bases*.yaml, to update the custom resource definitions"
            .to_owned(),
    );
    Err(format!("[{}]", missing.join(", ")))
}

/// Looks now and then which kinds there are.
async fn look_around(server: &Server) {
    loop {
        tokio::time::sleep(discovery::REFRESH).await;
        // What is not known now is known the next time.
        server.discovery.refresh(&server.kube).await.ok();
    }
}

/// The server's default for everything that may take long in a cluster: definitions, volumes.
pub(crate) const RESOURCE_LIMIT: Duration = Duration::from_secs(600);

/// How long it waits for something that is being deleted to go.
pub(crate) const TERMINATING_LIMIT: Duration = Duration::from_secs(600);
