//! The Restore objects that a decision asks for, and the same as commands.
//!
//! Pure. It knows how Velero wants it written and not why it is wanted.

use std::collections::BTreeMap;

use drplan_api::Json;
use serde::Deserialize;
use serde::Serialize;
use serde_json::json;

use super::select;
use super::select::Sort;
use super::spec::Existing;
use super::spec::Spec;
use super::spec::Volumes;
use crate::index::Index;
use crate::index::Item;
use crate::objects::text;

/// What one Restore brings back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Group {
    /// The archived names of the namespaces; empty if only objects without one are meant.
    pub(crate) namespaces: Vec<String>,
    /// The resources; empty for all.
    pub(crate) kinds: Vec<String>,
    /// Whether objects without a namespace come back.
    pub(crate) cluster: bool,
}

impl Group {
    /// What it brings back, in words; no two groups of one step have the same.
    pub(crate) fn title(&self) -> String {
        let part = if self.kinds.is_empty() {
            ""
        } else {
            "kinds of "
        };
        match (self.cluster, self.namespaces.is_empty()) {
            (true, true) => "objects without a namespace".to_owned(),
            (true, false) => format!(
                "{part}{}, and objects without a namespace",
                self.namespaces.join(", ")
            ),
            (false, _) => format!("{part}{}", self.namespaces.join(", ")),
        }
    }

    /// Whether a Restore of this group brings an object back.
    pub(crate) fn covers(&self, item: &Item) -> bool {
        let namespace = if item.is_namespace() {
            &item.name
        } else {
            &item.namespace
        };
        let kinds = self.kinds.is_empty() || self.kinds.contains(&item.resource);
        if namespace.is_empty() {
            return self.cluster && kinds;
        }
        self.namespaces.contains(namespace) && (kinds || item.is_namespace())
    }
}

/// Whether one of some Restores may make an object. A volume comes with its claim, whatever is chosen.
pub(crate) fn is_made<'g>(
    item: &Item,
    sort: &Sort,
    mut groups: impl Iterator<Item = &'g Group>,
) -> bool {
    item.resource == "persistentvolumes"
        || matches!(sort, Sort::Restorable | Sort::Controllers(_))
            && groups.any(|group| group.covers(item))
}

/// Writes the `spec` of the Restore of a group; `modifier` names a ConfigMap with rules.
pub(crate) fn body(
    group: &Group,
    index: &Index,
    spec: &Spec,
    overwrite: bool,
    modifier: Option<&str>,
) -> Json {
    let mut body = json!({"backupName": spec.backup.name});
    let excluded = select::resources(&index.items, &spec.exclude_kinds);
    let mapped: BTreeMap<&String, &String> = spec
        .namespace_map
        .iter()
        .filter(|(from, _)| group.namespaces.contains(from))
        .collect();
    if !group.namespaces.is_empty() {
        body["includedNamespaces"] = json!(group.namespaces);
    }
    if !group.kinds.is_empty() {
        body["includedResources"] = json!(group.kinds);
    }
    if !excluded.is_empty() {
        body["excludedResources"] = json!(excluded);
    }
    if !mapped.is_empty() {
        body["namespaceMapping"] = json!(mapped);
    }
    if !spec.selector.is_empty() {
        body["labelSelector"] = json!({"matchLabels": spec.selector});
    }
    if group.cluster {
        body["includeClusterResources"] = true.into();
    }
    if spec.node_ports {
        body["preserveNodePorts"] = true.into();
    }
    if spec.volumes == Volumes::None {
        body["restorePVs"] = false.into();
    }
    if !group.cluster && (overwrite || spec.existing == Existing::Update) {
        body["existingResourcePolicy"] = "update".into();
    }
    if let Some(name) = modifier {
        body["resourceModifier"] = json!({"kind": "configmap", "name": name});
    }
    body
}

/// Reads the group of a Restore that is there.
pub(crate) fn group_of(body: &Json) -> Group {
    let texts = |json: &Json| {
        let list = json.as_array().into_iter().flatten();
        list.filter_map(|t| t.as_str().map(str::to_owned)).collect()
    };
    Group {
        namespaces: texts(&body["includedNamespaces"]),
        kinds: texts(&body["includedResources"]),
        cluster: body["includeClusterResources"] == true,
    }
}

/// Writes the command by which a person does what a Restore does.
pub(crate) fn command(name: &str, body: &Json) -> String {
    let mut out = format!(
        "velero restore create {name} --from-backup {}",
        body["backupName"].as_str().unwrap_or_default()
    );
    let list = |json: &Json| {
        let words = json.as_array().into_iter().flatten();
        words.filter_map(Json::as_str).collect::<Vec<_>>().join(",")
    };
    let pairs = |json: &Json, between: char| {
        let pairs = json.as_object().into_iter().flatten();
        let pair =
            |(k, v): (&String, &Json)| format!("{k}{between}{}", v.as_str().unwrap_or_default());
        pairs.map(pair).collect::<Vec<_>>().join(",")
    };
    for (field, flag, value) in [
        (
            "includedNamespaces",
            "include-namespaces",
            list(&body["includedNamespaces"]),
        ),
        (
            "includedResources",
            "include-resources",
            list(&body["includedResources"]),
        ),
        (
            "excludedResources",
            "exclude-resources",
            list(&body["excludedResources"]),
        ),
        (
            "namespaceMapping",
            "namespace-mappings",
            pairs(&body["namespaceMapping"], ':'),
        ),
        (
            "labelSelector",
            "selector",
            pairs(&body["labelSelector"]["matchLabels"], '='),
        ),
        (
            "includeClusterResources",
            "include-cluster-resources",
            "true".to_owned(),
        ),
        ("preserveNodePorts", "preserve-nodeports", "true".to_owned()),
        ("restorePVs", "restore-volumes", "false".to_owned()),
        (
            "existingResourcePolicy",
            "existing-resource-policy",
            "update".to_owned(),
        ),
        (
            "resourceModifier",
            "resource-modifier-configmap",
            text(&body["resourceModifier"]["name"]).to_owned(),
        ),
    ] {
        if !body[field].is_null() {
            out = format!("{out} --{flag}={value}");
        }
    }
    out.push_str(" --wait");
    out
}
