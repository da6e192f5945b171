//! Volumes that come back through their pods.
//!
//! No bytes of volumes exist here: the restores of volumes go through their phases in the time that
//! so many bytes would take, and say of themselves that they are simulated.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use tokio::time::Instant;

use super::execute::Run;
use crate::kube_api::Kube;
use crate::kube_api::Place;
use crate::labels;
use crate::options::Durations;
use crate::text::annotation;
use crate::text::go_duration;
use crate::text::items;
use crate::text::name;
use crate::text::namespace;
use crate::text::phase;
use crate::text::text;
use crate::text::uid;

/// How long all volumes of a restore may take together.
const LIMIT: Duration = Duration::from_secs(4 * 3_600);

/// How long a pod may stay without a node before nobody looks any more.
const SCHEDULE_LIMIT: Duration = Duration::from_secs(600);

/// How often it looks for a node, and writes how far it is.
const LOOK: Duration = Duration::from_secs(1);
const PROGRESS: Duration = Duration::from_secs(10);

/// What a Restore may say about the limit itself.
const LIMIT_ANNOTATION: &str = "velero.io/pod-volume-timeout";

/// What tells these objects from those of a real data mover.
const SIMULATED: &str = "drplan.io/simulated";

/// What a restored volume says.
const MESSAGE: &str = "simulated: no bytes were moved";

/// What became of a pod's volumes.
#[derive(Debug, Default)]
pub(super) struct Moved {
    pub(super) errors: Vec<String>,
    /// For the list of restored volumes.
    pub(super) volumes: Vec<Value>,
}

/// Moves the volumes of one pod.
struct Mover {
    kube: Kube,
    durations: Durations,
    namespace: String,
    restore: Value,
    pod: Value,
    source: String,
    location: String,
    deadline: Instant,
}

impl Run<'_> {
    /// The backups of a pod's volumes, by the volume's name.
    pub(super) fn volumes_of(&self, pod: &Value, source: &str) -> BTreeMap<String, Value> {
        let is_bytes = |volume: &str| {
            let mut all = items(pod, "/spec/volumes").iter();
            !all.any(|one| {
                one["name"] == volume
                    && (!one["projected"].is_null() || !one["downwardAPI"].is_null())
            })
        };
        let matching = self.pod_volumes.iter().filter(|backup| {
            text(backup, "/spec/pod/name") == name(pod)
                && text(backup, "/spec/pod/namespace") == source
                && !text(backup, "/status/snapshotID").is_empty()
        });
        matching
            .map(|backup| (text(backup, "/spec/volume").to_owned(), backup.clone()))
            .filter(|(volume, _)| is_bytes(volume))
            .collect()
    }

    /// Begins to move the volumes of a pod that was just made.
    pub(super) fn move_volumes(&mut self, pod: &Value, source: &str) {
        let volumes = self.volumes_of(pod, source);
        if volumes.is_empty() {
            return;
        }
        let limit = annotation(self.restore, LIMIT_ANNOTATION).and_then(go_duration);
        let mover = Mover {
            kube: self.server.kube.clone(),
            durations: self.server.options.durations,
            namespace: self.server.options.namespace.clone(),
            restore: self.restore.clone(),
            pod: pod.clone(),
            source: source.to_owned(),
            location: text(self.backup, "/spec/storageLocation").to_owned(),
            deadline: Instant::now() + limit.unwrap_or(LIMIT),
        };
        let named: Vec<(String, String, Value)> = volumes
            .into_iter()
            .map(|(volume, backup)| {
                let name = self.server.generated(&format!("{}-", name(self.restore)));
                (name, volume, backup)
            })
            .collect();
        self.moving.spawn(async move { mover.run(named).await });
    }
}

impl Mover {
    async fn run(self, volumes: Vec<(String, String, Value)>) -> Moved {
        let mut moved = Moved::default();
        let movers = Place::new("apps/v1", "daemonsets", &self.namespace);
        match self.kube.find(&movers, "node-agent").await {
            Ok(Some(_)) => {}
            Ok(None) => {
                let message = "error to check node agent status: daemonset not found";
                moved.errors.push(message.to_owned());
                return moved;
            }
            Err(refusal) => {
                moved
                    .errors
                    .push(format!("error to check node agent status: {refusal}"));
                return moved;
            }
        }
        let mut made = Vec::new();
        for (name, volume, backup) in &volumes {
            match self.make(name, volume, backup).await {
                Ok(restore) => made.push(restore),
                Err(error) => moved.errors.push(error),
            }
        }
        if made.is_empty() {
            return moved;
        }
        if let Err(error) = self.wait_for_mover().await {
            moved.errors.push(error);
            return moved;
        }
        for restore in &made {
            match self.fill(restore).await {
                Ok(()) => moved.volumes.push(self.info(restore)),
                Err(error) => moved.errors.push(error),
            }
        }
        moved
    }

    async fn make(&self, given: &str, volume: &str, backup: &Value) -> Result<Value, String> {
        let claim = self.claim(volume);
        let mut all = json!({
            labels::RESTORE_NAME: labels::value(name(&self.restore)),
            labels::RESTORE_UID: uid(&self.restore),
            labels::POD_UID: uid(&self.pod),
        });
        if !claim.is_empty() {
            let place = Place::new("v1", "persistentvolumeclaims", namespace(&self.pod));
            let found = self.kube.get(&place, &claim).await.map_err(|refusal| {
                format!("error getting persistent volume claim for volume: {refusal}")
            })?;
            all[labels::PVC_UID] = json!(uid(&found));
        }
        let uploader = match text(backup, "/spec/uploaderType") {
            "" => "restic",
            uploader => uploader,
        };
        let restore = json!({
            "apiVersion": "velero.io/v1",
            "kind": "PodVolumeRestore",
            "metadata": {
                "name": given,
                "namespace": self.namespace,
                "labels": all,
                "annotations": {SIMULATED: "true"},
                "ownerReferences": [{
                    "apiVersion": "velero.io/v1", "kind": "Restore", "controller": true,
                    "name": name(&self.restore), "uid": uid(&self.restore),
                }],
            },
            "spec": {
                "pod": {
                    "kind": "Pod", "namespace": namespace(&self.pod), "name": name(&self.pod),
                    "uid": uid(&self.pod),
                },
                "volume": volume,
                "snapshotID": text(backup, "/status/snapshotID"),
                "snapshotSize": backup["status"]["progress"]["totalBytes"].as_u64().unwrap_or_default(),
                "backupStorageLocation": self.location,
                "repoIdentifier": text(backup, "/spec/repoIdentifier"),
                "uploaderType": uploader,
                "sourceNamespace": self.source,
            },
        });
        let made = self.kube.create(&self.place(), &restore).await;
        made.map_err(|refusal| refusal.to_string())
    }

    fn place(&self) -> Place {
        Place::velero("podvolumerestores", &self.namespace)
    }

    /// The name of the claim behind a volume of the pod; empty when there is none.
    fn claim(&self, volume: &str) -> String {
        let mut volumes = items(&self.pod, "/spec/volumes").iter();
        let found = volumes.find(|one| one["name"] == volume);
        let claim = found.map(|one| text(one, "/persistentVolumeClaim/claimName"));
        claim.unwrap_or_default().to_owned()
    }

    /// Waits until the pod has a node with a running mover. A pod that gets none, or that somebody
    /// replaced by another, is waited for to the end.
    async fn wait_for_mover(&self) -> Result<(), String> {
        let pods = Place::new("v1", "pods", namespace(&self.pod));
        let patience = Instant::now() + SCHEDULE_LIMIT;
        let timed_out = || "timed out waiting for all PodVolumeRestores to complete".to_owned();
        let node = loop {
            let found = self.kube.find(&pods, name(&self.pod)).await.ok().flatten();
            let found = found.filter(|found| uid(found) == uid(&self.pod));
            if let Some(found) = &found
                && !text(found, "/spec/nodeName").is_empty()
            {
                break text(found, "/spec/nodeName").to_owned();
            }
            if Instant::now() >= patience.min(self.deadline) {
                tokio::time::sleep_until(self.deadline).await;
                return Err(timed_out());
            }
            tokio::time::sleep(LOOK).await;
        };
        let movers = Place::new("v1", "pods", &self.namespace);
        let about = format!("node-agent pod is not running in node {node}");
        let listed = self.kube.list_with(&movers, "role=node-agent").await;
        let (movers, _) = listed.map_err(|refusal| format!("{about}: {refusal}"))?;
        let is_there =
            |mover: &Value| text(mover, "/spec/nodeName") == node && phase(mover) == "Running";
        if movers.iter().any(is_there) {
            return Ok(());
        }
        Err(format!(
            "{about}: daemonset pod not found in running state in node {node}"
        ))
    }

    /// Lets one volume fill.
    async fn fill(&self, restore: &Value) -> Result<(), String> {
        let total = restore["spec"]["snapshotSize"].as_u64().unwrap_or_default();
        let speed = self.durations.volume_bytes_per_second.max(1);
        for phase in ["Accepted", "Prepared"] {
            self.tell(restore, json!({"phase": phase})).await;
            tokio::time::sleep(self.durations.volume / 2).await;
        }
        let mut done = 0;
        let step = speed.saturating_mul(PROGRESS.as_secs());
        loop {
            let progress = json!({"totalBytes": total, "bytesDone": done});
            self.tell(
                restore,
                json!({"phase": "InProgress", "progress": progress}),
            )
            .await;
            if self.is_canceled(restore).await {
                let message = "simulated: canceled";
                self.tell(restore, json!({"phase": "Canceled", "message": message}))
                    .await;
                return Err(format!("pod volume restore canceled: {message}"));
            }
            if Instant::now() >= self.deadline {
                return Err("timed out waiting for all PodVolumeRestores to complete".to_owned());
            }
            if done >= total {
                break;
            }
            let next = step.min(total - done);
            #[expect(clippy::cast_precision_loss, reason = "a time may be rounded")]
            let seconds = next as f64 / speed as f64;
            tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
            done += next;
        }
        self.tell(restore, json!({"phase": "Completed", "message": MESSAGE}))
            .await;
        Ok(())
    }

    async fn is_canceled(&self, restore: &Value) -> bool {
        let found = self.kube.find(&self.place(), name(restore)).await;
        found
            .ok()
            .flatten()
            .is_none_or(|found| found["spec"]["cancel"] == json!(true))
    }

    async fn tell(&self, restore: &Value, status: Value) {
        let patch = json!({"status": status});
        // Whoever deleted it does not want to know.
        self.kube
            .patch(&self.place(), name(restore), &patch)
            .await
            .ok();
    }

    fn info(&self, restore: &Value) -> Value {
        let spec = &restore["spec"];
        let volume = text(spec, "/volume");
        json!({
            "pvcName": self.claim(volume),
            "pvcNamespace": namespace(&self.pod),
            "restoreMethod": "PodVolumeRestore",
            "snapshotDataMoved": false,
            "pvrInfo": {
                "snapshotHandle": text(spec, "/snapshotID"),
                "size": spec["snapshotSize"],
                "uploaderType": text(spec, "/uploaderType"),
                "volumeName": volume,
                "podName": name(&self.pod),
                "podNamespace": namespace(&self.pod),
                "phase": "Completed",
            },
        })
    }
}
