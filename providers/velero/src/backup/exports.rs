//! What other resources see of a backup: its place, what it holds, how its volumes were saved.

use std::collections::BTreeSet;

use drplan_api::ConnId;
use drplan_api::Json;
use drplan_api::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use crate::bucket::Place;
use crate::index::Index;
use crate::index::Item;

/// What other resources see of a chosen backup.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Exports {
    pub(crate) name: String,
    pub(crate) at: Timestamp,
    pub(crate) objects: u64,
    pub(crate) namespaces: Vec<String>,
    pub(crate) volumes: Vec<Volume>,
    pub(crate) conn: ConnId,
    pub(crate) bucket: String,
    pub(crate) prefix: String,
    pub(crate) uid: String,
    pub(crate) expiration: Option<Timestamp>,
    pub(crate) phase: String,
    pub(crate) errors: u64,
    pub(crate) warnings: u64,
}

impl Exports {
    pub(crate) fn place(&self) -> Place {
        Place::new(&self.bucket, Some(&self.prefix))
    }

    /// The claims whose data Velero saved through a pod, and brings back only through one.
    pub(crate) fn saved_through_pods(&self) -> BTreeSet<(&str, &str)> {
        let volumes = self.volumes.iter();
        let saved = volumes.filter(|v| v.method == "PodVolumeBackup" && v.missing.is_none());
        saved.map(|v| (&*v.namespace, &*v.claim)).collect()
    }
}

/// How the data of one claim was saved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Volume {
    pub(crate) namespace: String,
    pub(crate) claim: String,
    /// `PodVolumeBackup`, `CSISnapshot`, `NativeSnapshot`; empty if its data was not saved.
    pub(crate) method: String,
    /// Why its data is not in the backup, if it is not.
    pub(crate) missing: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct VolumeInfo {
    #[serde(rename = "pvcName")]
    claim: String,
    #[serde(rename = "pvcNamespace")]
    namespace: String,
    backup_method: String,
    skipped: bool,
    skipped_reason: String,
    result: String,
}

impl From<VolumeInfo> for Volume {
    fn from(info: VolumeInfo) -> Self {
        let missing = match (info.skipped, info.result.as_str()) {
            (true, _) => Some(format!("skipped: {}", info.skipped_reason)),
            (_, "failed") => Some("saving it failed".to_owned()),
            _ => None,
        };
        Self {
            namespace: info.namespace,
            claim: info.claim,
            method: info.backup_method,
            missing,
        }
    }
}

/// Reads how each volume was saved; Velero writes `null` where there is none.
pub(super) fn saved(infos: &Json) -> Result<Vec<Volume>, serde_json::Error> {
    let infos = Option::<Vec<VolumeInfo>>::deserialize(infos)?;
    Ok(infos.into_iter().flatten().map(Volume::from).collect())
}

/// The claims of a backup that does not say how their data was saved, if at all.
pub(super) fn unsaid(index: &Index) -> Vec<Volume> {
    let claims = index.items.iter().filter(|item| item.is_claim());
    let volume = |item: &Item| Volume {
        namespace: item.namespace.clone(),
        claim: item.name.clone(),
        method: String::new(),
        missing: Some("the backup does not say how it was saved".to_owned()),
    };
    claims.map(volume).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_backup_that_does_not_say_how_a_claim_was_saved_does_not_hold_its_data() {
        for (infos, readable) in [
            (json!(null), true),
            (json!([]), true),
            (json!([{"pvcName": "data", "pvcNamespace": "shop"}]), true),
            (json!({"volumes": []}), false),
            (json!([{"skipped": "perhaps"}]), false),
        ] {
            assert_eq!(saved(&infos).is_ok(), readable, "{infos}");
        }
        let item = |resource: &str| Item {
            resource: resource.to_owned(),
            namespace: "shop".to_owned(),
            name: "data".to_owned(),
            ..Item::default()
        };
        let index = Index {
            items: vec![item("configmaps"), item("persistentvolumeclaims")],
            ..Index::default()
        };
        let volumes = unsaid(&index);
        assert_eq!(volumes.len(), 1);
        assert_eq!(volumes[0].claim, "data");
        assert!(volumes[0].missing.is_some());
        assert_eq!(unsaid(&Index::default()), []);
    }

    #[test]
    fn a_claim_that_was_skipped_says_why() {
        let info: VolumeInfo =
            serde_json::from_value(json!({"pvcName": "data", "pvcNamespace": "shop",
            "skipped": true, "skippedReason": "no snapshot"}))
            .expect("volume information");
        assert_eq!(
            Volume::from(info).missing.as_deref(),
            Some("skipped: no snapshot")
        );
    }
}
