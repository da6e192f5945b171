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

use super::decide::Group;
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
                ("objects", "How many objects of the backup are selected."),
                ("name", "The name of the Restore, if one is made."),
            ],
        },
        stage: None,
        roles: &[(CLUSTER, "kubernetes"), (BUCKET, "s3")],
        envelope: &[Action::Restore, Action::Update],
        hazard_max: HazardLevel::Irreversible,
        cutover: false,
        op_version: 1,
    }
}
