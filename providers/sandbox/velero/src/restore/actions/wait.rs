//! Holds a pod back until its volumes are filled.

use serde_json::Value;
use serde_json::json;

use super::plugin;
use super::typed;
use crate::restore::execute::Run;
use crate::text::namespace;
use crate::text::uid;

const PLUGIN: &str = "velero.io/pod-volume-restore";

/// The names of the container that waits.
const CONTAINERS: &[&str] = &["restore-wait", "restic-wait"];

/// What a container may use that is given nothing else.
const CPU: &str = "100m";
const MEMORY: &str = "128Mi";

/// Who it runs as, unless the pod says otherwise.
const USER: u64 = 1000;

pub(super) async fn hold(run: &Run<'_>, object: Value, original: &Value) -> Result<Value, String> {
    let mut object = typed(object);
    let mut containers = object["spec"]["initContainers"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    containers.retain(|container| {
        container["name"]
            .as_str()
            .is_none_or(|name| !CONTAINERS.contains(&name))
    });
    let volumes = run.volumes_of(&object, namespace(original));
    if !volumes.is_empty() {
        let map = run.plugin(PLUGIN).await?.unwrap_or_default();
        let names: Vec<&String> = volumes.keys().collect();
        containers.insert(0, container(run, &map, &object, &names));
    }
    if let Some(spec) = object["spec"].as_object_mut() {
        if containers.is_empty() {
            spec.remove("initContainers");
        } else {
            spec.insert("initContainers".to_owned(), Value::Array(containers));
        }
    }
    Ok(object)
}

fn container(run: &Run<'_>, map: &Value, pod: &Value, volumes: &[&String]) -> Value {
    let of = |key: &str, or: &str| {
        let mut pairs = plugin::pairs(map);
        let found = pairs.find(|(known, value)| *known == key && !value.is_empty());
        found.map_or_else(|| or.to_owned(), |(_, value)| value.to_owned())
    };
    let field = |path: &str| json!({"fieldRef": {"fieldPath": path}});
    let mounts: Vec<Value> = volumes
        .iter()
        .map(|name| json!({"name": name, "mountPath": format!("/restores/{name}")}))
        .collect();
    json!({
        "name": CONTAINERS[0],
        "image": image(run, &of("image", "")),
        "args": [uid(run.restore)],
        "command": [of("command", "/velero-restore-helper")],
        "env": [
            {"name": "POD_NAMESPACE", "valueFrom": field("metadata.namespace")},
            {"name": "POD_NAME", "valueFrom": field("metadata.name")},
        ],
        "resources": {
            "requests": {"cpu": of("cpuRequest", CPU), "memory": of("memRequest", MEMORY)},
            "limits": {"cpu": of("cpuLimit", CPU), "memory": of("memLimit", MEMORY)},
        },
        "securityContext": security(pod),
        "volumeMounts": mounts,
    })
}

/// The configured image; a name without a registry counts as none.
fn image(run: &Run<'_>, configured: &str) -> String {
    match configured.rsplit_once('/') {
        None => run.image.clone(),
        Some((_, last)) if last.contains(':') => configured.to_owned(),
        Some(_) => format!("{configured}:{}", run.server.options.version),
    }
}

fn security(pod: &Value) -> Value {
    let first = &pod["spec"]["containers"][0]["securityContext"];
    if !first.is_null() {
        return first.clone();
    }
    let mut security = json!({
        "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
        "runAsUser": USER,
        "runAsNonRoot": true,
    });
    let of_pod = &pod["spec"]["securityContext"];
    if !of_pod["runAsUser"].is_null() {
        security["runAsUser"] = of_pod["runAsUser"].clone();
        if of_pod["runAsUser"] == json!(0)
            && let Some(security) = security.as_object_mut()
        {
            security.remove("runAsNonRoot");
        }
    }
    if !of_pod["runAsGroup"].is_null() {
        security["runAsGroup"] = of_pod["runAsGroup"].clone();
    }
    security
}
