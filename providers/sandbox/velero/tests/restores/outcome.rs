//! What a restore came to, without what differs from run to run.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;

/// What a restore came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Outcome {
    pub(crate) phase: String,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(crate) validation_errors: Value,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(crate) failure_reason: Value,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(crate) errors: Value,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(crate) warnings: Value,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(crate) progress: Value,
    /// `spec` as the server left it.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(crate) spec: Value,
    /// The content of the results file.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(crate) results: Value,
    /// The content of the resource list.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(crate) list: Value,
    /// The names of the files that were left.
    #[serde(default)]
    pub(crate) files: Vec<String>,
    /// The objects afterwards.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) objects: BTreeMap<String, Value>,
}

/// What differs from run to run, or what controllers do with an object afterwards.
pub(crate) fn normal(mut object: Value, with_status: bool) -> Value {
    let managers: Vec<String> = object["metadata"]["managedFields"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|entry| {
            let text = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
            format!(
                "{} {}{}",
                text("manager"),
                text("operation"),
                text("subresource")
            )
        })
        .filter(|manager| !manager.contains("kube-controller-manager"))
        .collect();
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for field in [
            "uid",
            "resourceVersion",
            "creationTimestamp",
            "generation",
            "managedFields",
        ] {
            metadata.remove(field);
        }
        if !managers.is_empty() {
            metadata.insert("managers".to_owned(), json!(managers));
        }
        if let Some(annotations) = metadata
            .get_mut("annotations")
            .and_then(Value::as_object_mut)
        {
            annotations.retain(|key, _| {
                !key.starts_with("pv.kubernetes.io/") && !key.starts_with("volume.")
            });
        }
    }
    if !with_status && let Some(object) = object.as_object_mut() {
        object.remove("status");
    }
    hide(&mut object);
    object
}

/// Replaces what the cluster gives out.
fn hide(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let is_address = matches!(name.as_str(), "clusterIP" | "clusterIPs")
                    && !value.to_string().contains("None");
                let is_reference =
                    matches!(name.as_str(), "resourceVersion" | "uid" | "volumeName");
                let is_port = name == "nodePort"
                    && value
                        .as_i64()
                        .is_some_and(|port| !(31_170..31_190).contains(&port));
                let is_label = matches!(
                    name.as_str(),
                    "batch.kubernetes.io/controller-uid" | "controller-uid"
                );
                if is_address || is_reference || is_port || is_label {
                    *value = json!("<some>");
                } else {
                    hide(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide),
        _ => {}
    }
}

/// Takes out of messages where the real server has unpacked the archive.
pub(crate) fn without_folders(results: Value) -> Value {
    match results {
        Value::String(text) => {
            let Some((before, after)) = text.split_once("/resources") else {
                return Value::String(text);
            };
            let kept = before.rfind([' ', '"']).map_or("", |end| &before[..=end]);
            Value::String(format!("{kept}resources{after}"))
        }
        Value::Array(items) => items.into_iter().map(without_folders).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(key, value)| (key, without_folders(value)))
            .collect(),
        other => other,
    }
}

/// Sorts messages: a real server takes namespaces in no order.
pub(crate) fn sorted(mut results: Value) -> Value {
    for severity in ["errors", "warnings"] {
        for list in ["velero", "cluster"] {
            sort(&mut results[severity], list);
        }
        if let Some(namespaces) = results[severity]["namespaces"].as_object_mut() {
            for messages in namespaces.values_mut() {
                sort_list(messages);
            }
        }
    }
    results
}

fn sort(results: &mut Value, list: &str) {
    if let Some(messages) = results.get_mut(list) {
        sort_list(messages);
    }
}

fn sort_list(messages: &mut Value) {
    if let Some(messages) = messages.as_array_mut() {
        messages.sort_by_key(ToString::to_string);
    }
}

/// A new namespace gets its account `default` from a controller. On a busy machine that comes after Velero, which
/// then makes the account itself.
fn whoever_came_first(outcome: &mut Value) {
    let accounts = outcome["list"]["v1/ServiceAccount"].as_array_mut();
    for account in accounts.into_iter().flatten() {
        let text = account.as_str().unwrap_or_default();
        if let Some(namespace) = text.strip_suffix("/default(created)") {
            *account = json!(format!("{namespace}/default(skipped)"));
        }
    }
}

/// Where two outcomes differ: a path, and both sides.
pub(crate) fn differences(real: &Outcome, simulated: &Outcome) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let (mut real, mut simulated) = (json!(real), json!(simulated));
    for outcome in [&mut real, &mut simulated] {
        whoever_came_first(outcome);
    }
    compare("", &real, &simulated, &mut found);
    found
}

fn compare(path: &str, real: &Value, simulated: &Value, found: &mut Vec<(String, String)>) {
    match (real, simulated) {
        (Value::Object(left), Value::Object(right)) => {
            let mut keys: Vec<&String> = left.keys().chain(right.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let escaped = key.replace('/', "~");
                let none = Value::Null;
                let sides = (
                    left.get(key).unwrap_or(&none),
                    right.get(key).unwrap_or(&none),
                );
                compare(&format!("{path}/{escaped}"), sides.0, sides.1, found);
            }
        }
        (left, right) if left == right => {}
        (left, right) => found.push((path.to_owned(), format!("real {left}, simulated {right}"))),
    }
}
