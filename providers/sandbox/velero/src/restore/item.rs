//! One object: what is left out, what is changed, and how it comes into the cluster.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::Value;
use serde_json::json;

use super::actions;
use super::execute::Action;
use super::execute::Item;
use super::execute::Key;
use super::execute::Run;
use super::volumes::Volume;
use crate::archive::Path;
use crate::backups;
use crate::kube_api::Place;
use crate::kube_api::Refusal;
use crate::labels;
use crate::outcome::Outcome;
use crate::text::annotation;
use crate::text::name;
use crate::text::namespace;
use crate::text::text;

/// What a kubelet writes on pods that it made itself.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// What the API sets itself, or what belonged to another life.
const VOLATILE: &[&str] = &[
    "generateName",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "ownerReferences",
];

/// An object on its way.
pub(super) struct Coming<'a> {
    pub(super) object: Value,
    /// The full name of its resource in the archive.
    pub(super) resource: &'a str,
    /// Where it goes.
    pub(super) namespace: &'a str,
    pub(super) key: Key,
}

impl Coming<'_> {
    /// `deployments.apps/shop/orders`.
    pub(super) fn title(&self) -> String {
        let name = &self.key.name;
        if self.namespace.is_empty() {
            format!("{}/{name}", self.resource)
        } else {
            format!("{}/{}/{name}", self.resource, self.namespace)
        }
    }

    /// Where the API has it.
    pub(super) fn place(&self) -> Place {
        let plural = self.resource.split('.').next().unwrap_or_default();
        Place::new(
            text(&self.object, "/apiVersion"),
            plural,
            namespace(&self.object),
        )
    }
}

/// Takes out what must not come back.
pub(super) fn reset(object: &mut Value) {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.retain(|field, _| !VOLATILE.contains(&&**field));
    }
    if let Some(object) = object.as_object_mut() {
        object.remove("status");
    }
}

/// Marks an object with the restore and the backup that it came from.
pub(super) fn mark(object: &mut Value, restore: &str, backup: &str) {
    if !object["metadata"]["labels"].is_object() {
        object["metadata"]["labels"] = json!({});
    }
    let all = &mut object["metadata"]["labels"];
    all[labels::BACKUP_NAME] = json!(backup);
    all[labels::RESTORE_NAME] = json!(restore);
}

fn is_complete(object: &Value, resource: &str) -> bool {
    match resource {
        "pods" => matches!(text(object, "/status/phase"), "Failed" | "Succeeded"),
        "jobs.batch" => !text(object, "/status/completionTime").is_empty(),
        _ => false,
    }
}

impl Run<'_> {
    /// Restores an object; the messages of it and of what it needs, and whether it is there now.
    pub(super) fn item<'s>(
        &'s mut self,
        object: Value,
        resource: &'s str,
        target: &'s str,
    ) -> BoxFuture<'s, (Outcome, bool)> {
        async move {
            if !self.is_wanted(&object, resource, target) {
                return (Outcome::default(), false);
            }
            let mut outcome = Outcome::default();
            if !target.is_empty()
                && let Err(error) = self.ensure_namespace(namespace(&object), target).await
            {
                outcome.errors.velero.push(error);
                return (outcome, false);
            }
            if is_complete(&object, resource) {
                self.log
                    .info(&format!("{} is complete - skipping", name(&object)));
                return (outcome, false);
            }
            let key = Key::of(&object, target);
            if let Some(known) = self.restored.get(&key) {
                return (outcome, known.exists);
            }
            self.restored.insert(key.clone(), Item::default());
            let coming = Coming {
                object,
                resource,
                namespace: target,
                key: key.clone(),
            };
            self.bring(coming, &mut outcome).await;
            let item = self.restored.entry(key).or_default();
            if item.action.is_none() {
                let is_quiet = outcome.is_empty();
                item.action = Some(if is_quiet {
                    Action::Skipped
                } else {
                    Action::Failed
                });
            }
            let exists = item.exists;
            (outcome, exists)
        }
        .boxed()
    }

    fn is_wanted(&self, object: &Value, resource: &str, target: &str) -> bool {
        if !self.resources.includes(resource) && resource != "datauploads.velero.io" {
            return false;
        }
        if target.is_empty() {
            self.cluster_resources != Some(false)
        } else {
            self.namespace_filter.includes(namespace(object))
        }
    }

    /// Everything that happens to an object that is not left out at once.
    async fn bring(&mut self, mut coming: Coming<'_>, outcome: &mut Outcome) {
        let target = coming.namespace;
        if coming.resource == "pods" && annotation(&coming.object, MIRROR).is_some() {
            return;
        }
        if coming.resource == "persistentvolumes" {
            match self.volume(coming.object).await {
                Ok(Volume::AsItIs(object)) => coming.object = object,
                Ok(Volume::Anew) => return,
                Err(error) => return outcome.errors.add(target, error),
            }
        }
        let original = coming.object.clone();
        reset(&mut coming.object);
        if !self.act(&mut coming, &original, outcome).await {
            return;
        }
        if coming.resource == "persistentvolumeclaims" {
            self.loosen(&mut coming.object);
        }
        if let Some(modifiers) = &self.modifiers {
            for error in modifiers.apply(&mut coming.object, coming.resource) {
                outcome.errors.add(target, error);
            }
        }
        let from = namespace(&coming.object).to_owned();
        if !target.is_empty() {
            coming.object["metadata"]["namespace"] = json!(target);
        }
        let restore = labels::value(name(self.restore));
        let backup = labels::value(text(self.restore, "/spec/backupName"));
        mark(&mut coming.object, &restore, &backup);
        self.create(&coming, &original["status"], &from, outcome)
            .await;
    }

    /// Runs what Velero does to objects of this kind; whether it goes on.
    async fn act(
        &mut self,
        coming: &mut Coming<'_>,
        original: &Value,
        outcome: &mut Outcome,
    ) -> bool {
        let target = coming.namespace;
        for action in actions::of(coming.resource) {
            let done = actions::run(*action, self, &coming.object, original).await;
            let done = match done {
                Ok(done) => done,
                Err(error) => {
                    let (title, error) = (coming.title(), backups::of_plugin(&error));
                    outcome
                        .errors
                        .add(target, format!("error preparing {title}: {error}"));
                    return false;
                }
            };
            let Some(object) = done.object else {
                return false;
            };
            coming.object = object;
            for path in done.needs {
                self.bring_needed(&path, target, outcome).await;
            }
        }
        true
    }

    /// Restores what another object needs.
    async fn bring_needed(&mut self, path: &Path, of: &str, outcome: &mut Outcome) {
        if !self.archive.contains(path) {
            let message = format!("stat {}: no such file or directory", path.file());
            return outcome.warnings.add(&path.namespace, message);
        }
        match self.archive.object(path) {
            Ok(object) => {
                let target = self.target(&path.namespace);
                let (of_item, _) = self.item(object, &path.resource, &target).await;
                outcome.merge(of_item);
            }
            Err(error) => {
                let file = path.file();
                outcome.errors.add(
                    of,
                    format!("error restoring additional item {file}: {error}"),
                );
            }
        }
    }

    async fn create(
        &mut self,
        coming: &Coming<'_>,
        status: &Value,
        from: &str,
        outcome: &mut Outcome,
    ) {
        tokio::time::sleep(self.server.options.durations.object).await;
        let place = coming.place();
        let mut found = self.in_cluster(coming, &place).await;
        let mut refused = None;
        if found.is_none() {
            let mut body = coming.object.clone();
            if body["metadata"]["creationTimestamp"].is_null()
                && let Some(metadata) = body["metadata"].as_object_mut()
            {
                metadata.remove("creationTimestamp");
            }
            match self.server.kube.create(&place, &body).await {
                Ok(made) => {
                    let item = Item {
                        action: Some(Action::Created),
                        exists: true,
                    };
                    self.restored.insert(coming.key.clone(), item);
                    return self.complete(coming, made, status, from, outcome).await;
                }
                Err(refusal) => refused = Some(refusal),
            }
            found = self.in_cluster(coming, &place).await;
        }
        let Some(found) = found else {
            if let Some(refusal) = refused {
                self.refused(coming, &refusal, outcome);
            }
            return;
        };
        if let Some(item) = self.restored.get_mut(&coming.key) {
            item.exists = true;
        }
        self.meet(coming, found, &place, outcome).await;
    }

    fn refused(&mut self, coming: &Coming<'_>, refusal: &Refusal, outcome: &mut Outcome) {
        let target = coming.namespace;
        let title = coming.title();
        if refusal.is_there_already() {
            let message = format!("error getting resource from lister for {title}: not found");
            outcome.warnings.add(target, message);
        } else {
            self.log
                .error(&format!("error restoring {}: {refusal}", coming.key.name));
            outcome
                .errors
                .add(target, format!("error restoring {title}: {refusal}"));
        }
    }

    /// The object as the cluster has it. Of a kind that the server does not know of it has none.
    async fn in_cluster(&self, coming: &Coming<'_>, place: &Place) -> Option<Value> {
        let kind = text(&coming.object, "/kind");
        self.server.discovery.kind(&place.version, kind)?;
        self.server.kube.get(place, name(&coming.object)).await.ok()
    }
}
