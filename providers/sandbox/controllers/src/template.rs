//! Pods that are made from templates, and how templates are compared.

use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;

use crate::condition;
use crate::object::is_deleting;
use crate::object::later;
use crate::object::map_at;
use crate::object::name;
use crate::object::namespace;
use crate::object::number;
use crate::object::owner_reference;
use crate::object::same_without;
use crate::object::seconds;
use crate::object::time;

/// The label that tells the ReplicaSets of a Deployment apart.
pub(crate) const TEMPLATE_HASH: &str = "pod-template-hash";

/// A pod from a template, managed by its owner.
pub(crate) fn pod(owner: &Value, template: &Value, pod_name: &str) -> Value {
    let mut metadata = json!({
        "name": pod_name,
        "namespace": namespace(owner),
        "ownerReferences": [owner_reference(owner)],
    });
    for field in ["labels", "annotations", "finalizers"] {
        let given = &template["metadata"][field];
        if !given.is_null() {
            metadata[field] = given.clone();
        }
    }
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": template["spec"],
    })
}

/// As [`pod`], with the stem that its name was generated from.
pub(crate) fn generated_pod(owner: &Value, template: &Value, pod_name: &str) -> Value {
    let mut made = pod(owner, template, pod_name);
    made["metadata"]["generateName"] = format!("{}-", name(owner)).into();
    made
}

pub(crate) fn set_label(object: &mut Value, key: &str, value: &str) {
    let labels = map_at(&mut object["metadata"], "labels");
    labels.insert(key.to_owned(), value.into());
}

/// Whether two templates make the same pods.
///
/// Old servers wrote `creationTimestamp: null` and empty maps that new ones leave out.
pub(crate) fn same_template(a: &Value, b: &Value) -> bool {
    same_without(a, b, &[TEMPLATE_HASH, "$patch"])
}

/// A template as its hash is made: without the hash label, without what is empty.
pub(crate) fn comparable(template: &Value) -> Value {
    let mut template = template.clone();
    if let Some(labels) = template["metadata"]["labels"].as_object_mut() {
        labels.remove(TEMPLATE_HASH);
    }
    without_empty(&template).unwrap_or(Value::Null)
}

fn without_empty(value: &Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Object(map) => {
            let kept = map
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), without_empty(value)?)));
            let kept: serde_json::Map<_, _> = kept.collect();
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        // The places of elements count, so that none is dropped.
        Value::Array(list) => (!list.is_empty()).then(|| {
            let kept = list.iter().map(|v| without_empty(v).unwrap_or(json!({})));
            kept.collect()
        }),
        other => Some(other.clone()),
    }
}

/// How a pod is, for who manages it.
pub(crate) fn is_finished(pod: &Value) -> bool {
    pod["status"]["phase"] == "Succeeded" || pod["status"]["phase"] == "Failed"
}

pub(crate) fn is_active(pod: &Value) -> bool {
    !is_finished(pod) && !is_deleting(pod)
}

pub(crate) fn is_ready(pod: &Value) -> bool {
    condition::is_true(&pod["status"], "Ready")
}

/// When a pod is (or will be, unless it fails) available; `None` while it is not ready.
pub(crate) fn available_at(pod: &Value, min_ready_seconds: &Value) -> Option<Timestamp> {
    let ready = condition::find(&pod["status"], "Ready")?;
    if ready["status"] != "True" {
        return None;
    }
    let wait = number(min_ready_seconds, 0);
    if wait == 0 {
        return Some(Timestamp::MIN);
    }
    let since = time(&ready["lastTransitionTime"])?;
    Some(later(since, seconds(wait)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_equal_without_hash_and_emptiness() {
        let old = json!({"metadata": {"creationTimestamp": null, "labels": {"app": "a", "pod-template-hash": "x"}},
            "spec": {"containers": [{"name": "c", "resources": {}}], "securityContext": {}}});
        let new =
            json!({"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "c"}]}});
        assert!(same_template(&old, &new));
        assert_eq!(comparable(&old), comparable(&new));
        let other =
            json!({"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "d"}]}});
        assert!(!same_template(&other, &new));
        assert_ne!(comparable(&other), comparable(&new));
    }
}
