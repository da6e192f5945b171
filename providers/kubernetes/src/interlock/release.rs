//! The kind `kubernetes_release`: nothing that this recovery paused stands still any more.
//!
//! A goal. It takes away every mark of the recovery, whichever run made it and whether an object was
//! paused or came back so, and never one of another recovery.

mod act;
mod decide;

use serde::Deserialize;
use serde::Serialize;

use super::object::Spot;
use crate::mark::Mark;
use crate::mark::Original;

/// Nothing that this recovery paused stands still any more.
#[derive(Clone, Copy, Debug, Default)]
pub struct KubernetesRelease;

/// The arguments of `kubernetes_release`.
#[derive(Clone, Debug, Deserialize)]
pub struct ReleaseSpec {
    #[serde(default)]
    objects: Vec<String>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct ReleaseState {
    ours: Vec<(Spot, Mark)>,
    /// Marks of other recoveries, for people.
    others: Vec<String>,
}

/// The payload of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReleaseOp {
    deeds: Vec<Deed>,
}

/// One object whose mark is taken away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Deed {
    spot: Spot,
    original: Original,
    /// Whether it is set going; if not, somebody did so before, and only the mark is left.
    wakes: bool,
}
