//! The status of a Deployment.

use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;

use super::Family;
use super::pods_of;
use super::rollout;
use crate::Ask;
use crate::Key;
use crate::Turn;
use crate::bounds;
use crate::condition;
use crate::condition::Condition;
use crate::condition::Times;
use crate::object::is_deleting;
use crate::object::later;
use crate::object::name;
use crate::object::number;
use crate::object::seconds;
use crate::object::stamp;
use crate::object::status_write;
use crate::object::text;
use crate::object::time;

const AVAILABLE: &str = "NewReplicaSetAvailable";
const TIMED_OUT: &str = "ProgressDeadlineExceeded";

/// What a missing deadline is written as.
const NO_DEADLINE: i64 = i32::MAX as i64;

/// Writes the status if it changed; `first` says that a new ReplicaSet is made in this turn.
pub(super) fn report(ask: Ask<'_>, family: &Family<'_>, first: bool, turn: &mut Turn) {
    let deployment = family.deployment;
    let mut status = counted(family);
    if !is_deleting(deployment) {
        available(family, &mut status, ask.now);
        let bounded = family.all().any(|set| bounds::is_told(&set["status"]));
        bounds::tell(&mut status, bounded, Times::Update, ask.now);
        let due = progressing(family, first, &mut status, ask.now);
        if let (Some(due), Some(key)) = (due, Key::of(deployment)) {
            turn.again.push((key, due));
        }
    }
    turn.writes.extend(status_write(deployment, status));
}

/// Whether a status says that all pods are new and available.
pub(super) fn is_complete(deployment: &Value, status: &Value) -> bool {
    let wanted = number(&deployment["spec"]["replicas"], 1);
    ["updatedReplicas", "replicas", "availableReplicas"]
        .iter()
        .all(|field| number(&status[field], 0) == wanted)
        && number(&status["observedGeneration"], 0)
            >= number(&deployment["metadata"]["generation"], 0)
}

fn counted(family: &Family<'_>) -> Value {
    let count = |field: &str| pods_of(family.all(), field);
    let replicas = count("replicas");
    let available = count("availableReplicas");
    let specified: i64 = family
        .all()
        .map(|set| number(&set["spec"]["replicas"], 1))
        .sum();
    let updated = family.new.as_ref();
    let updated = updated.map_or(0, |set| number(&set["status"]["replicas"], 0));
    let mut status = json!({
        "observedGeneration": family.deployment["metadata"]["generation"],
        "terminatingReplicas": count("terminatingReplicas"),
    });
    for (field, count) in [
        ("replicas", replicas),
        ("updatedReplicas", updated),
        ("readyReplicas", count("readyReplicas")),
        ("availableReplicas", available),
        ("unavailableReplicas", specified - available),
    ] {
        if count > 0 {
            status[field] = count.into();
        }
    }
    for kept in ["conditions", "collisionCount"] {
        let old = &family.deployment["status"][kept];
        if !old.is_null() {
            status[kept] = old.clone();
        }
    }
    status
}

fn available(family: &Family<'_>, status: &mut Value, now: Timestamp) {
    let least = family.wanted() - rollout::tolerated(family.deployment);
    let holds = number(&status["availableReplicas"], 0) >= least;
    let (reason, message) = if holds {
        (
            "MinimumReplicasAvailable",
            "Deployment has minimum availability.",
        )
    } else {
        (
            "MinimumReplicasUnavailable",
            "Deployment does not have minimum availability.",
        )
    };
    let condition = Condition {
        kind: "Available",
        status: condition::word(holds),
        reason,
        message,
    };
    condition::set(status, &condition, Times::Update, now);
}

/// Sets the condition `Progressing`; returns when the deadline has to be looked at.
fn progressing(
    family: &Family<'_>,
    first: bool,
    status: &mut Value,
    now: Timestamp,
) -> Option<Timestamp> {
    let deployment = family.deployment;
    let deadline = number(&deployment["spec"]["progressDeadlineSeconds"], 600);
    if deadline == NO_DEADLINE {
        return None;
    }
    let deadline = seconds(deadline);
    if deployment["spec"]["paused"] == true {
        let old = condition::find(status, "Progressing");
        if old.is_none_or(|c| c["reason"] != "DeploymentPaused") {
            say(
                status,
                "Unknown",
                "DeploymentPaused",
                "Deployment is paused",
                now,
            );
        }
        return None;
    }
    let set = family.new.as_ref().map_or("", |set| name(set));
    let old = condition::find(&deployment["status"], "Progressing");
    let reason = old.map_or("", |c| text(&c["reason"]));
    if first {
        let message = "Created new replica set";
        say(status, "True", "NewReplicaSetCreated", message, now);
        return Some(later(now, deadline));
    }
    let settled = reason == AVAILABLE && status["replicas"] == status["updatedReplicas"];
    if settled {
        return None;
    }
    if is_complete(deployment, status) {
        let message = format!("ReplicaSet \"{set}\" has successfully progressed.");
        say(status, "True", AVAILABLE, &message, now);
        return None;
    }
    if moved(&deployment["status"], status) {
        let message = format!("ReplicaSet \"{set}\" is progressing.");
        say(status, "True", "ReplicaSetUpdated", &message, now);
        return Some(later(now, deadline));
    }
    let Some(since) = old.and_then(|c| time(&c["lastUpdateTime"])) else {
        let message = format!("Found new replica set \"{set}\"");
        say(status, "True", "FoundNewReplicaSet", &message, now);
        return Some(later(now, deadline));
    };
    if reason == TIMED_OUT {
        return None;
    }
    let due = later(since, deadline);
    if due > now {
        return Some(due);
    }
    let message = format!("ReplicaSet \"{set}\" has timed out progressing.");
    say(status, "False", TIMED_OUT, &message, now);
    None
}

/// Every step forward moves the time from which the deadline counts.
fn say(status: &mut Value, word: &'static str, reason: &str, message: &str, now: Timestamp) {
    let condition = Condition {
        kind: "Progressing",
        status: word,
        reason,
        message,
    };
    condition::set(status, &condition, Times::Update, now);
    let conditions = status["conditions"].as_array_mut();
    for condition in conditions.into_iter().flatten() {
        if condition["type"] == "Progressing" {
            condition["lastUpdateTime"] = stamp(now);
        }
    }
}

/// Whether there are more new, ready or available pods than before, or fewer old ones.
fn moved(old: &Value, new: &Value) -> bool {
    let grew = |field: &str| number(&new[field], 0) > number(&old[field], 0);
    let stale = |s: &Value| number(&s["replicas"], 0) - number(&s["updatedReplicas"], 0);
    ["updatedReplicas", "readyReplicas", "availableReplicas"]
        .iter()
        .any(|field| grew(field))
        || stale(new) < stale(old)
}
