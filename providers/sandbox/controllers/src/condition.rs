//! The conditions of a status.

use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;

use crate::object::items;
use crate::object::stamp;
use crate::object::text;

/// What a condition says.
pub(crate) struct Condition<'a> {
    pub(crate) kind: &'a str,
    pub(crate) status: &'static str,
    pub(crate) reason: &'a str,
    pub(crate) message: &'a str,
}

/// Which times a kind keeps beside that of the last transition.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Times {
    /// `lastTransitionTime` alone, and a message even if it is empty.
    Observed,
    /// `lastUpdateTime`, as in Deployments.
    Update,
    /// `lastProbeTime`, as in Jobs.
    Probe,
    /// `lastHeartbeatTime`, as in Nodes.
    Heartbeat,
    /// `lastProbeTime: null`, as in Pods.
    NullProbe,
}

/// How a condition's status is written.
pub(crate) fn word(holds: bool) -> &'static str {
    if holds { "True" } else { "False" }
}

pub(crate) fn find<'a>(status: &'a Value, kind: &str) -> Option<&'a Value> {
    items(&status["conditions"])
        .iter()
        .find(|c| c["type"] == kind)
}

pub(crate) fn is_true(status: &Value, kind: &str) -> bool {
    find(status, kind).is_some_and(|c| c["status"] == "True")
}

/// Sets a condition. Its transition time stays while its status does.
pub(crate) fn set(status: &mut Value, new: &Condition<'_>, times: Times, now: Timestamp) {
    let old = find(status, new.kind).cloned();
    if let Some(old) = &old
        && old["status"] == new.status
        && text(&old["reason"]) == new.reason
        && text(&old["message"]) == new.message
    {
        return;
    }
    let since = match &old {
        Some(old) if old["status"] == new.status => old["lastTransitionTime"].clone(),
        _ => stamp(now),
    };
    let mut made = json!({"type": new.kind, "status": new.status, "lastTransitionTime": since});
    if !new.reason.is_empty() {
        made["reason"] = new.reason.into();
    }
    if !new.message.is_empty() {
        made["message"] = new.message.into();
    }
    match times {
        Times::Observed => made["message"] = new.message.into(),
        Times::Update => made["lastUpdateTime"] = stamp(now),
        Times::Probe => made["lastProbeTime"] = stamp(now),
        Times::Heartbeat => made["lastHeartbeatTime"] = stamp(now),
        Times::NullProbe => made["lastProbeTime"] = Value::Null,
    }
    put(status, made);
}

/// Takes a condition out, and the list with the last one.
pub(crate) fn remove(status: &mut Value, kind: &str) {
    if let Some(list) = status["conditions"].as_array_mut() {
        list.retain(|c| c["type"] != kind);
    }
    if items(&status["conditions"]).is_empty()
        && let Some(status) = status.as_object_mut()
    {
        status.remove("conditions");
    }
}

fn put(status: &mut Value, condition: Value) {
    if !status["conditions"].is_array() {
        status["conditions"] = json!([]);
    }
    if let Some(list) = status["conditions"].as_array_mut() {
        match list.iter_mut().find(|c| c["type"] == condition["type"]) {
            Some(slot) => *slot = condition,
            None => list.push(condition),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_keeps_its_transition_time_while_its_status_stays() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let mut status = json!({});
        let condition = |holds, reason| Condition {
            kind: "Ready",
            status: word(holds),
            reason,
            message: "",
        };
        let early = at("2026-01-01T00:00:00Z");
        let late = at("2026-01-01T00:01:00Z");
        set(&mut status, &condition(false, "A"), Times::Observed, early);
        set(&mut status, &condition(false, "B"), Times::Observed, late);
        assert_eq!(
            status["conditions"][0]["lastTransitionTime"],
            "2026-01-01T00:00:00Z"
        );
        set(&mut status, &condition(true, ""), Times::Observed, late);
        assert_eq!(
            status["conditions"],
            json!([{"type": "Ready", "status": "True", "message": "",
                "lastTransitionTime": "2026-01-01T00:01:00Z"}])
        );
    }
}
