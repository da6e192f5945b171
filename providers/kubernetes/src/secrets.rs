//! Secrets that something waits for. A status hints at them at best: a volume whose Secret is missing
//! shows in an event only. So those that a specification names are looked for by name.

use std::collections::BTreeSet;
use std::time::Duration;

use drplan_api::ErrorKind;
use drplan_api::Json;

use crate::KubeConn;
use crate::asks::TypeRef;

/// What is asked for: that it is there, and none of its values.
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
/// How many Secrets are looked for at once.
const NAMES_MAX: usize = 20;
/// How long that may take in all: it explains a wait, and must not be one.
const LOOK_MAX: Duration = Duration::from_secs(2);

/// Lists the Secrets that pods of an object cannot start without: those of a pod, or of the template of
/// a workload. What is optional is left out.
pub fn needed(object: &Json) -> BTreeSet<&str> {
    let spec = &object["spec"];
    let spec = match object["kind"].as_str() {
        Some("Pod") => spec,
        Some("CronJob") => &spec["jobTemplate"]["spec"]["template"]["spec"],
        _ => &spec["template"]["spec"],
    };
    let pulls = items(&spec["imagePullSecrets"]).map(|secret| (secret, "name"));
    let volumes = items(&spec["volumes"]).map(|volume| (&volume["secret"], "secretName"));
    let projected = items(&spec["volumes"])
        .flat_map(|volume| items(&volume["projected"]["sources"]))
        .map(|source| (&source["secret"], "name"));
    let containers = || items(&spec["initContainers"]).chain(items(&spec["containers"]));
    let whole = containers()
        .flat_map(|container| items(&container["envFrom"]))
        .map(|from| (&from["secretRef"], "name"));
    let single = containers()
        .flat_map(|container| items(&container["env"]))
        .map(|variable| (&variable["valueFrom"]["secretKeyRef"], "name"));
    let all = pulls
        .chain(volumes)
        .chain(projected)
        .chain(whole)
        .chain(single);
    let needed = all.filter(|(reference, _)| reference["optional"] != true);
    needed
        .filter_map(|(reference, field)| reference[field].as_str())
        .collect()
}

fn items(list: &Json) -> impl Iterator<Item = &Json> {
    list.as_array().into_iter().flatten()
}

/// Names those of some Secrets that are not there, for who waits for what needs them; `None` if all are
/// there, or nobody may look.
pub async fn absent(conn: &KubeConn, namespace: &str, names: &BTreeSet<&str>) -> Option<String> {
    let missing = tokio::time::timeout(LOOK_MAX, missing(conn, namespace, names)).await;
    match missing.unwrap_or_default().as_slice() {
        [] => None,
        [one] => Some(format!("Secret {one} is not there")),
        several => Some(format!("Secrets {} are not there", several.join(", "))),
    }
}

/// Stops at the first that nobody may look for, or that cannot be asked for now.
async fn missing(conn: &KubeConn, namespace: &str, names: &BTreeSet<&str>) -> Vec<String> {
    let of = TypeRef::new("", "v1", "secrets");
    let mut out = Vec::new();
    for name in names.iter().take(NAMES_MAX) {
        let path = of.path(Some(namespace), Some(name));
        let during = format!("look for the Secret `{namespace}/{name}`");
        match conn.get_json(&during, &path, Some(METADATA)).await {
            Ok(_) => {}
            Err(error) if error.kind == ErrorKind::NotFound => {
                out.push(format!("`{namespace}/{name}`"));
            }
            Err(_) => break,
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_pods_cannot_start_without_is_found_wherever_it_stands() {
        let pod = json!({
            "imagePullSecrets": [{"name": "pull"}],
            "volumes": [
                {"name": "a", "secret": {"secretName": "volume"}},
                {"name": "b", "secret": {"secretName": "not-needed", "optional": true}},
                {"name": "c", "projected": {"sources": [{"secret": {"name": "projected"}}]}},
                {"name": "d", "configMap": {"name": "map"}},
            ],
            "initContainers": [{"envFrom": [{"secretRef": {"name": "whole"}}]}],
            "containers": [{"env": [
                {"name": "A", "valueFrom": {"secretKeyRef": {"name": "single", "key": "k"}}},
                {"name": "B", "value": "plain"},
            ]}],
        });
        let expected = ["projected", "pull", "single", "volume", "whole"];
        for object in [
            json!({"kind": "Pod", "spec": pod}),
            json!({"kind": "Deployment", "spec": {"template": {"spec": pod}}}),
            json!({"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": {"spec": pod}}}}}),
        ] {
            assert_eq!(needed(&object).into_iter().collect::<Vec<_>>(), expected);
        }
        assert!(needed(&json!({"kind": "ConfigMap", "data": {}})).is_empty());
    }
}
