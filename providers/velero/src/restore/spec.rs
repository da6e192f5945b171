//! The arguments of `velero_restore`, and the payload of its steps.

use std::collections::BTreeMap;

use drplan_api::Action;
use drplan_api::Arg;
use drplan_api::ConnId;
use drplan_api::Def;
use drplan_api::HazardLevel;
use drplan_api::Mode;
use drplan_api::Schema;
use drplan_api::Type;
use serde::Deserialize;
use serde::Serialize;

use super::body::Group;
use super::modifier::Modifier;
use crate::backup::Exports;

pub(crate) const CLUSTER: &str = "cluster";
pub(crate) const BUCKET: &str = "bucket";

/// The arguments.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Spec {
    pub(crate) backup: Exports,
    #[serde(default)]
    pub(crate) namespaces: Vec<String>,
    #[serde(default)]
    pub(crate) exclude_namespaces: Vec<String>,
    #[serde(default)]
    pub(crate) kinds: Vec<String>,
    #[serde(default)]
    pub(crate) exclude_kinds: Vec<String>,
    #[serde(default)]
    pub(crate) cluster_scoped: bool,
    #[serde(default)]
    pub(crate) selector: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) namespace_map: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) storage_class_map: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) image_map: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) born_paused: Vec<String>,
    #[serde(default)]
    pub(crate) node_ports: bool,
    #[serde(default)]
    pub(crate) existing: Existing,
    #[serde(default)]
    pub(crate) scope: Scope,
    #[serde(default)]
    pub(crate) volumes: Volumes,
    pub(crate) location: Option<String>,
}

/// What happens to objects that are there and differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Existing {
    #[default]
    Keep,
    Update,
}

/// What happens to objects that are missing where their namespace lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scope {
    #[default]
    Namespace,
    Object,
}

/// What is asked of the data of volumes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Volumes {
    #[default]
    Required,
    BestEffort,
    None,
}

impl Spec {
    /// The namespace that objects of an archived namespace come back into.
    pub(crate) fn target<'a>(&'a self, namespace: &'a str) -> &'a str {
        self.namespace_map
            .get(namespace)
            .map_or(namespace, String::as_str)
    }
}

/// The payload of a step.
#[derive(Serialize, Deserialize)]
pub struct Op {
    pub(crate) spec: Spec,
    pub(crate) hash: String,
    pub(crate) roles: BTreeMap<String, ConnId>,
    pub(crate) restores: Vec<Planned>,
    /// What Velero changes in objects while it makes them, for all of the Restores.
    pub(crate) modifier: Option<Modifier>,
    /// ConfigMaps that earlier runs of this step left behind.
    pub(crate) leftovers: Vec<String>,
}

/// One effect of a step.
pub(crate) enum Deed<'a> {
    /// Wait until Velero knows the backup.
    Wait,
    /// Make the ConfigMap with the rules.
    Modify(&'a Modifier),
    /// Make a Restore, which takes this place in the step, from 1.
    Restore(&'a Planned, usize),
    /// Remove a ConfigMap with rules.
    Clear(&'a str),
}

impl Op {
    /// The effects in their order.
    pub(crate) fn deeds(&self) -> Vec<Deed<'_>> {
        let mut out = Vec::new();
        if !self.restores.is_empty() {
            out.push(Deed::Wait);
        }
        out.extend(self.modifier.as_ref().map(Deed::Modify));
        let restores = self.restores.iter().zip(1..);
        out.extend(restores.map(|(planned, n)| Deed::Restore(planned, n)));
        let own = self.modifier.iter().map(|m| m.name.as_str());
        let old = self.leftovers.iter().map(String::as_str);
        out.extend(own.chain(old).map(Deed::Clear));
        out
    }

    /// One effect.
    pub(crate) fn deed(&self, n: usize) -> Option<Deed<'_>> {
        self.deeds().into_iter().nth(n)
    }
}

/// One Restore object to make, or to adopt if it is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Planned {
    pub(crate) name: String,
    /// The `spec` of the Restore.
    pub(crate) body: drplan_api::Json,
    pub(crate) group: Group,
}

pub(crate) fn def() -> Def {
    let texts = |name, doc| Arg::optional(name, Type::List(Box::new(Type::String)), doc);
    let map = |name, doc| Arg::optional(name, Type::Map(Box::new(Type::String)), doc);
    let flag = |name, doc| Arg::optional(name, Type::Bool, doc);
    let word = |name, words, doc| Arg::optional(name, Type::OneOf(words), doc);
    let args = vec![
        Arg::required(
            "backup",
            Type::Reference(&["velero_backup"]),
            "The backup: `data.velero_backup.NAME`.",
        ),
        texts(
            "namespaces",
            "Only these namespaces of the backup. Default: all but those of the cluster itself and of Velero.",
        ),
        texts("exclude_namespaces", "Not these namespaces."),
        texts(
            "kinds",
            "Only these kinds: `Deployment`, `deployments.apps`.",
        ),
        texts("exclude_kinds", "Not these kinds."),
        flag(
            "cluster_scoped",
            "Whether objects without a namespace are restored too. Default: false; what a restored object refers to comes along anyhow.",
        ),
        map("selector", "Only objects with these labels."),
        map("namespace_map", "Restores a namespace under another name."),
        map(
            "storage_class_map",
            "Puts another storage class in the place of one that the backup names. The new one must be there.",
        ),
        map(
            "image_map",
            "Puts another beginning in the place of one of image names: `{ \"old.example/shop\" = \"new.example/shop\" }`. The longest that fits wins; it ends before `/`, `:`, `@` or the name's end.",
        ),
        texts(
            "born_paused",
            "What comes back paused: `CronJob`, `Job`, `Deployment`, `StatefulSet`, each for all of its kind or as `KIND/NAMESPACE/NAME`, where `*` stands for anything.",
        ),
        flag(
            "node_ports",
            "Whether Services keep their node ports. Default: false.",
        ),
        word(
            "existing",
            &["keep", "update"],
            "What happens to objects that are there and differ from the backup. Default: keep.",
        ),
        word(
            "scope",
            &["namespace", "object"],
            "Whether objects that were deleted in a living namespace since the backup stay deleted (`namespace`, the default) or are restored (`object`).",
        ),
        word(
            "volumes",
            &["required", "best_effort", "none"],
            "Whether the data of every claim must come back. Default: required.",
        ),
        Arg::optional(
            "location",
            Type::String,
            "The backup location in the cluster. Default: the one that reads the backup's bucket and prefix.",
        ),
    ];
    Def {
        name: "velero_restore",
        doc: "What is missing of a Velero backup, restored and proven object by object.",
        mode: Mode::Goal,
        schema: Schema {
            args,
            exports: vec![
                (
                    "objects",
                    "The state of each selected object: `{ \"v1/Secret/shop/db\" = \"restored\" }`.",
                ),
                (
                    "volumes",
                    "Of each selected claim, `{ \"shop/data\" = { method, state, missing } }`: how its data was saved, the claim's state, and why its data is not in the backup.",
                ),
                ("name", "The name of the Restore, if one is made."),
            ],
        },
        stage: None,
        roles: &[(CLUSTER, "kubernetes"), (BUCKET, "s3")],
        envelope: &[Action::Restore, Action::Update, Action::Delete],
        hazard_max: HazardLevel::Irreversible,
        cutover: false,
        op_version: 2,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::spec;
    use super::*;

    fn op(restores: usize, rules: bool, leftovers: &[&str]) -> Op {
        let planned = Planned {
            name: "r".to_owned(),
            body: json!({}),
            group: Group::default(),
        };
        Op {
            spec: spec(json!({})),
            hash: "0a1b2c3d".to_owned(),
            roles: BTreeMap::new(),
            restores: vec![planned; restores],
            modifier: rules.then(|| Modifier {
                name: "rules".to_owned(),
                rules: Vec::new(),
            }),
            leftovers: leftovers.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    #[test]
    fn rules_are_there_before_the_first_restore_and_removed_after_the_last() {
        for (op, expected) in [
            (op(1, false, &[]), vec!["wait", "restore 1"]),
            (
                op(2, true, &["old"]),
                vec![
                    "wait",
                    "make rules",
                    "restore 1",
                    "restore 2",
                    "remove rules",
                    "remove old",
                ],
            ),
            (op(0, false, &["old"]), vec!["remove old"]),
        ] {
            let words = op.deeds().into_iter().map(|deed| match deed {
                Deed::Wait => "wait".to_owned(),
                Deed::Modify(modifier) => format!("make {}", modifier.name),
                Deed::Restore(_, n) => format!("restore {n}"),
                Deed::Clear(name) => format!("remove {name}"),
            });
            assert_eq!(words.collect::<Vec<_>>(), expected);
            assert!(op.deed(expected.len()).is_none());
        }
    }
}
