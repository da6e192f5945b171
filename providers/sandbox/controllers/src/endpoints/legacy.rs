//! The older form of the same.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::json;

use super::HEADLESS;
use super::serves;
use super::slice_ports;
use super::target;
use crate::object::is_deleting;
use crate::object::name;
use crate::object::namespace;

/// How many addresses an Endpoints object holds.
const MOST_ADDRESSES: usize = 1_000;

/// The Endpoints of a Service with those pods behind it.
pub(super) fn endpoints(service: &Value, pods: &[&Value]) -> Value {
    let mut subsets: BTreeMap<String, Value> = BTreeMap::new();
    for pod in pods
        .iter()
        .filter(|pod| !is_deleting(pod))
        .take(MOST_ADDRESSES)
    {
        let mut ports = slice_ports(service, pod);
        for port in ports.as_array_mut().into_iter().flatten() {
            if port["name"] == ""
                && let Some(port) = port.as_object_mut()
            {
                port.remove("name");
            }
        }
        let subset = subsets.entry(ports.to_string()).or_insert_with(|| {
            if ports.as_array().is_none_or(Vec::is_empty) {
                json!({})
            } else {
                json!({"ports": ports})
            }
        });
        let field = if serves(service, pod) {
            "addresses"
        } else {
            "notReadyAddresses"
        };
        let mut address = json!({
            "ip": pod["status"]["podIP"],
            "nodeName": pod["spec"]["nodeName"],
            "targetRef": target(pod),
        });
        if pod["spec"]["subdomain"] == name(service) && pod["spec"]["hostname"].is_string() {
            address["hostname"] = pod["spec"]["hostname"].clone();
        }
        if !subset[field].is_array() {
            subset[field] = json!([]);
        }
        if let Some(list) = subset[field].as_array_mut() {
            list.push(address);
        }
    }
    let mut labels = match &service["metadata"]["labels"] {
        Value::Object(given) => Value::Object(given.clone()),
        _ => json!({}),
    };
    labels["endpoints.kubernetes.io/managed-by"] = "endpoint-controller".into();
    if service["spec"]["clusterIP"] == "None" {
        labels[HEADLESS] = "".into();
    }
    let mut made = json!({
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {
            "name": name(service),
            "namespace": namespace(service),
            "labels": labels,
        },
    });
    if !subsets.is_empty() {
        made["subsets"] = subsets.into_values().collect();
    }
    made
}
