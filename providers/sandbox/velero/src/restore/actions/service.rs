//! Services: addresses and ports that the cluster gave out stay behind.

use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;

use super::typed;
use crate::restore::execute::Run;
use crate::text::annotation;
use crate::text::items;
use crate::text::text;

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

pub(super) fn free(run: &Run<'_>, object: Value) -> Result<Value, String> {
    let mut object = typed(object);
    if let Some(spec) = object["spec"].as_object_mut()
        && spec.get("clusterIP") != Some(&json!("None"))
    {
        spec.remove("clusterIP");
        spec.remove("clusterIPs");
    }
    if run.restore["spec"]["preserveNodePorts"] != json!(true) {
        let applied = applied(&object)?;
        free_ports(&mut object, applied.as_ref());
        free_health_check(&mut object, applied.as_ref());
    }
    Ok(object)
}

/// What somebody applied, when it is known.
fn applied(object: &Value) -> Result<Option<Value>, String> {
    annotation(object, LAST_APPLIED)
        .map(|text| serde_json::from_str(text).map_err(|error| error.to_string()))
        .transpose()
}

/// Whether any manager of fields gave one of these itself. The cluster's own choices have no manager.
fn is_managed(object: &Value, path: &str) -> bool {
    items(object, "/metadata/managedFields")
        .iter()
        .any(|entry| entry["fieldsV1"].pointer(path).is_some())
}

fn free_ports(object: &mut Value, applied: Option<&Value>) {
    if text(object, "/spec/type") == "ExternalName" {
        return;
    }
    let mut names = BTreeSet::new();
    let mut numbers = BTreeSet::new();
    for port in applied.map_or(&[][..], |applied| items(applied, "/spec/ports")) {
        let number = port["nodePort"]
            .as_i64()
            .or_else(|| port["nodePort"].as_str()?.parse().ok())
            .filter(|number| *number > 0);
        if let Some(number) = number {
            match port["name"].as_str() {
                Some(name) => drop(names.insert(name.to_owned())),
                None => drop(numbers.insert(number)),
            }
        }
    }
    let managed = object["metadata"]["managedFields"].clone();
    let is_managed = |port: &Value| {
        let (number, protocol) = (&port["port"], text(port, "/protocol"));
        let key = format!("k:{{\"port\":{number},\"protocol\":\"{protocol}\"}}");
        managed.as_array().into_iter().flatten().any(|entry| {
            let ports = &entry["fieldsV1"]["f:spec"]["f:ports"];
            !ports[&key]["f:nodePort"].is_null()
        })
    };
    let ports = object
        .pointer_mut("/spec/ports")
        .and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten() {
        let is_kept = match (applied, port["name"].as_str()) {
            (None, _) => is_managed(port),
            (Some(_), Some(name)) => names.contains(name),
            (Some(_), None) => port["nodePort"]
                .as_i64()
                .is_some_and(|n| numbers.contains(&n)),
        };
        if let Some(port) = port.as_object_mut()
            && !is_kept
        {
            port.remove("nodePort");
        }
    }
}

fn free_health_check(object: &mut Value, applied: Option<&Value>) {
    let is_used = text(object, "/spec/externalTrafficPolicy") == "Local"
        && text(object, "/spec/type") == "LoadBalancer";
    let given = applied.and_then(|applied| applied["spec"]["healthCheckNodePort"].as_i64());
    let is_kept =
        given.is_some_and(|port| port != 0) || is_managed(object, "/f:spec/f:healthCheckNodePort");
    if is_used
        && !is_kept
        && let Some(spec) = object["spec"].as_object_mut()
    {
        spec.remove("healthCheckNodePort");
    }
}
