//! How many pods controllers make: so many in one turn, as in life, and so many of one owner, which a
//! real cluster does not bound.

use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;

use crate::Ask;
use crate::Write;
use crate::condition;
use crate::condition::Condition;
use crate::condition::Times;
use crate::generated;
use crate::object::name;
use crate::object::namespace;
use crate::object::stamp;
use crate::object::uid;

/// How many pods of one owner are made in one turn.
pub(crate) const PODS_OF_A_TURN_MAX: usize = 500;

/// How many pods one owner has. More would fill this machine's memory.
pub(crate) const PODS_OF_AN_OWNER_MAX: usize = 1_000;

/// Why there are no more.
const REASON: &str = "FailedCreate";

/// What has an owner say that it wants more pods than it gets.
const FAILURE: &str = "ReplicaFailure";

/// The number of pods that an owner gets of those that it wants.
pub(crate) fn granted(wanted: usize) -> usize {
    wanted.min(PODS_OF_AN_OWNER_MAX)
}

/// The event that tells that an owner gets no more pods; it is told once.
pub(crate) fn event(ask: Ask<'_>, owner: &Value, component: &str) -> Option<Write> {
    let space = namespace(owner);
    let event_name = format!(
        "{}.{}",
        name(owner),
        generated::hex(&[uid(owner), REASON], 8)
    );
    if ask
        .view
        .get("", "Event", Some(space), &event_name)
        .is_some()
    {
        return None;
    }
    Some(Write::Create(json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": { "name": event_name, "namespace": space },
        "involvedObject": {
            "apiVersion": owner["apiVersion"],
            "kind": owner["kind"],
            "name": name(owner),
            "namespace": space,
            "uid": uid(owner),
        },
        "type": "Warning",
        "reason": REASON,
        "message": message(),
        "source": { "component": component },
        "reportingComponent": component,
        "reportingInstance": "",
        "count": 1,
        "firstTimestamp": stamp(ask.now),
        "lastTimestamp": stamp(ask.now),
    })))
}

/// Whether an owner wants more pods than it gets.
pub(crate) fn is_bounded(wanted: usize) -> bool {
    wanted > PODS_OF_AN_OWNER_MAX
}

/// Whether a status says that its owner gets no more pods.
pub(crate) fn is_told(status: &Value) -> bool {
    condition::find(status, FAILURE).is_some()
}

/// Says in a status whether its owner wants more pods than it gets.
pub(crate) fn tell(status: &mut Value, bounded: bool, times: Times, now: Timestamp) {
    if bounded {
        let condition = Condition {
            kind: FAILURE,
            status: "True",
            reason: REASON,
            message: &message(),
        };
        condition::set(status, &condition, times, now);
    } else if is_told(status) {
        condition::remove(status, FAILURE);
    }
}

fn message() -> String {
    format!("Error creating: the rehearsal makes at most {PODS_OF_AN_OWNER_MAX} pods of one owner")
}
