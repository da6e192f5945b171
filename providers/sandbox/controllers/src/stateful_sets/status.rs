//! The status of a StatefulSet.

use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;

use super::Family;
use super::label_of;
use crate::object::is_deleting;
use crate::object::number;
use crate::object::set_count;
use crate::template::available_at;
use crate::template::is_ready;

/// The status, and when a pod that is ready will be available.
pub(super) fn of(family: &Family<'_>, now: Timestamp) -> (Value, Option<Timestamp>) {
    let set = family.set;
    let pods = || family.pods.values();
    let live = || pods().filter(|pod| !is_deleting(pod));
    let of = |revision: &str| live().filter(|pod| label_of(pod) == revision).count();
    let times: Vec<_> = pods()
        .filter_map(|pod| available_at(pod, &set["spec"]["minReadySeconds"]))
        .collect();
    let update = family.history.update.as_str();
    let (mut current, mut current_count) = (family.current.as_str(), of(&family.current));
    let updated = of(update);
    let wanted = usize::try_from(number(&set["spec"]["replicas"], 1)).unwrap_or(0);
    let ready = pods().filter(|pod| is_ready(pod)).count();
    let rolling = set["spec"]["updateStrategy"]["type"] != "OnDelete";
    // A set whose pods are all of the new revision has no other any more.
    if rolling && updated == pods().count() && ready == pods().count() && updated == wanted {
        (current, current_count) = (update, updated);
    }
    let mut status = json!({
        "observedGeneration": set["metadata"]["generation"],
        "replicas": pods().count(),
        "availableReplicas": times.iter().filter(|at| **at <= now).count(),
        "collisionCount": number(&set["status"]["collisionCount"], 0),
        "currentRevision": current,
        "updateRevision": update,
    });
    set_count(&mut status, "readyReplicas", ready);
    set_count(&mut status, "currentReplicas", current_count);
    set_count(&mut status, "updatedReplicas", updated);
    if set["status"]["conditions"].is_array() {
        status["conditions"] = set["status"]["conditions"].clone();
    }
    (status, times.into_iter().filter(|at| *at > now).min())
}
