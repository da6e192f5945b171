//! Pods: free of their node and their token, and with what they need.

use serde_json::Value;

use super::Done;
use super::typed;
use crate::archive::Path;
use crate::text::items;
use crate::text::namespace;
use crate::text::text;

/// The claims of a pod come before it.
pub(super) fn with_claims(object: Value) -> Done {
    let needs = items(&object, "/spec/volumes")
        .iter()
        .map(|volume| text(volume, "/persistentVolumeClaim/claimName"))
        .filter(|claim| !claim.is_empty())
        .map(|claim| Path::new("persistentvolumeclaims", namespace(&object), claim))
        .collect();
    Done {
        object: Some(object),
        needs,
    }
}

pub(super) fn free(object: Value) -> Done {
    let mut object = typed(object);
    let prefix = format!("{}-token-", text(&object, "/spec/serviceAccountName"));
    let class = text(&object, "/spec/priorityClassName").to_owned();
    if let Some(spec) = object["spec"].as_object_mut() {
        spec.remove("nodeName");
        spec.remove("priority");
        let is_token = |name: &Value| name.as_str().is_some_and(|name| name.starts_with(&prefix));
        if let Some(volumes) = spec.get_mut("volumes").and_then(Value::as_array_mut) {
            volumes.retain(|volume| !is_token(&volume["name"]));
        }
        for list in ["containers", "initContainers"] {
            let containers = spec.get_mut(list).and_then(Value::as_array_mut);
            for container in containers.into_iter().flatten() {
                if let Some(mounts) = container["volumeMounts"].as_array_mut() {
                    mounts.retain(|mount| !is_token(&mount["name"]));
                }
                if container["volumeMounts"].is_null()
                    && let Some(container) = container.as_object_mut()
                {
                    container.remove("volumeMounts");
                }
            }
        }
    }
    let mut needs = Vec::new();
    if !class.is_empty() {
        needs.push(Path::new("priorityclasses.scheduling.k8s.io", "", &class));
    }
    Done {
        object: Some(object),
        needs,
    }
}
