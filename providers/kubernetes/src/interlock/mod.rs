//! What fights a recovery is paused, and set going again when the recovery is proven.
//!
//! The mark on each object is all that is kept: whoever comes later reads there what it was before. The
//! guard [`KubernetesPause`] sets marks, the goal [`KubernetesRelease`] takes them away, also those of
//! objects that a restore brought back paused.

mod hindrance;
mod object;
mod pause;
mod release;
mod standing;

pub use pause::KubernetesPause;
pub use pause::PauseOp;
pub use pause::PauseSpec;
pub use pause::PauseState;
pub use release::KubernetesRelease;
pub use release::ReleaseOp;
pub use release::ReleaseSpec;
pub use release::ReleaseState;

use drplan_api::Cap;
use drplan_api::ConnId;
use drplan_api::ErrorKind;
use drplan_api::ProviderError;
use drplan_api::TargetState;
use drplan_api::View;
use drplan_api::Wires;

/// The role of the cluster.
const CLUSTER: &str = "cluster";

/// The most names in one sentence.
const NAMES_MAX: usize = 5;

/// That objects of a cluster are left paused until a release.
pub fn paused(conn: &ConnId) -> Cap {
    Cap::on(conn, "pause", "objects")
}

/// What a kind needs that works on objects of a cluster.
fn on_cluster(conn: &ConnId, view: &View<'_>, because: &'static str) -> Wires {
    let cluster = Cap::on(conn, "cluster", "ready");
    let is_there = matches!(view.peek_target(conn), Some(TargetState::Ready(_)));
    Wires {
        already: is_there.then(|| cluster.clone()).into_iter().collect(),
        needs: vec![(cluster, because.into())],
        ..Wires::default()
    }
}

/// What one effect of a step does.
fn nth<T>(deeds: &[T], n: usize) -> Result<&T, ProviderError> {
    let missing = || ProviderError::new(ErrorKind::Bug, format!("find effect {n}"), "the plan");
    deeds.get(n).ok_or_else(missing)
}

/// The first few names of many.
fn some(names: &[String]) -> String {
    let named = names.iter().take(NAMES_MAX).map(String::as_str);
    let named = named.collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMES_MAX) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}
