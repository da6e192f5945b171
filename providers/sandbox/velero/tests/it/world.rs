//! A cluster with a Velero server and a bucket, in virtual time.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use drplan_api::Clock;
use drplan_sandbox_kubernetes::Cluster;
use drplan_sandbox_kubernetes::ClusterOptions;
use drplan_sandbox_kubernetes::User;
use drplan_sandbox_velero::Exit;
use drplan_sandbox_velero::Options;
use drplan_sandbox_velero::Sign;
use drplan_sandbox_velero::serve;
use flate2::read::GzDecoder;
use http::Method;
use http::Request;
use kube::Client;
use serde_json::Value;
use serde_json::json;
use tokio::task::JoinHandle;

use crate::bucket::Memory;

/// What the clock shows first.
pub(crate) const START: &str = "2026-11-21T03:10:00Z";

/// How long anything is waited for, in virtual time.
const PATIENCE: Duration = Duration::from_secs(5 * 3_600);

/// A world.
pub(crate) struct World {
    pub(crate) cluster: Cluster,
    pub(crate) client: Client,
    pub(crate) bucket: Memory,
    pub(crate) clock: Clock,
    pub(crate) server: Option<JoinHandle<Exit>>,
}

/// A folder of the shop's example.
pub(crate) fn shop(below: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../examples/shop")
        .join(below)
}

/// The kinds of Velero, as the shop's example has them.
pub(crate) fn velero_kinds() -> Vec<Value> {
    #[expect(clippy::disallowed_methods, reason = "a test reads the example's data")]
    let text = std::fs::read_to_string(shop("velero/crds.yaml")).expect("a file");
    serde_saphyr::from_multiple(&text).expect("documents")
}

impl World {
    /// A cluster with what Velero needs to be there, and the shop's bucket; the server is not up.
    pub(crate) async fn prepared() -> Self {
        let clock = Clock::starting_at(START.parse().expect("a time"));
        let mut options = ClusterOptions::new("b", 7, clock.clone());
        options.nodes = 2;
        let cluster = Cluster::new(options);
        cluster.start();
        let world = Self {
            client: Client::new(cluster.router_as(User::admin()), "default"),
            cluster,
            bucket: Memory::of(&shop("data/shop-backups/velero"), "velero"),
            clock,
            server: None,
        };
        for kind in velero_kinds() {
            world.apply(kind).await;
        }
        world
            .apply(json!({
                "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "velero"},
            }))
            .await;
        world
            .apply(json!({
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": "velero", "namespace": "velero"},
                "spec": {
                    "replicas": 0, "selector": {"matchLabels": {"deploy": "velero"}},
                    "template": {
                        "metadata": {"labels": {"deploy": "velero"}},
                        "spec": {"containers": [{"name": "velero", "image": "velero/velero"}]},
                    },
                },
            }))
            .await;
        world
            .apply(json!({
                "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
                "metadata": {
                    "name": "standard",
                    "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
                },
                "provisioner": "disk.csi.example",
            }))
            .await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        world
    }

    /// A world whose server is up, with the shop's bucket as a read-only location.
    pub(crate) async fn new() -> Self {
        let mut world = Self::prepared().await;
        world.serve();
        world.locate(json!({"accessMode": "ReadOnly"})).await;
        world
    }

    /// Starts the server.
    pub(crate) fn serve(&mut self) {
        self.serve_with(None, 3);
    }

    /// Starts a server that makes addresses and names in its own way.
    pub(crate) fn serve_with(&mut self, sign: Option<Sign>, seed: u64) {
        let mut options = Options::new(self.clock.clone(), seed);
        options.sign = sign;
        let user = User::new("velero", &["system:masters"]);
        let client = Client::new(self.cluster.router_as(user), "default");
        let buckets = Arc::new(self.bucket.clone());
        self.server = Some(tokio::spawn(serve(client, buckets, options)));
    }

    /// Ends the server without a word.
    pub(crate) async fn kill(&mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
            server.await.ok();
        }
    }

    /// Makes the location `backups`.
    pub(crate) async fn locate(&self, more: Value) {
        let mut spec = json!({
            "provider": "aws",
            "objectStorage": {"bucket": "shop-backups", "prefix": "velero"},
        });
        for (key, value) in more.as_object().expect("fields") {
            spec[key] = value.clone();
        }
        self.apply(json!({
            "apiVersion": "velero.io/v1", "kind": "BackupStorageLocation",
            "metadata": {"name": "backups", "namespace": "velero"}, "spec": spec,
        }))
        .await;
    }

    /// Restores a backup of a schedule and waits for the end.
    pub(crate) async fn restore(&self, name: &str, schedule: &str, more: Value) -> Value {
        self.backups(schedule).await;
        self.begin(name, schedule, more).await;
        self.ended(name).await
    }

    /// Creates a Restore of the backup of a schedule.
    pub(crate) async fn begin(&self, name: &str, schedule: &str, more: Value) {
        let mut spec = json!({"backupName": backup(schedule)});
        for (key, value) in more.as_object().expect("fields") {
            spec[key] = value.clone();
        }
        self.apply(json!({
            "apiVersion": "velero.io/v1", "kind": "Restore",
            "metadata": {"name": name, "namespace": "velero"}, "spec": spec,
        }))
        .await;
    }

    /// Waits until a backup is in the cluster.
    pub(crate) async fn backups(&self, schedule: &str) -> Value {
        let name = backup(schedule);
        self.until(&velero("backups", &name), |_| true).await
    }

    /// Waits until a Restore has ended.
    pub(crate) async fn ended(&self, name: &str) -> Value {
        let ends = ["Completed", "PartiallyFailed", "Failed", "FailedValidation"];
        let is_over = |restore: &Value| {
            ends.contains(&restore["status"]["phase"].as_str().unwrap_or_default())
        };
        self.until(&velero("restores", name), is_over).await
    }

    /// Waits until an object is there and is like that.
    pub(crate) async fn until(&self, url: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let found = self.get(url).await;
            if let Some(found) = found.clone().filter(&is_it) {
                return found;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "{url} never comes to that: {found:?}"
            );
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    pub(crate) async fn get(&self, url: &str) -> Option<Value> {
        self.ask(Method::GET, url, None).await.ok()
    }

    pub(crate) async fn delete(&self, url: &str) {
        self.ask(Method::DELETE, url, None).await.expect("deleted");
    }

    /// Creates an object, or merges it into the one that is there.
    pub(crate) async fn apply(&self, object: Value) -> Value {
        let (list, name) = place(&object);
        match self.ask(Method::POST, &list, Some(&object)).await {
            Ok(made) => made,
            Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => {
                let patched = self
                    .ask(Method::PATCH, &format!("{list}/{name}"), Some(&object))
                    .await;
                patched.expect("patched")
            }
            Err(error) => panic!("cannot create {name} in {list}: {error}"),
        }
    }

    pub(crate) async fn ask(
        &self,
        method: Method,
        url: &str,
        body: Option<&Value>,
    ) -> Result<Value, kube::Error> {
        let kind = if method == Method::PATCH {
            "application/merge-patch+json"
        } else {
            "application/json"
        };
        let request = Request::builder()
            .method(method)
            .uri(url)
            .header("content-type", kind);
        let content = body
            .map(|body| body.to_string().into_bytes())
            .unwrap_or_default();
        self.client
            .request(request.body(content).expect("a request"))
            .await
    }

    /// A file that a restore left.
    pub(crate) fn left(&self, restore: &str, ending: &str) -> Value {
        let key = format!("velero/restores/{restore}/restore-{restore}-{ending}");
        let packed = self.bucket.read(&key);
        let packed = packed.unwrap_or_else(|| panic!("{key} is not there"));
        let mut text = String::new();
        GzDecoder::new(&packed[..])
            .read_to_string(&mut text)
            .expect("a text");
        serde_json::from_str(&text).expect("JSON")
    }

    /// How many objects had which outcome, and the titles of those.
    pub(crate) fn outcomes(&self, restore: &str) -> BTreeMap<String, Vec<String>> {
        let mut all = BTreeMap::<String, Vec<String>>::new();
        let list = self.left(restore, "resource-list.json.gz");
        for (kind, titles) in list.as_object().expect("kinds") {
            for title in titles.as_array().expect("titles") {
                let title = title.as_str().expect("a title").trim_end_matches(')');
                let (title, outcome) = title.rsplit_once('(').expect("an outcome");
                all.entry(outcome.to_owned())
                    .or_default()
                    .push(format!("{kind} {title}"));
            }
        }
        all
    }
}

/// The URL of one of Velero's own objects.
pub(crate) fn velero(plural: &str, name: &str) -> String {
    format!("/apis/velero.io/v1/namespaces/velero/{plural}/{name}")
}

/// The backup that the shop's bucket holds of a schedule.
pub(crate) fn backup(schedule: &str) -> String {
    let folder = shop("data/shop-backups/velero/backups");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
        .into_iter()
        .rfind(|name| name.starts_with(schedule))
        .expect("a backup")
}

/// Where an object is created, and its name.
fn place(object: &Value) -> (String, String) {
    let text = |path: &str| {
        object
            .pointer(path)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let (version, kind) = (text("/apiVersion"), text("/kind").to_lowercase());
    let plural = match kind.as_str() {
        "storageclass" | "priorityclass" => format!("{kind}es"),
        "networkpolicy" => "networkpolicies".to_owned(),
        _ => format!("{kind}s"),
    };
    let root = if version.contains('/') { "apis" } else { "api" };
    let namespace = match text("/metadata/namespace").as_str() {
        "" => String::new(),
        namespace => format!("namespaces/{namespace}/"),
    };
    (
        format!("/{root}/{version}/{namespace}{plural}"),
        text("/metadata/name"),
    )
}
