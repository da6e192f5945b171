//! A case: an archive, what is there before, and the Restore.

use std::io::Write as _;

use anyhow::Context as _;
use anyhow::Result;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

/// The resource of each kind that cases use.
const RESOURCES: &[(&str, &str)] = &[
    ("APIService", "apiservices.apiregistration.k8s.io"),
    ("ClusterRole", "clusterroles.rbac.authorization.k8s.io"),
    (
        "ClusterRoleBinding",
        "clusterrolebindings.rbac.authorization.k8s.io",
    ),
    ("ConfigMap", "configmaps"),
    ("CronJob", "cronjobs.batch"),
    (
        "CustomResourceDefinition",
        "customresourcedefinitions.apiextensions.k8s.io",
    ),
    ("Deployment", "deployments.apps"),
    ("Event", "events"),
    ("Ingress", "ingresses.networking.k8s.io"),
    ("Job", "jobs.batch"),
    ("LimitRange", "limitranges"),
    ("Namespace", "namespaces"),
    ("PersistentVolume", "persistentvolumes"),
    ("PersistentVolumeClaim", "persistentvolumeclaims"),
    ("Pod", "pods"),
    ("PodDisruptionBudget", "poddisruptionbudgets.policy"),
    ("PriorityClass", "priorityclasses.scheduling.k8s.io"),
    ("Role", "roles.rbac.authorization.k8s.io"),
    ("RoleBinding", "rolebindings.rbac.authorization.k8s.io"),
    ("Secret", "secrets"),
    ("Service", "services"),
    ("ServiceAccount", "serviceaccounts"),
    ("StatefulSet", "statefulsets.apps"),
    ("StorageClass", "storageclasses.storage.k8s.io"),
    (
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations.admissionregistration.k8s.io",
    ),
];

/// A case.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// The name of the case, of its backup and of its Restore.
    pub(crate) name: String,
    /// The schedule of the shop whose backup is restored, instead of an archive.
    pub(crate) shop: Option<String>,
    /// The case that must have ended before.
    pub(crate) after: Option<String>,
    #[serde(default)]
    pub(crate) before: Vec<Value>,
    archive: Option<Vec<Value>>,
    #[serde(default)]
    volumes: Vec<Value>,
    #[serde(default)]
    pod_volumes: Vec<Value>,
    #[serde(default)]
    snapshots: Vec<Value>,
    #[serde(default)]
    truncated: bool,
    /// The spec of the Restore; the backup is filled in.
    pub(crate) restore: Value,
    /// Whether objects are compared afterwards.
    #[serde(default = "yes")]
    pub(crate) objects: bool,
    /// Whether their status is compared too.
    #[serde(default)]
    pub(crate) status: bool,
}

fn yes() -> bool {
    true
}

/// Reads all cases.
pub(crate) fn all() -> Result<Vec<Case>> {
    serde_saphyr::from_str(include_str!("cases.yaml")).context("in the cases")
}

/// `v1` and `ConfigMap` as `configmaps`; kinds that nobody knows are the simplest plural.
pub(crate) fn resource(version: &str, kind: &str) -> String {
    let known = RESOURCES.iter().find(|(known, _)| *known == kind);
    known.map_or_else(
        || {
            let group = version.split('/').next().unwrap_or_default();
            format!("{}s.{group}", kind.to_lowercase())
        },
        |(_, resource)| (*resource).to_owned(),
    )
}

impl Case {
    /// The spec of the Restore.
    pub(crate) fn spec(&self, shop: &str) -> Value {
        let mut spec = self.restore.clone();
        if self.shop.is_some() {
            spec["backupName"] = json!(shop);
        } else if self.archive.is_some() {
            spec["backupName"] = json!(self.name);
        }
        spec
    }

    /// The files of the case's own backup, by key below the location.
    pub(crate) fn files(&self) -> Result<Vec<(String, Vec<u8>)>> {
        let Some(objects) = &self.archive else {
            return Ok(Vec::new());
        };
        let name = &self.name;
        let backup = json!({
            "apiVersion": "velero.io/v1", "kind": "Backup",
            "metadata": {"name": name, "namespace": "velero"},
            "spec": {"hooks": {}, "metadata": {}, "storageLocation": "old", "ttl": "720h0m0s"},
            "status": {
                "phase": "Completed", "version": 1, "formatVersion": "1.1.0",
                "startTimestamp": "2026-01-01T00:00:00Z",
                "completionTimestamp": "2026-01-01T00:00:01Z",
                "expiration": "2099-01-01T00:00:00Z",
            },
        });
        let mut packed = pack(&archive(objects)?)?;
        if self.truncated {
            packed.truncate(packed.len() / 2);
        }
        let key = |file: &str| format!("backups/{name}/{file}");
        let mut files = vec![
            (key(&format!("{name}.tar.gz")), packed),
            (
                key(&format!("{name}-volumeinfo.json.gz")),
                pack(json!(self.volumes).to_string().as_bytes())?,
            ),
        ];
        if !self.pod_volumes.is_empty() {
            let content = pack(json!(self.pod_volumes).to_string().as_bytes())?;
            files.push((key(&format!("{name}-podvolumebackups.json.gz")), content));
        }
        if !self.snapshots.is_empty() {
            let content = pack(json!(self.snapshots).to_string().as_bytes())?;
            files.push((key(&format!("{name}-volumesnapshots.json.gz")), content));
        }
        // What makes a folder a backup comes last.
        files.push((key("velero-backup.json"), backup.to_string().into_bytes()));
        Ok(files)
    }
}

fn archive(objects: &[Value]) -> Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |path: &str, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(u64::try_from(content.len())?);
        header.set_mode(0o755);
        header.set_entry_type(tar::EntryType::Regular);
        tar.append_data(&mut header, path, content)?;
        anyhow::Ok(())
    };
    add("metadata/version", b"1.1.0")?;
    for object in objects {
        let text = |path: &str| {
            object
                .pointer(path)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let resource = resource(text("/apiVersion"), text("/kind"));
        let name = text("/metadata/name");
        let scope = match text("/metadata/namespace") {
            "" => "cluster".to_owned(),
            namespace => format!("namespaces/{namespace}"),
        };
        let path = format!("resources/{resource}/{scope}/{name}.json");
        add(&path, object.to_string().as_bytes())?;
    }
    Ok(tar.into_inner()?)
}

fn pack(content: &[u8]) -> Result<Vec<u8>> {
    let mut out = GzEncoder::new(Vec::new(), Compression::default());
    out.write_all(content)?;
    Ok(out.finish()?)
}
