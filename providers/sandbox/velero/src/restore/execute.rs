//! A restore that runs: from the archive to the last object.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::log::Log;
use super::modifiers::Modifiers;
use super::select::Pass;
use crate::archive::Archive;
use crate::archive::Path;
use crate::filter::Filter;
use crate::outcome::Outcome;
use crate::selector;
use crate::server::Server;
use crate::text::name;
use crate::text::namespace;
use crate::text::texts;

/// How often a running restore says how far it is.
const PROGRESS: std::time::Duration = std::time::Duration::from_secs(1);

/// What became of one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Created,
    Updated,
    Failed,
    Skipped,
}

/// Which object, by `apiVersion/Kind` and where it went.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) kind: String,
    pub(super) namespace: String,
    pub(super) name: String,
}

/// What is known of one object that was restored.
#[derive(Clone, Debug, Default)]
pub(super) struct Item {
    pub(super) action: Option<Action>,
    pub(super) exists: bool,
}

/// A restore while it runs.
pub(super) struct Run<'a> {
    pub(super) server: &'a Server,
    pub(super) restore: &'a Value,
    pub(super) backup: &'a Value,
    pub(super) archive: Archive,
    pub(super) modifiers: Option<Modifiers>,
    /// The image of the server, from its own Deployment.
    pub(super) image: String,
    /// What the backup says of each volume, by the volume's name.
    pub(super) volumes: BTreeMap<String, Value>,
    /// Snapshots that a provider took.
    pub(super) snapshots: Vec<Value>,
    /// Backups of volumes through their pods.
    pub(super) pod_volumes: Vec<Value>,
    pub(super) log: Log,

    pub(super) resources: Filter,
    pub(super) statuses: Option<Filter>,
    pub(super) namespace_filter: Filter,
    pub(super) cluster_resources: Option<bool>,
    pub(super) any_of: Vec<Value>,

    pub(super) restored: BTreeMap<Key, Item>,
    pub(super) namespaces: BTreeSet<String>,
    pub(super) stuck: BTreeSet<String>,
    /// Volumes that are made anew instead of restored.
    pub(super) made_anew: BTreeSet<String>,
    /// Volumes that came back under another name.
    pub(super) renamed: BTreeMap<String, String>,
    pub(super) native: Vec<Value>,
    /// Restores of pod volumes that go on beside the objects.
    pub(super) moving: JoinSet<super::pod_volumes::Moved>,
    told: Instant,
}

/// What a restore is made of.
pub(super) struct Parts<'a> {
    pub(super) server: &'a Server,
    pub(super) restore: &'a Value,
    pub(super) backup: &'a Value,
    pub(super) modifiers: Option<Modifiers>,
    pub(super) image: String,
    pub(super) volumes: BTreeMap<String, Value>,
    pub(super) snapshots: Vec<Value>,
    pub(super) pod_volumes: Vec<Value>,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        })
    }
}

impl Key {
    /// The key of an object that goes into a namespace.
    pub(super) fn of(object: &Value, namespace: &str) -> Self {
        let text = |field: &str| object[field].as_str().unwrap_or_default();
        Self {
            kind: format!("{}/{}", text("apiVersion"), text("kind")),
            namespace: namespace.to_owned(),
            name: name(object).to_owned(),
        }
    }
}

impl<'a> Run<'a> {
    pub(super) fn new(parts: Parts<'a>) -> Self {
        let Parts {
            server,
            restore,
            backup,
            ..
        } = parts;
        let spec = &restore["spec"];
        let resources = |of: &Value| {
            let full = |field: &str| {
                let names = texts(&of[field]).into_iter();
                names
                    .map(|name| server.discovery.full_name(&name))
                    .collect()
            };
            Filter::new(full("includedResources"), full("excludedResources"))
        };
        let statuses = &spec["restoreStatus"];
        Self {
            server,
            restore,
            backup,
            archive: Archive::default(),
            modifiers: parts.modifiers,
            image: parts.image,
            volumes: parts.volumes,
            snapshots: parts.snapshots,
            pod_volumes: parts.pod_volumes,
            log: Log::new(
                &server.options.clock,
                &format!("{}/{}", namespace(restore), name(restore)),
            ),
            resources: resources(spec),
            statuses: (!statuses.is_null()).then(|| resources(statuses)),
            namespace_filter: Filter::new(
                texts(&spec["includedNamespaces"]),
                texts(&spec["excludedNamespaces"]),
            ),
            cluster_resources: spec["includeClusterResources"].as_bool(),
            any_of: spec["orLabelSelectors"]
                .as_array()
                .cloned()
                .unwrap_or_default(),
            restored: BTreeMap::new(),
            namespaces: BTreeSet::new(),
            stuck: BTreeSet::new(),
            made_anew: BTreeSet::new(),
            renamed: BTreeMap::new(),
            native: Vec::new(),
            moving: JoinSet::new(),
            told: Instant::now(),
        }
    }

    /// Restores everything.
    pub(super) async fn execute(&mut self, packed: &[u8]) -> Outcome {
        let mut outcome = Outcome::default();
        self.log.info("starting restore");
        if let Err(error) = self.unpack(packed, &mut outcome) {
            outcome.errors.velero.push(error);
            return outcome;
        }
        if !self.archive.has_resources() {
            return outcome;
        }
        let mut done = BTreeSet::new();
        self.pass(Pass::Definitions, &mut done, &mut outcome).await;
        let is_changed =
            |item: &Item| matches!(item.action, Some(Action::Created | Action::Updated));
        if self.restored.values().any(is_changed)
            && let Err(refusal) = self.server.discovery.refresh(&self.server.kube).await
        {
            let message = format!("refresh discovery after restoring CRDs: {refusal}");
            outcome.warnings.add("", message);
        }
        self.pass(Pass::Everything, &mut done, &mut outcome).await;
        self.tell(self.restored.len()).await;
        self.log
            .info("Waiting for all pod volume restores to complete");
        while let Some(moved) = self.moving.join_next().await {
            // A task that was aborted belongs to a restore that nobody waits for.
            let moved = moved.unwrap_or_default();
            outcome.errors.velero.extend(moved.errors);
            self.native.extend(moved.volumes);
        }
        self.log
            .info("Done waiting for all pod volume restores to complete");
        outcome
    }

    /// Reads the archive and what the filters mean with it.
    fn unpack(&mut self, packed: &[u8], outcome: &mut Outcome) -> Result<(), String> {
        let selectors = self
            .any_of
            .iter()
            .chain([&self.restore["spec"]["labelSelector"]]);
        for selector in selectors {
            selector::check(selector)?;
        }
        self.archive = Archive::read(packed)?;
        if !self.archive.has_resources() {
            let what = "zero items to be restored: directory \"resources\": does not exist";
            outcome.warnings.velero.push(what.to_owned());
        }
        let names = self.archive.namespaces();
        self.namespace_filter.expand(&names).map_err(|error| {
            if error.starts_with("wildcard '*'") {
                error
            } else {
                format!("error expanding wildcard patterns in namespace includes/excludes: {error}")
            }
        })
    }

    async fn pass(&mut self, pass: Pass, done: &mut BTreeSet<String>, outcome: &mut Outcome) {
        let (chosen, complaints) = self.selected(pass, done);
        outcome.merge(complaints);
        for (i, path) in chosen.iter().enumerate() {
            self.process(path, outcome).await;
            if pass == Pass::Everything && self.told.elapsed() >= PROGRESS {
                let left = chosen.len() - i - 1;
                self.tell(self.restored.len() + left).await;
            }
        }
    }

    /// Restores one object, and its namespace first.
    async fn process(&mut self, path: &Path, outcome: &mut Outcome) {
        let is_namespace = path.resource == "namespaces";
        let original = if is_namespace {
            &path.name
        } else {
            &path.namespace
        };
        let target = self.target(original);
        if !original.is_empty()
            && let Err(error) = self.ensure_namespace(original, &target).await
        {
            outcome.errors.velero.push(error);
            return;
        }
        if is_namespace {
            return;
        }
        let object = match self.archive.object(path) {
            Ok(object) => object,
            Err(error) => {
                let message = format!("error decoding \"{}\": {error}", path.file());
                return outcome.errors.add(&target, message);
            }
        };
        let (of_item, _) = self.item(object, &path.resource, &target).await;
        outcome.merge(of_item);
        self.log
            .info(&format!("Restored {} items", self.restored.len()));
    }

    /// Writes how far it is.
    async fn tell(&mut self, total: usize) {
        self.told = Instant::now();
        let restored = self.restored.len();
        let mut progress = json!({});
        for (field, count) in [("totalItems", total), ("itemsRestored", restored)] {
            if count > 0 {
                progress[field] = json!(count);
            }
        }
        let patch = json!({"status": {"progress": progress}});
        let place = self.server.own("restores");
        // A progress that nobody could write is only a progress.
        self.server
            .kube
            .patch(&place, name(self.restore), &patch)
            .await
            .ok();
    }

    pub(super) fn note_namespace(&mut self, name: &str) {
        let key = Key {
            kind: "v1/Namespace".to_owned(),
            namespace: String::new(),
            name: name.to_owned(),
        };
        let item = Item {
            action: Some(Action::Created),
            exists: true,
        };
        self.restored.insert(key, item);
    }
}
