//! The kind `kubernetes_manifest`: objects whose every given field has the given value.
//!
//! Fields are set by server-side apply as drplan's own field manager. What a manifest does not set is
//! none of its business, and objects are never deleted.

mod act;
mod decide;
mod parse;
mod standing;
mod yaml;

use drplan_api::Json;
use drplan_api::Late;
use serde::Deserialize;
use serde::Serialize;

use parse::Item;
use standing::Placed;

/// The role of the cluster.
const CLUSTER: &str = "cluster";

/// Objects whose every given field has the given value.
#[derive(Clone, Copy, Debug, Default)]
pub struct KubernetesManifest;

/// The arguments of `kubernetes_manifest`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestSpec {
    #[serde(default)]
    files: Vec<File>,
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    objects: Option<Late<Vec<Json>>>,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    wait_for: Option<String>,
    #[serde(default)]
    force_conflicts: Vec<String>,
}

impl ManifestSpec {
    fn waits(&self) -> bool {
        self.wait_for.is_some()
    }
}

/// One file of a manifest, embedded by the engine.
#[derive(Clone, Debug, Deserialize)]
struct File {
    path: String,
    content: String,
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct ManifestState(Found);

#[derive(Clone, Debug, PartialEq)]
enum Found {
    /// The manifest itself is wrong; everything that is.
    Wrong(Vec<String>),
    /// How each object stands, in the order in which they are applied.
    Objects(Vec<Placed>),
}

/// The payload of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ManifestOp {
    objects: Vec<Item>,
    deeds: Vec<Deed>,
    waits: bool,
}

/// What one effect does with one of the objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Deed {
    Apply { object: usize, force: bool },
    Wait { object: usize },
}

impl Deed {
    fn object(self) -> usize {
        match self {
            Self::Apply { object, .. } | Self::Wait { object } => object,
        }
    }
}
