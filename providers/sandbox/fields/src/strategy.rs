//! What a server takes from its own object instead of from the client's.

use serde_json::Value;
use serde_json::json;

use crate::TypeInfo;
use crate::defaults::TEMPLATE_GENERATION;

/// Forgets what a client cannot set on a new object: its status, where that is a subresource.
///
/// The real server does it after it has written down the owners ([`crate::owners::update`]) of the
/// object with its defaults; afterwards the object wants its defaults again.
pub fn prepare_create(ty: &TypeInfo, new: &mut Value) {
    // A node registers with its status.
    if ty.status && ty.kind != "Node" {
        remove(new, "status");
    }
    if ty.custom {
        return;
    }
    match ty.kind.as_str() {
        "Namespace" => put(new, "spec", json!({ "finalizers": ["kubernetes"] })),
        "Pod" => {
            let class = quality(&new["spec"]);
            put(
                new,
                "status",
                json!({ "phase": "Pending", "qosClass": class }),
            );
        }
        "DaemonSet" => put_annotation(new, TEMPLATE_GENERATION, "1".to_owned()),
        _ => {}
    }
}

/// Takes from `old` what a write through this subresource cannot change.
///
/// Leaves `metadata.managedFields` alone. For the order see [`prepare_create`].
pub fn prepare_update(ty: &TypeInfo, old: &Value, new: &mut Value, subresource: Option<&str>) {
    match subresource {
        None => {
            if ty.status {
                take(old, new, "status");
            }
            update_spec(ty, old, new);
        }
        Some("status") if ty.custom => {
            let status = new.get("status").cloned();
            let owners = new.pointer_mut("/metadata/managedFields").map(Value::take);
            *new = old.clone();
            match status {
                Some(status) => put(new, "status", status),
                None => remove(new, "status"),
            }
            if let Some(meta) = new.get_mut("metadata") {
                match owners {
                    Some(owners) => put(meta, "managedFields", owners),
                    None => remove(meta, "managedFields"),
                }
            }
        }
        Some("status") => {
            take(old, new, "spec");
            let labels = old["metadata"].get("labels").cloned();
            if let Some(meta) = new.get_mut("metadata").and_then(Value::as_object_mut)
                && ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"]
                    .contains(&ty.kind.as_str())
            {
                meta.remove("labels");
                meta.extend(labels.map(|labels| ("labels".to_owned(), labels)));
            }
        }
        _ => {}
    }
}

fn update_spec(ty: &TypeInfo, old: &Value, new: &mut Value) {
    match ty.kind.as_str() {
        "DaemonSet" if !ty.custom => {
            let annotation = &old["metadata"]["annotations"][TEMPLATE_GENERATION];
            let before: u64 = annotation
                .as_str()
                .and_then(|text| text.parse().ok())
                .unwrap_or(1);
            let changed = old["spec"]["template"] != new["spec"]["template"];
            put_annotation(
                new,
                TEMPLATE_GENERATION,
                (before + u64::from(changed)).to_string(),
            );
        }
        "Service" if !ty.custom => {
            let becomes_a_name =
                old["spec"]["type"] != "ExternalName" && new["spec"]["type"] == "ExternalName";
            if let Some(spec) = new.get_mut("spec").filter(|_| becomes_a_name) {
                for name in [
                    "clusterIP",
                    "clusterIPs",
                    "ipFamilies",
                    "ipFamilyPolicy",
                    "internalTrafficPolicy",
                ] {
                    if spec.get(name) == old["spec"].get(name) {
                        remove(spec, name);
                    }
                }
            }
        }
        _ => {}
    }
}

fn put_annotation(object: &mut Value, name: &str, value: String) {
    let Some(meta) = object.get_mut("metadata").and_then(Value::as_object_mut) else {
        return;
    };
    let annotations = meta.entry("annotations").or_insert(Value::Null);
    if annotations.is_null() {
        *annotations = json!({});
    }
    put(annotations, name, Value::String(value));
}

fn remove(object: &mut Value, name: &str) {
    if let Some(map) = object.as_object_mut() {
        map.remove(name);
    }
}

fn put(object: &mut Value, name: &str, value: Value) {
    if let Some(map) = object.as_object_mut() {
        map.insert(name.to_owned(), value);
    }
}

fn take(old: &Value, new: &mut Value, name: &str) {
    match old.get(name) {
        Some(value) => put(new, name, value.clone()),
        None => remove(new, name),
    }
}

/// How a Pod is served when resources run short.
fn quality(spec: &Value) -> &'static str {
    let containers = ["initContainers", "containers"]
        .into_iter()
        .flat_map(|list| spec[list].as_array().into_iter().flatten());
    let (mut any, mut all) = (false, true);
    for container in containers {
        let of = |kind: &str, name: &str| container["resources"][kind].get(name).cloned();
        for name in ["cpu", "memory"] {
            let (request, limit) = (of("requests", name), of("limits", name));
            any |= request.is_some() || limit.is_some();
            all &= limit.is_some() && (request.is_none() || request == limit);
        }
    }
    match (any, all) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtins;

    fn find(kind: &str) -> &'static TypeInfo {
        builtins().iter().find(|ty| ty.kind == kind).unwrap()
    }

    #[test]
    fn status_and_the_rest_change_through_their_own_doors() {
        let old = json!({ "metadata": {}, "spec": { "replicas": 1 }, "status": { "replicas": 1 } });
        let new = json!({ "metadata": {}, "spec": { "replicas": 2 }, "status": { "replicas": 2 } });
        for (door, spec, status) in [(None, 2, 1), (Some("status"), 1, 2)] {
            let mut object = new.clone();
            prepare_update(find("Deployment"), &old, &mut object, door);
            assert_eq!(object["spec"]["replicas"], spec);
            assert_eq!(object["status"]["replicas"], status);
        }
    }

    #[test]
    fn a_pod_knows_how_it_is_served() {
        let class = |resources: Value| {
            let mut pod =
                json!({ "spec": { "containers": [{ "name": "a", "resources": resources }] } });
            prepare_create(find("Pod"), &mut pod);
            pod["status"]["qosClass"].as_str().unwrap().to_owned()
        };
        assert_eq!(class(json!({})), "BestEffort");
        assert_eq!(class(json!({ "requests": { "cpu": "1" } })), "Burstable");
        assert_eq!(
            class(json!({ "limits": { "cpu": "1", "memory": "1Gi" } })),
            "Guaranteed"
        );
    }
}
