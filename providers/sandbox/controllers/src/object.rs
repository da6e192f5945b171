//! How the parts of an object that all kinds share are read and written.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::Key;
use crate::Write;

pub(crate) fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

pub(crate) fn namespace(object: &Value) -> &str {
    object["metadata"]["namespace"].as_str().unwrap_or_default()
}

pub(crate) fn uid(object: &Value) -> &str {
    object["metadata"]["uid"].as_str().unwrap_or_default()
}

pub(crate) fn label<'a>(object: &'a Value, key: &str) -> &'a str {
    object["metadata"]["labels"][key]
        .as_str()
        .unwrap_or_default()
}

pub(crate) fn annotation<'a>(object: &'a Value, key: &str) -> &'a str {
    object["metadata"]["annotations"][key]
        .as_str()
        .unwrap_or_default()
}

pub(crate) fn is_deleting(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

pub(crate) fn created(object: &Value) -> Timestamp {
    time(&object["metadata"]["creationTimestamp"]).unwrap_or(Timestamp::MIN)
}

/// The elements of a list; none if it is not one.
pub(crate) fn items(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}

pub(crate) fn number(value: &Value, otherwise: i64) -> i64 {
    value.as_i64().unwrap_or(otherwise)
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What becomes of a fraction.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Round {
    Up,
    Down,
}

/// A number or a percentage of a total, rounded up or down.
pub(crate) fn share(value: &Value, otherwise: &str, total: i64, round: Round) -> i64 {
    if let Some(number) = value.as_i64() {
        return number;
    }
    let written = value.as_str().unwrap_or(otherwise);
    match written.strip_suffix('%').map(str::parse::<i64>) {
        Some(Ok(percent)) => {
            let hundredfold = percent.saturating_mul(total);
            (hundredfold + if round == Round::Up { 99 } else { 0 }) / 100
        }
        _ => written.parse().unwrap_or(0),
    }
}

/// A time as Kubernetes writes it: whole seconds, UTC.
pub(crate) fn stamp(time: Timestamp) -> Value {
    Value::String(time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

pub(crate) fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

pub(crate) fn later(time: Timestamp, by: Duration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

pub(crate) fn seconds(count: i64) -> Duration {
    Duration::from_secs(count.try_into().unwrap_or(0))
}

/// The owner that manages an object.
pub(crate) fn controller(object: &Value) -> Option<&Value> {
    items(&object["metadata"]["ownerReferences"])
        .iter()
        .find(|owner| owner["controller"] == true)
}

/// Whether an owner reference means that kind.
pub(crate) fn refers_to(owner: &Value, group: &str, kind: &str) -> bool {
    let version = text(&owner["apiVersion"]);
    let named = version.split_once('/').map_or("", |(group, _)| group);
    owner["kind"] == kind && named == group
}

/// The reference by which an object manages others.
pub(crate) fn owner_reference(owner: &Value) -> Value {
    json!({
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

/// Returns the map at a field, made if there is none.
pub(crate) fn map_at<'a>(parent: &'a mut Value, field: &str) -> &'a mut Map<String, Value> {
    let slot = &mut parent[field];
    if !slot.is_object() {
        *slot = json!({});
    }
    match slot {
        Value::Object(map) => map,
        _ => unreachable!("it was made an object above"),
    }
}

pub(crate) fn set_annotation(object: &mut Value, key: &str, value: &str) {
    let annotations = map_at(&mut object["metadata"], "annotations");
    annotations.insert(key.to_owned(), value.into());
}

/// Whether two values say the same. What is empty says as much as what is missing: servers and
/// their versions differ in what they write of it.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    same_without(a, b, &[])
}

/// As [`same`], without the fields of those names.
pub(crate) fn same_without(a: &Value, b: &Value, skipped: &[&str]) -> bool {
    const NOTHING: &Value = &Value::Null;
    match (a, b) {
        (Value::Object(x), Value::Object(y)) => {
            let ours = x.iter().all(|(key, value)| {
                let other = y.get(key).unwrap_or(NOTHING);
                skipped.contains(&key.as_str()) || same_without(value, other, skipped)
            });
            let mut new = y.iter().filter(|(key, _)| !x.contains_key(*key));
            ours && new.all(|(key, value)| skipped.contains(&key.as_str()) || is_empty(value))
        }
        (Value::Array(x), Value::Array(y)) => {
            let mut pairs = x.iter().zip(y);
            x.len() == y.len() && pairs.all(|(x, y)| same_without(x, y, skipped))
        }
        _ => a == b || is_empty(a) && is_empty(b),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.values().all(is_empty),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

/// The write of a new status; none if the object has it already.
pub(crate) fn status_write(object: &Value, status: Value) -> Option<Write> {
    if same(&object["status"], &status) {
        return None;
    }
    let mut object = object.clone();
    object["status"] = status;
    Some(Write::Status(object))
}

/// The write that deletes; none if that was asked already.
pub(crate) fn delete(object: &Value) -> Option<Write> {
    if is_deleting(object) {
        return None;
    }
    Some(Write::Delete {
        key: Key::of(object)?,
        uid: uid(object).to_owned(),
        at_once: false,
    })
}

/// The object without a finalizer; `None` if it has it not.
pub(crate) fn without_finalizer(object: &Value, finalizer: &str) -> Option<Value> {
    let held = items(&object["metadata"]["finalizers"]);
    if !held.iter().any(|f| f == finalizer) {
        return None;
    }
    let rest: Vec<_> = held.iter().filter(|f| *f != finalizer).cloned().collect();
    let mut freed = object.clone();
    freed["metadata"]["finalizers"] = rest.into();
    Some(freed)
}

/// Puts fields that are not zero into a status, as Go's `omitempty` does.
pub(crate) fn set_count(status: &mut Value, field: &str, count: usize) {
    let Value::Object(map) = status else {
        return;
    };
    if count == 0 {
        map.remove(field);
    } else {
        map.insert(field.to_owned(), count.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_numbers_or_percentages() {
        let table = [
            (json!(2), 10, Round::Up, 2),
            (json!("25%"), 10, Round::Up, 3),
            (json!("25%"), 10, Round::Down, 2),
            (json!("100%"), 3, Round::Down, 3),
            (json!(null), 4, Round::Up, 1),
        ];
        for (value, total, round, expected) in table {
            assert_eq!(share(&value, "25%", total, round), expected, "{value}");
        }
    }

    #[test]
    fn a_status_that_is_there_is_not_written() {
        let object = json!({"status": {"replicas": 1}});
        assert_eq!(status_write(&object, json!({"replicas": 1})), None);
    }
}
