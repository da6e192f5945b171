//! Defaults of Pods and of what Pods are made from.

use serde_json::Value;
use serde_json::json;

use super::all;
use super::part;
use super::put;
use super::put_all;

/// A Pod itself.
pub(super) fn whole(pod: &mut Value) {
    let spec = &mut pod["spec"];
    put(spec, "enableServiceLinks", json!(true));
    for list in ["initContainers", "containers"] {
        all(spec, list).for_each(requests_from_limits);
    }
    pod_spec(spec);
    put(&mut pod["status"], "phase", json!("Pending"));
}

/// What a Pod is made from.
pub(super) fn template(template: &mut Value) {
    pod_spec(&mut template["spec"]);
}

fn requests_from_limits(container: &mut Value) {
    if let Some(Value::Object(limits)) = container["resources"].get("limits").cloned() {
        for (name, limit) in limits {
            put(&mut container["resources"]["requests"], &name, limit);
        }
    }
}

fn pod_spec(spec: &mut Value) {
    put_all(
        spec,
        json!({
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "securityContext": {},
            "schedulerName": "default-scheduler",
        }),
    );
    // The old name of the account stays beside the new one.
    let account = ["serviceAccountName", "serviceAccount"]
        .iter()
        .find_map(|name| spec.get(*name).cloned());
    if let Some(account) = account {
        put_all(
            spec,
            json!({ "serviceAccountName": account.clone(), "serviceAccount": account }),
        );
    }
    let on_host = spec["hostNetwork"] == true;
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        all(spec, list).for_each(|container| self::container(container, on_host));
    }
    all(spec, "volumes").for_each(volume);
}

fn container(container: &mut Value, on_host: bool) {
    let image = container["image"].as_str().unwrap_or_default();
    let policy = if is_latest(image) {
        "Always"
    } else {
        "IfNotPresent"
    };
    put_all(
        container,
        json!({
            "imagePullPolicy": policy,
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
        }),
    );
    for port in all(container, "ports") {
        put(port, "protocol", json!("TCP"));
        if on_host {
            let number = port["containerPort"].clone();
            put(port, "hostPort", number);
        }
    }
    for variable in all(container, "env") {
        if let Some(field) = part(variable, "valueFrom").and_then(|from| part(from, "fieldRef")) {
            put(field, "apiVersion", json!("v1"));
        }
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = part(container, name) {
            self::probe(probe);
        }
    }
    if let Some(lifecycle) = part(container, "lifecycle") {
        for name in ["postStart", "preStop"] {
            if let Some(get) = part(lifecycle, name).and_then(|hook| part(hook, "httpGet")) {
                http_get(get);
            }
        }
    }
}

fn probe(probe: &mut Value) {
    put_all(
        probe,
        json!({ "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3 }),
    );
    if let Some(get) = part(probe, "httpGet") {
        http_get(get);
    }
    if let Some(grpc) = part(probe, "grpc") {
        put(grpc, "service", json!(""));
    }
}

fn http_get(get: &mut Value) {
    put_all(get, json!({ "path": "/", "scheme": "HTTP" }));
}

/// Whether an image is pulled anew each time: it has no tag, or `latest`, and no digest.
fn is_latest(image: &str) -> bool {
    let name = image.rsplit('/').next().unwrap_or(image);
    !image.contains('@') && name.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}

/// Volume sources that hold files with modes.
const WITH_MODE: &[&str] = &["secret", "configMap", "downwardAPI", "projected"];

/// `0644`.
const MODE: u32 = 0o644;

fn volume(volume: &mut Value) {
    let has_source = volume
        .as_object()
        .is_some_and(|map| map.keys().any(|key| key != "name"));
    if !has_source {
        volume["emptyDir"] = json!({});
    }
    for source in WITH_MODE {
        if let Some(source) = part(volume, source) {
            put(source, "defaultMode", json!(MODE));
            all(source, "items").for_each(field_ref);
            for source in all(source, "sources") {
                if let Some(token) = part(source, "serviceAccountToken") {
                    put(token, "expirationSeconds", json!(3600));
                }
                if let Some(api) = part(source, "downwardAPI") {
                    all(api, "items").for_each(field_ref);
                }
            }
        }
    }
    if let Some(path) = part(volume, "hostPath") {
        put(path, "type", json!(""));
    }
    if let Some(template) =
        part(volume, "ephemeral").and_then(|source| part(source, "volumeClaimTemplate"))
    {
        put(&mut template["spec"], "volumeMode", json!("Filesystem"));
    }
}

fn field_ref(item: &mut Value) {
    if let Some(field) = part(item, "fieldRef") {
        put(field, "apiVersion", json!("v1"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_image_without_a_fixed_version_is_always_pulled() {
        for (image, latest) in [
            ("nginx", true),
            ("nginx:latest", true),
            ("nginx:1", false),
            ("registry:5000/nginx", true),
            ("registry:5000/nginx:1", false),
            ("nginx@sha256:0000", false),
        ] {
            assert_eq!(is_latest(image), latest, "{image}");
        }
    }
}
