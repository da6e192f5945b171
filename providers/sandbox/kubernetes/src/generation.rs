//! `metadata.generation`: which types count changes of what they shall be, and when.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::object;
use crate::types::Served;

/// The built-in kinds that count.
const COUNTING: &[&str] = &[
    "CronJob",
    "CustomResourceDefinition",
    "DaemonSet",
    "Deployment",
    "EndpointSlice",
    "FlowSchema",
    "Ingress",
    "IngressClass",
    "Job",
    "MutatingWebhookConfiguration",
    "NetworkPolicy",
    "Pod",
    "PodDisruptionBudget",
    "PodTemplate",
    "PriorityClass",
    "PriorityLevelConfiguration",
    "ReplicaSet",
    "ReplicationController",
    "ResourceSlice",
    "StatefulSet",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
];

fn counts(served: &Served) -> bool {
    served.info.custom || COUNTING.contains(&served.info.kind.as_str())
}

/// The generation of a new object.
pub(crate) fn first(served: &Served) -> Option<u64> {
    counts(served).then_some(1)
}

/// Counts on when anything but metadata and status changed; for Deployments annotations count too.
pub(crate) fn follow(served: &Served, before: &Value, new: &mut Value) {
    let annotated = served.info.kind == "Deployment"
        && !served.info.custom
        && own_annotations(before) != own_annotations(new);
    if counts(served) && (annotated || !same_wish(before, new)) {
        bump(new);
    }
}

/// The annotations without the mark that the controller leaves.
fn own_annotations(json: &Value) -> Map<String, Value> {
    let annotations = json
        .pointer("/metadata/annotations")
        .and_then(Value::as_object);
    let mut annotations = annotations.cloned().unwrap_or_default();
    annotations.remove("deployment.kubernetes.io/revision");
    annotations
}

/// Counts on whatever changed, if the object counts at all.
pub(crate) fn bump(json: &mut Value) {
    let current = json["metadata"]["generation"].as_u64();
    if let Some(current) = current {
        object::metadata(json).insert("generation".to_owned(), json!(current + 1));
    }
}

fn same_wish(before: &Value, new: &Value) -> bool {
    let fields = |json: &Value| {
        let mut fields = json.as_object().cloned().unwrap_or_default();
        fields.remove("metadata");
        fields.remove("status");
        fields.retain(|_, value| !value.is_null());
        fields
    };
    fields(before) == fields(new)
}
