//! One object in the versions that its type is served in.
//!
//! Custom types are stored as they were written and only change their `apiVersion`, which is what
//! the conversion strategy `None` does.

use serde_json::Value;
use serde_json::json;

use crate::object::Object;
use crate::types::Served;

/// Whether the served version has other fields than the stored one.
pub(crate) fn changes_fields(served: &Served) -> bool {
    match served.info.group.as_str() {
        "events.k8s.io" => true,
        "autoscaling" => served.info.api_version() != served.stored,
        _ => false,
    }
}

/// A stored object in the served version.
pub(crate) fn shown(served: &Served, object: &Object) -> Value {
    to_served(served, object.json().clone())
}

/// Brings stored JSON into the served version.
pub(crate) fn to_served(served: &Served, mut json: Value) -> Value {
    match served.info.group.as_str() {
        "events.k8s.io" => rename(&mut json, EVENT, Direction::FromStored),
        "autoscaling" if changes_fields(served) => scaler_to_v1(&mut json),
        _ => {}
    }
    json["apiVersion"] = json!(served.info.api_version());
    json["kind"] = json!(served.info.kind);
    json
}

/// Brings JSON in the served version into the stored one.
pub(crate) fn to_stored(served: &Served, mut json: Value) -> Value {
    match served.info.group.as_str() {
        "events.k8s.io" => rename(&mut json, EVENT, Direction::ToStored),
        "autoscaling" if changes_fields(served) => scaler_from_v1(&mut json),
        _ => {}
    }
    json["apiVersion"] = json!(served.stored);
    json["kind"] = json!(served.info.kind);
    json
}

#[derive(Clone, Copy, PartialEq)]
enum Direction {
    ToStored,
    FromStored,
}

/// Fields of events in `v1` and what they are called in `events.k8s.io/v1`.
const EVENT: &[(&str, &str)] = &[
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("reportingComponent", "reportingController"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
];

fn rename(json: &mut Value, names: &[(&str, &str)], direction: Direction) {
    let Some(fields) = json.as_object_mut() else {
        return;
    };
    for (stored, served) in names {
        let (from, to) = match direction {
            Direction::ToStored => (served, stored),
            Direction::FromStored => (stored, served),
        };
        if let Some(value) = fields.remove(*from) {
            fields.insert((*to).to_owned(), value);
        }
    }
}

/// Where an average CPU utilisation stands in `autoscaling/v1`.
const CPU: &str = "targetCPUUtilizationPercentage";

fn scaler_to_v1(json: &mut Value) {
    let metrics = json["spec"]["metrics"].take();
    let cpu = metrics.as_array().into_iter().flatten().find_map(|metric| {
        (metric.pointer("/resource/name")? == "cpu").then(|| {
            metric
                .pointer("/resource/target/averageUtilization")
                .cloned()
        })?
    });
    if let Some(spec) = json["spec"].as_object_mut() {
        spec.remove("metrics");
        spec.remove("behavior");
        if let Some(cpu) = cpu {
            spec.insert(CPU.to_owned(), cpu);
        }
    }
}

fn scaler_from_v1(json: &mut Value) {
    let Some(spec) = json["spec"].as_object_mut() else {
        return;
    };
    if let Some(cpu) = spec.remove(CPU) {
        let target = json!({"type": "Utilization", "averageUtilization": cpu});
        let metric = json!({"type": "Resource", "resource": {"name": "cpu", "target": target}});
        spec.insert("metrics".to_owned(), json!([metric]));
    }
}
