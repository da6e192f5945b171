//! Volumes: as they are, from a provider's snapshot, or made anew and empty.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use tokio::time::Instant;

use super::execute::Run;
use crate::backups;
use crate::kube_api::Place;
use crate::server::TERMINATING_LIMIT;
use crate::text::annotation;
use crate::text::is_deleting;
use crate::text::name;
use crate::text::namespace;
use crate::text::phase;
use crate::text::text;

/// What a PersistentVolume controller writes on what it has bound.
const BOUND: &[&str] = &[
    "pv.kubernetes.io/bind-completed",
    "pv.kubernetes.io/bound-by-controller",
];

/// The name of a claim on the backup of its volume.
const CLAIM: &str = "velero.io/pvc-name";

/// What a volume was called before it was renamed.
const ORIGINAL: &str = "velero.io/original-pv-name";

/// How often a volume that is in the way is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What becomes of a volume.
pub(super) enum Volume {
    /// It is restored like any object.
    AsItIs(Value),
    /// It is not restored: its claim gets a new one.
    Anew,
}

/// Where the data of a volume is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Data {
    Snapshot,
    Elsewhere,
    Nowhere,
}

impl Run<'_> {
    /// Decides about a volume, as it is in the archive.
    pub(super) async fn volume(&mut self, object: Value) -> Result<Volume, String> {
        match self.data(&object) {
            Data::Snapshot => self.make_from_snapshot(object).await.map(Volume::AsItIs),
            Data::Nowhere if text(&object, "/spec/persistentVolumeReclaimPolicy") != "Delete" => {
                // Nobody deleted the disk: the volume leads to it again.
                let mut object = object;
                self.map_claim(&mut object);
                unbind(&mut object);
                Ok(Volume::AsItIs(object))
            }
            Data::Elsewhere | Data::Nowhere => {
                self.made_anew.insert(name(&object).to_owned());
                let name = name(&object);
                self.log.info(&format!(
                    "Dynamically re-provisioning persistent volume {name}"
                ));
                Ok(Volume::Anew)
            }
        }
    }

    fn data(&self, volume: &Value) -> Data {
        let name = name(volume);
        if let Some(info) = self.volumes.get(name) {
            return match text(info, "/backupMethod") {
                "NativeSnapshot" => Data::Snapshot,
                "PodVolumeBackup" | "CSISnapshot" => Data::Elsewhere,
                _ => Data::Nowhere,
            };
        }
        if self.snapshot(name).is_some() {
            return Data::Snapshot;
        }
        let claim = &volume["spec"]["claimRef"];
        let is_saved = self.pod_volumes.iter().any(|backup| {
            phase(backup) == "Completed"
                && !text(backup, "/status/snapshotID").is_empty()
                && text(backup, "/spec/pod/namespace") == text(claim, "/namespace")
                && annotation(backup, CLAIM) == claim["name"].as_str()
        });
        if is_saved {
            Data::Elsewhere
        } else {
            Data::Nowhere
        }
    }

    fn snapshot(&self, volume: &str) -> Option<&Value> {
        let mut all = self.snapshots.iter();
        all.find(|snapshot| text(snapshot, "/spec/persistentVolumeName") == volume)
    }

    async fn make_from_snapshot(&mut self, object: Value) -> Result<Value, String> {
        let mut object = object;
        let old = name(&object).to_owned();
        let place = Place::new("v1", "persistentvolumes", "");
        let must_rename = self.must_rename(&object, &place).await?;
        self.map_claim(&mut object);
        if must_rename || self.is_free(&old, &place).await? {
            unbind(&mut object);
            self.take_snapshot(&mut object).await.map_err(|error| {
                format!("error executing PVAction for persistentvolumes/{old}: {error}")
            })?;
        }
        if must_rename {
            let new = self.server.generated("velero-clone-");
            if !object["metadata"]["annotations"].is_object() {
                object["metadata"]["annotations"] = json!({});
            }
            object["metadata"]["annotations"][ORIGINAL] = json!(old);
            object["metadata"]["name"] = json!(new);
            self.renamed.insert(old, new);
        }
        Ok(object)
    }

    /// Whether a volume of a namespace that goes elsewhere is still there under its name.
    async fn must_rename(&self, volume: &Value, place: &Place) -> Result<bool, String> {
        let namespace = text(volume, "/spec/claimRef/namespace");
        if self.restore["spec"]["namespaceMapping"]
            .get(namespace)
            .is_none()
        {
            return Ok(false);
        }
        let found = self.server.kube.find(place, name(volume)).await;
        let found = found.map_err(|refusal| {
            format!("error checking if persistent volume exists in the cluster: {refusal}")
        })?;
        Ok(found.is_some())
    }

    /// Whether no volume of that name is there; one that is going away is waited for.
    async fn is_free(&self, volume: &str, place: &Place) -> Result<bool, String> {
        let deadline = Instant::now() + TERMINATING_LIMIT;
        loop {
            let found = self.server.kube.find(place, volume).await;
            let found = found.map_err(|refusal| {
                format!("could not retrieve in-cluster copy of PV {volume}: {refusal}")
            })?;
            let Some(found) = found else {
                return Ok(true);
            };
            let is_going = phase(&found) == "Released" || is_deleting(&found);
            if !is_going && !self.claim_is_going(&found).await {
                return Ok(false);
            }
            if Instant::now() >= deadline {
                return Err(format!(
                    "error waiting on in-cluster persistentvolume {volume}: context deadline \
                     exceeded"
                ));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn claim_is_going(&self, volume: &Value) -> bool {
        let claim = &volume["spec"]["claimRef"];
        if claim.is_null() {
            return false;
        }
        let place = Place::new("v1", "persistentvolumeclaims", text(claim, "/namespace"));
        let found = self.server.kube.find(&place, text(claim, "/name")).await;
        found.ok().flatten().is_none_or(|claim| is_deleting(&claim))
    }

    /// Lets the provider make a volume of a snapshot: here only a name for it.
    async fn take_snapshot(&mut self, volume: &mut Value) -> Result<(), String> {
        if self.restore["spec"]["restorePVs"] == json!(false) {
            return Ok(());
        }
        let Some(snapshot) = self.snapshot(name(volume)).cloned() else {
            return Ok(());
        };
        let locations = Place::velero("volumesnapshotlocations", namespace(self.backup));
        let location = text(&snapshot, "/spec/location");
        let found = self.server.kube.get(&locations, location).await;
        let kind = "VolumeSnapshotLocation.velero.io";
        found.map_err(|refusal| backups::of_cache(&refusal, kind, location))?;
        tokio::time::sleep(self.server.options.durations.volume).await;
        let id = self.server.generated("vol-simulated-");
        let spec = &mut volume["spec"];
        if !spec["csi"].is_null() {
            spec["csi"]["volumeHandle"] = json!(id);
        } else if !spec["awsElasticBlockStore"].is_null() {
            spec["awsElasticBlockStore"]["volumeID"] = json!(id);
        } else {
            return Err("spec.csi and spec.awsElasticBlockStore not found".to_owned());
        }
        self.native.push(json!({
            "pvName": name(volume),
            "restoreMethod": "NativeSnapshot",
            "snapshotDataMoved": false,
            "nativeSnapshotInfo": {
                "snapshotHandle": text(&snapshot, "/status/providerSnapshotID"),
                "volumeType": text(&snapshot, "/spec/volumeType"),
                "volumeAZ": text(&snapshot, "/spec/volumeAZ"),
                "iops": snapshot["spec"]["volumeIOPS"].as_i64().unwrap_or_default().to_string(),
            },
        }));
        Ok(())
    }

    fn map_claim(&self, volume: &mut Value) {
        let from = text(volume, "/spec/claimRef/namespace");
        if let Some(target) = self.restore["spec"]["namespaceMapping"][from].as_str() {
            volume["spec"]["claimRef"]["namespace"] = json!(target);
        }
    }

    /// Frees a claim of the volume that it had, when that does not come back under its name.
    pub(super) fn loosen(&self, claim: &mut Value) {
        let volume = text(claim, "/spec/volumeName").to_owned();
        if !volume.is_empty() {
            unbind(claim);
            if self.made_anew.contains(&volume)
                && let Some(spec) = claim["spec"].as_object_mut()
            {
                spec.remove("volumeName");
            }
        }
        if let Some(new) = self.renamed.get(&volume) {
            claim["spec"]["volumeName"] = json!(new);
        }
    }
}

/// Takes out by what controllers remember that a volume and its claim belong together.
fn unbind(object: &mut Value) {
    if let Some(claim) = object
        .pointer_mut("/spec/claimRef")
        .and_then(Value::as_object_mut)
    {
        claim.remove("uid");
        claim.remove("resourceVersion");
    }
    let annotations = object.pointer_mut("/metadata/annotations");
    if let Some(annotations) = annotations.and_then(Value::as_object_mut) {
        annotations.retain(|key, _| !BOUND.contains(&&**key));
    }
}
