//! `velero-backup.json`, the file that makes a folder a backup.

use drplan_api::Timestamp;
use serde::Deserialize;

/// What a choice needs to know about a backup.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct BackupFile {
    pub(crate) metadata: Metadata,
    pub(crate) spec: Spec,
    pub(crate) status: Status,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Metadata {
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) labels: std::collections::BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Spec {
    pub(crate) included_namespaces: Vec<String>,
    pub(crate) excluded_namespaces: Vec<String>,
    pub(crate) include_cluster_resources: Option<bool>,
    pub(crate) included_cluster_scoped_resources: Vec<String>,
    pub(crate) excluded_cluster_scoped_resources: Vec<String>,
    pub(crate) included_namespace_scoped_resources: Vec<String>,
    pub(crate) excluded_namespace_scoped_resources: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Status {
    pub(crate) phase: String,
    pub(crate) start_timestamp: Option<Timestamp>,
    pub(crate) expiration: Option<Timestamp>,
    pub(crate) errors: u64,
    pub(crate) warnings: u64,
    pub(crate) failure_reason: String,
}

const SCHEDULE: &str = "velero.io/schedule-name";

impl BackupFile {
    pub(crate) fn is_of_schedule(&self, schedule: &str) -> bool {
        self.metadata.labels.get(SCHEDULE).map(String::as_str) == Some(schedule)
    }

    /// Says why it cannot be restored, if it cannot.
    pub(crate) fn unusable(&self, before: Option<Timestamp>) -> Option<String> {
        let status = &self.status;
        match status.phase.as_str() {
            "Completed" | "PartiallyFailed" => {}
            "" => return Some("has no phase".to_owned()),
            phase if status.failure_reason.is_empty() => return Some(format!("is {phase}")),
            phase => return Some(format!("is {phase}: {}", status.failure_reason)),
        }
        match (status.start_timestamp, before) {
            (None, _) => Some("has no start".to_owned()),
            (Some(at), Some(before)) if at > before => {
                Some(format!("was taken at {at}, after {before}"))
            }
            _ => None,
        }
    }

    /// Whether Velero left out what has no namespace although nobody asked for that.
    ///
    /// Velero itself writes exclusions of snapshots into a backup without any filter, and then
    /// follows the rule for filters: only what is asked for by name is in it.
    pub(crate) fn lacks_cluster_scoped(&self) -> bool {
        let spec = &self.spec;
        if !spec.included_cluster_scoped_resources.is_empty() {
            return false;
        }
        let is_filtered = !spec.excluded_cluster_scoped_resources.is_empty()
            || !spec.included_namespace_scoped_resources.is_empty()
            || !spec.excluded_namespace_scoped_resources.is_empty();
        let takes_every_namespace = spec.excluded_namespaces.is_empty()
            && spec.included_namespaces.len() <= 1
            && spec.included_namespaces.iter().all(|n| n == "*");
        match spec.include_cluster_resources {
            Some(included) => !included,
            None => is_filtered || !takes_every_namespace,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn file(status: serde_json::Value) -> BackupFile {
        serde_json::from_value(json!({ "status": status })).expect("a backup")
    }

    #[test]
    fn only_ended_backups_in_time_are_usable() {
        let at = "2026-01-02T03:00:00Z";
        let bound: Timestamp = "2026-01-02T02:00:00Z".parse().expect("a time");
        for (phase, before, usable) in [
            ("Completed", None, true),
            ("PartiallyFailed", None, true),
            ("Completed", Some(bound), false),
            ("InProgress", None, false),
            ("FinalizingPartiallyFailed", None, false),
            ("Failed", None, false),
            ("", None, false),
        ] {
            let file = file(json!({"phase": phase, "startTimestamp": at}));
            assert_eq!(file.unusable(before).is_none(), usable, "{phase}");
        }
        assert!(file(json!({"phase": "Completed"})).unusable(None).is_some());
    }

    #[test]
    fn an_exclusion_drops_cluster_scoped_objects_unless_they_are_asked_for() {
        for (spec, lacks) in [
            (json!({}), false),
            (json!({"includedNamespaces": ["*"]}), false),
            (
                json!({"includedNamespaces": ["*"], "excludedNamespaces": ["x"]}),
                true,
            ),
            (json!({"includedNamespaces": ["shop"]}), true),
            (
                json!({"includedNamespaces": ["shop"], "includeClusterResources": true}),
                false,
            ),
            (json!({"includeClusterResources": false}), true),
            (
                json!({"excludedClusterScopedResources": ["volumesnapshotcontents"]}),
                true,
            ),
            (json!({"includedClusterScopedResources": ["*"]}), false),
        ] {
            let file: BackupFile =
                serde_json::from_value(json!({ "spec": spec })).expect("a backup");
            assert_eq!(file.lacks_cluster_scoped(), lacks, "{spec}");
        }
    }
}
