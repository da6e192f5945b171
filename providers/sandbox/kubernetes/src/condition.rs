//! Conditions in statuses.

use drplan_api::Timestamp;
use serde_json::Value;
use serde_json::json;

use crate::object;
use crate::request::stamp;

/// Whether a condition of an object is True.
pub(crate) fn has_condition(object: &Value, kind: &str) -> bool {
    let conditions = object
        .pointer("/status/conditions")
        .and_then(Value::as_array);
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition["type"] == kind && condition["status"] == "True")
}

/// Sets a condition; its time only moves when its status does.
pub(crate) fn set_condition(
    object: &mut Value,
    kind: &str,
    status: bool,
    (reason, message): (&str, &str),
    now: Timestamp,
) {
    let status = if status { "True" } else { "False" };
    let list = object::object_at(object, "status")
        .entry("conditions")
        .or_insert_with(|| json!([]));
    if !list.is_array() {
        *list = json!([]);
    }
    let Some(list) = list.as_array_mut() else {
        return;
    };
    let known = list.iter_mut().find(|known| known["type"] == kind);
    let time = match &known {
        Some(known) if known["status"] == status => known["lastTransitionTime"].clone(),
        _ => json!(stamp(now)),
    };
    let condition = json!({
        "type": kind,
        "status": status,
        "lastTransitionTime": time,
        "reason": reason,
        "message": message,
    });
    match known {
        Some(known) => *known = condition,
        None => list.push(condition),
    }
}
