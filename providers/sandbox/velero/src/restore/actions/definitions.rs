//! Jobs, webhooks and APIs: what a cluster sets itself must not come back.

use serde_json::Value;
use serde_json::json;

use super::Done;
use super::typed;
use crate::text::label;

/// What a Job's controller writes on its pods.
const CONTROLLER: &[&str] = &["batch.kubernetes.io/controller-uid", "controller-uid"];

/// What marks an API that the server registers itself.
const AUTOMATIC: &str = "kube-aggregator.kubernetes.io/automanaged";

pub(super) fn job(object: Value) -> Value {
    let mut object = typed(object);
    for path in [
        "/spec/selector/matchLabels",
        "/spec/template/metadata/labels",
    ] {
        if let Some(labels) = object.pointer_mut(path).and_then(Value::as_object_mut) {
            labels.retain(|key, _| !CONTROLLER.contains(&&**key));
        }
    }
    object
}

/// Says that webhooks have no side effects where they say what is no longer allowed.
pub(super) fn webhooks(mut object: Value) -> Value {
    if object["apiVersion"] != "admissionregistration.k8s.io/v1" {
        return object;
    }
    for webhook in object["webhooks"].as_array_mut().into_iter().flatten() {
        if !matches!(
            webhook["sideEffects"].as_str(),
            Some("None" | "NoneOnDryRun")
        ) {
            webhook["sideEffects"] = json!("None");
        }
    }
    object
}

/// APIs that the server registers itself do not come back.
pub(super) fn api_service(object: Value) -> Done {
    let is_automatic = !label(&object, AUTOMATIC).is_empty();
    Done {
        object: (!is_automatic).then_some(object),
        needs: Vec::new(),
    }
}
