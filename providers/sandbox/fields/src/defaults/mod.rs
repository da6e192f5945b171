//! What an object gets by itself when it is read: the values of fields that nobody set.
//!
//! Built-in objects get what the real server's own types get; custom ones what their schema says.
//! What only a controller or an admission plugin adds (addresses, tolerations, tokens) is not here.

mod pod;
mod workload;

pub(crate) use workload::TEMPLATE_GENERATION;

use serde_json::Value;
use serde_json::json;

use crate::TypeInfo;
use crate::decode_error;
use crate::normal;
use crate::schema::Cursor;
use crate::schema::Shape;

/// Brings an object into the form in which the real server reads and stores it: empty fields of
/// built-in types come or go, quantities become canonical, and absent fields get their defaults.
///
/// Doing it twice changes nothing more. An object that fails [`decode_error`] is left alone.
pub fn default(ty: &TypeInfo, object: &mut Value) {
    if ty.custom {
        from_schema(ty.schema.root(), object, Nulls::Go);
        normal::normalise_metadata(ty, object);
        return;
    }
    // What cannot be read has no defaults either.
    if decode_error(ty, object).is_some() {
        return;
    }
    normal::normalise(ty, object);
    match (ty.group.as_str(), ty.kind.as_str()) {
        ("apps" | "batch", _) | ("", "ReplicationController") => {
            workload::default(&ty.kind, object)
        }
        ("", "Pod") => pod::whole(object),
        ("", "PodTemplate") => pod::template(&mut object["template"]),
        _ => other(ty, object),
    }
}

/// The defaults of a custom object, which keeps each `null` for which there is none.
pub(crate) fn default_keeping_nulls(ty: &TypeInfo, object: &mut Value) {
    from_schema(ty.schema.root(), object, Nulls::Stay);
    normal::normalise_metadata(ty, object);
}

/// What becomes of a `null` that may not be and has no default.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Nulls {
    Go,
    Stay,
}

fn from_schema(at: Cursor<'_>, value: &mut Value, nulls: Nulls) {
    match (at.shape(), value) {
        (Shape::Record(record), Value::Object(map)) => {
            for (name, child) in record
                .fields
                .keys()
                .filter_map(|name| Some((name, at.declared(name)?.1)))
            {
                let node = child.node();
                let null = map.get(name) == Some(&Value::Null) && !node.nullable;
                match &node.default {
                    Some(default) if null || !map.contains_key(name) => {
                        map.insert(name.clone(), default.clone());
                    }
                    // `metadata` is read with its own type.
                    None if null
                        && nulls == Nulls::Go
                        && !matches!(child.shape(), Shape::Any { .. }) =>
                    {
                        map.remove(name);
                    }
                    _ => {}
                }
                if let Some(value) = map.get_mut(name) {
                    from_schema(child, value, nulls);
                }
            }
        }
        (Shape::Map { .. }, Value::Object(map)) => {
            for (key, value) in map {
                if let Some(child) = at.child(key) {
                    from_schema(child, value, nulls);
                }
            }
        }
        (Shape::List(_), Value::Array(values)) => {
            values
                .iter_mut()
                .for_each(|value| from_schema(at.item(), value, nulls));
        }
        _ => {}
    }
}

/// Sets a field unless it has a value; an empty text is none.
fn put(object: &mut Value, name: &str, value: Value) {
    if object.is_null() {
        *object = json!({});
    }
    if let Some(map) = object.as_object_mut() {
        let has = map
            .get(name)
            .is_some_and(|old| !old.is_null() && old.as_str() != Some(""));
        if !has {
            map.insert(name.to_owned(), value);
        }
    }
}

/// Sets fields of a part of an object; the part comes into being if it must.
fn put_all(object: &mut Value, defaults: Value) {
    if let Value::Object(defaults) = defaults {
        for (name, value) in defaults {
            put(object, &name, value);
        }
    }
}

fn each(value: &mut Value) -> impl Iterator<Item = &mut Value> {
    value.as_array_mut().into_iter().flatten()
}

/// A part of an object, if it is there; nothing comes into being.
fn part<'a>(object: &'a mut Value, name: &str) -> Option<&'a mut Value> {
    object.get_mut(name).filter(|part| !part.is_null())
}

/// The elements of a list in an object, if it is there.
fn all<'a>(object: &'a mut Value, name: &str) -> impl Iterator<Item = &'a mut Value> {
    object.get_mut(name).into_iter().flat_map(each)
}

fn other(ty: &TypeInfo, object: &mut Value) {
    match ty.kind.as_str() {
        "Service" => {
            service(&mut object["spec"]);
            if let Some(balancer) = part(&mut object["status"], "loadBalancer") {
                all(balancer, "ingress")
                    .filter(|ingress| ingress["ip"].is_string())
                    .for_each(|ingress| put(ingress, "ipMode", json!("VIP")));
            }
        }
        "PersistentVolumeClaim" => claim(object),
        "PersistentVolume" => {
            let defaults =
                json!({ "persistentVolumeReclaimPolicy": "Retain", "volumeMode": "Filesystem" });
            put_all(&mut object["spec"], defaults);
            if let Some(path) = part(&mut object["spec"], "hostPath") {
                put(path, "type", json!(""));
            }
            put(&mut object["status"], "phase", json!("Pending"));
        }
        "Secret" => secret(object),
        "Namespace" => namespace(object),
        "Node" => {
            if let Some(capacity) = object["status"].get("capacity").cloned() {
                put(&mut object["status"], "allocatable", capacity);
            }
        }
        "Endpoints" => {
            let ports = all(object, "subsets").flat_map(|subset| all(subset, "ports"));
            ports.for_each(|port| put(port, "protocol", json!("TCP")));
        }
        "EndpointSlice" => {
            for port in all(object, "ports") {
                let absent = port["name"].is_null();
                put(port, "protocol", json!("TCP"));
                if absent {
                    port["name"] = json!("");
                }
            }
        }
        "RoleBinding" | "ClusterRoleBinding" => binding(object),
        "NetworkPolicy" => network_policy(&mut object["spec"]),
        "StorageClass" => put_all(
            object,
            json!({ "reclaimPolicy": "Delete", "volumeBindingMode": "Immediate" }),
        ),
        "CSIDriver" => put_all(
            &mut object["spec"],
            json!({
                "attachRequired": true,
                "podInfoOnMount": false,
                "storageCapacity": false,
                "fsGroupPolicy": "ReadWriteOnceWithFSType",
                "volumeLifecycleModes": ["Persistent"],
                "requiresRepublish": false,
                "seLinuxMount": false,
            }),
        ),
        "PriorityClass" => put(object, "preemptionPolicy", json!("PreemptLowerPriority")),
        "HorizontalPodAutoscaler" => autoscaler(&ty.version, &mut object["spec"]),
        "LimitRange" => all(&mut object["spec"], "limits").for_each(limit),
        "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration" => {
            let mutating = ty.kind.starts_with("Mutating");
            all(object, "webhooks").for_each(|webhook| self::webhook(webhook, mutating));
        }
        "ValidatingAdmissionPolicy" => admission_policy(&mut object["spec"]),
        "FlowSchema" if object["spec"]["matchingPrecedence"] == 0 => {
            object["spec"]["matchingPrecedence"] = json!(1000);
        }
        "PriorityLevelConfiguration" => {
            if let Some(limited) = part(&mut object["spec"], "limited") {
                put(limited, "lendablePercent", json!(0));
            }
        }
        "CustomResourceDefinition" => definition(object),
        "APIService" => {
            if let Some(service) = part(&mut object["spec"], "service") {
                put(service, "port", json!(443));
            }
        }
        _ => {}
    }
}

fn service(spec: &mut Value) {
    put_all(
        spec,
        json!({ "sessionAffinity": "None", "type": "ClusterIP" }),
    );
    if spec["sessionAffinity"] == "ClientIP" {
        put(
            &mut spec["sessionAffinityConfig"]["clientIP"],
            "timeoutSeconds",
            json!(10_800),
        );
    }
    for port in all(spec, "ports") {
        put(port, "protocol", json!("TCP"));
        let target = &port["targetPort"];
        if target.is_null() || *target == 0 || *target == "" {
            port["targetPort"] = port["port"].clone();
        }
    }
    let kind = spec["type"].as_str().unwrap_or_default().to_owned();
    if kind != "ExternalName" {
        put(spec, "internalTrafficPolicy", json!("Cluster"));
    }
    if kind == "NodePort" || kind == "LoadBalancer" {
        put(spec, "externalTrafficPolicy", json!("Cluster"));
    }
    if kind == "LoadBalancer" {
        put(spec, "allocateLoadBalancerNodePorts", json!(true));
    }
}

fn claim(claim: &mut Value) {
    put(&mut claim["status"], "phase", json!("Pending"));
    put(&mut claim["spec"], "volumeMode", json!("Filesystem"));
}

/// Text given in `stringData` is stored in `data`.
fn secret(secret: &mut Value) {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    put(secret, "type", json!("Opaque"));
    let Some(map) = secret.as_object_mut() else {
        return;
    };
    if let Some(Value::Object(texts)) = map.remove("stringData") {
        let data = map.entry("data").or_insert_with(|| json!({}));
        if let Some(data) = data.as_object_mut() {
            for (key, text) in texts {
                let text = text.as_str().unwrap_or_default();
                data.insert(key, json!(STANDARD.encode(text)));
            }
        }
    }
}

/// The label that says the name of a namespace.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

fn namespace(namespace: &mut Value) {
    let name = namespace["metadata"]["name"].clone();
    put(&mut namespace["status"], "phase", json!("Active"));
    if name.as_str().is_some_and(|name| !name.is_empty()) {
        let labels = &mut namespace["metadata"]["labels"];
        if labels.is_null() {
            *labels = json!({});
        }
        // Whatever a client says.
        if let Some(labels) = labels.as_object_mut() {
            labels.insert(NAME_LABEL.to_owned(), name);
        }
    }
}

const RBAC: &str = "rbac.authorization.k8s.io";

fn binding(binding: &mut Value) {
    put(&mut binding["roleRef"], "apiGroup", json!(RBAC));
    for subject in all(binding, "subjects") {
        if subject["kind"] == "User" || subject["kind"] == "Group" {
            put(subject, "apiGroup", json!(RBAC));
        }
    }
}

fn network_policy(spec: &mut Value) {
    let has_egress = spec["egress"]
        .as_array()
        .is_some_and(|rules| !rules.is_empty());
    let types = if has_egress {
        json!(["Ingress", "Egress"])
    } else {
        json!(["Ingress"])
    };
    put(spec, "policyTypes", types);
    for direction in ["ingress", "egress"] {
        let ports = all(spec, direction).flat_map(|rule| all(rule, "ports"));
        ports.for_each(|port| put(port, "protocol", json!("TCP")));
    }
}

fn autoscaler(version: &str, spec: &mut Value) {
    put(spec, "minReplicas", json!(1));
    if version == "v1" {
        put(spec, "targetCPUUtilizationPercentage", json!(80));
    } else {
        let cpu =
            json!({ "name": "cpu", "target": { "type": "Utilization", "averageUtilization": 80 } });
        put(
            spec,
            "metrics",
            json!([{ "type": "Resource", "resource": cpu }]),
        );
    }
}

/// A request defaults to the default limit, and that to the maximum.
fn limit(limit: &mut Value) {
    if limit["type"] != "Container" {
        return;
    }
    for (to, from) in [
        ("default", "max"),
        ("defaultRequest", "default"),
        ("defaultRequest", "min"),
    ] {
        if let Value::Object(values) = limit[from].clone() {
            for (name, value) in values {
                put(&mut limit[to], &name, value);
            }
        }
        let empty = limit.get(to).is_some_and(Value::is_null);
        if let Some(map) = limit.as_object_mut().filter(|_| empty) {
            map.remove(to);
        }
    }
    if let Some(map) = limit.as_object_mut() {
        map.retain(|_, value| !value.is_null());
    }
}

fn webhook(webhook: &mut Value, mutating: bool) {
    put_all(
        webhook,
        json!({
            "failurePolicy": "Fail",
            "matchPolicy": "Equivalent",
            "namespaceSelector": {},
            "objectSelector": {},
            "timeoutSeconds": 10,
        }),
    );
    if mutating {
        put(webhook, "reinvocationPolicy", json!("Never"));
    }
    all(webhook, "rules").for_each(|rule| put(rule, "scope", json!("*")));
    if let Some(service) = part(&mut webhook["clientConfig"], "service") {
        put(service, "port", json!(443));
    }
}

fn admission_policy(spec: &mut Value) {
    put(spec, "failurePolicy", json!("Fail"));
    if let Some(constraints) = part(spec, "matchConstraints") {
        let everything =
            json!({ "matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": {} });
        put_all(constraints, everything);
        for list in ["resourceRules", "excludeResourceRules"] {
            all(constraints, list).for_each(|rule| put(rule, "scope", json!("*")));
        }
    }
}

fn definition(definition: &mut Value) {
    let names = &mut definition["spec"]["names"];
    let kind = names["kind"].as_str().unwrap_or_default().to_owned();
    put(names, "singular", json!(kind.to_lowercase()));
    put(names, "listKind", json!(format!("{kind}List")));
    put(
        &mut definition["spec"],
        "conversion",
        json!({ "strategy": "None" }),
    );
    let versions = definition["spec"]["versions"]
        .as_array()
        .into_iter()
        .flatten();
    let stored = versions
        .filter(|version| version["storage"] == true)
        .map(|version| version["name"].clone());
    let stored: Vec<_> = stored.collect();
    let status = &mut definition["status"];
    if status["storedVersions"]
        .as_array()
        .is_none_or(Vec::is_empty)
        && !stored.is_empty()
    {
        status["storedVersions"] = Value::Array(stored);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtins;

    #[test]
    fn defaults_of_every_kind_are_stable() {
        for ty in builtins() {
            let mut once = json!({
                "apiVersion": ty.api_version(),
                "kind": ty.kind,
                "metadata": { "name": "a" },
            });
            default(ty, &mut once);
            let mut twice = once.clone();
            default(ty, &mut twice);
            assert_eq!(once, twice, "{}", ty.kind);
        }
    }
}
