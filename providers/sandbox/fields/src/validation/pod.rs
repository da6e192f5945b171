//! What Pods may be.

use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;

use super::elements;
use super::names;
use super::names::Rule;
use super::text;
use crate::FieldError;
use crate::quantity;

const POLICIES: &[&str] = &["Always", "OnFailure", "Never"];

pub(super) fn spec(spec: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let volumes = volumes(&spec["volumes"], path, errors);
    let mut seen = BTreeSet::new();
    if elements(&spec["containers"]).is_empty() {
        errors.push(FieldError::required(format!("{path}.containers"), ""));
    }
    for list in ["containers", "initContainers"] {
        for (index, container) in elements(&spec[list]).iter().enumerate() {
            let path = format!("{path}.{list}[{index}]");
            self::container(container, &path, &volumes, errors);
            let name = text(&container["name"]);
            if !name.is_empty() && !seen.insert(name) {
                errors.push(FieldError::duplicate(
                    format!("{path}.name"),
                    &container["name"],
                ));
            }
        }
    }
    let policy = &spec["restartPolicy"];
    if policy.is_null() {
        errors.push(FieldError::required(format!("{path}.restartPolicy"), ""));
    } else if !POLICIES.contains(&text(policy)) {
        let path = format!("{path}.restartPolicy");
        errors.push(FieldError::not_supported(path, policy, POLICIES));
    }
}

/// Volume sources in the order in which the real server looks for them; of several only the first
/// is right.
const SOURCES: &[&str] = &[
    "emptyDir",
    "hostPath",
    "gitRepo",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "secret",
    "nfs",
    "iscsi",
    "glusterfs",
    "flocker",
    "persistentVolumeClaim",
    "rbd",
    "cinder",
    "cephfs",
    "quobyte",
    "downwardAPI",
    "fc",
    "azureFile",
    "configMap",
    "vsphereVolume",
    "azureDisk",
    "photonPersistentDisk",
    "portworxVolume",
    "projected",
    "scaleIO",
    "storageos",
    "csi",
    "ephemeral",
    "image",
];

fn volumes<'a>(volumes: &'a Value, path: &str, errors: &mut Vec<FieldError>) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    for (index, volume) in elements(volumes).iter().enumerate() {
        let path = format!("{path}.volumes[{index}]");
        let name = text(&volume["name"]);
        label(&volume["name"], &format!("{path}.name"), errors);
        if !name.is_empty() && !seen.insert(name) {
            errors.push(FieldError::duplicate(
                format!("{path}.name"),
                &volume["name"],
            ));
        }
        let mut sources: Vec<_> = volume
            .as_object()
            .into_iter()
            .flat_map(|map| map.keys().filter(|key| *key != "name"))
            .collect();
        sources.sort_by_key(|source| SOURCES.iter().position(|known| known == source));
        for source in sources.into_iter().skip(1) {
            let detail = "may not specify more than 1 volume type";
            errors.push(FieldError::forbidden(format!("{path}.{source}"), detail));
        }
    }
    seen
}

fn label(name: &Value, path: &str, errors: &mut Vec<FieldError>) {
    if text(name).is_empty() {
        errors.push(FieldError::required(path, ""));
        return;
    }
    for detail in names::name(Rule::Label, text(name)) {
        errors.push(FieldError::invalid(path, name, &detail));
    }
}

fn container(
    container: &Value,
    path: &str,
    volumes: &BTreeSet<&str>,
    errors: &mut Vec<FieldError>,
) {
    label(&container["name"], &format!("{path}.name"), errors);
    if text(&container["image"]).is_empty() {
        errors.push(FieldError::required(format!("{path}.image"), ""));
    }
    ports(&container["ports"], path, errors);
    for (index, variable) in elements(&container["env"]).iter().enumerate() {
        let path = format!("{path}.env[{index}]");
        if text(&variable["name"]).is_empty() {
            errors.push(FieldError::required(format!("{path}.name"), ""));
        }
        if !variable["valueFrom"].is_null() && !text(&variable["value"]).is_empty() {
            let detail = "may not be specified when `value` is not empty";
            let path = format!("{path}.valueFrom");
            errors.push(FieldError::invalid(path, &json!(""), detail));
        }
    }
    let mut mounted = BTreeSet::new();
    for (index, mount) in elements(&container["volumeMounts"]).iter().enumerate() {
        let path = format!("{path}.volumeMounts[{index}]");
        self::mount(mount, &path, volumes, errors);
        if !mounted.insert(text(&mount["mountPath"])) {
            let detail = "must be unique";
            errors.push(FieldError::invalid(
                format!("{path}.mountPath"),
                &mount["mountPath"],
                detail,
            ));
        }
    }
    resources(&container["resources"], path, errors);
}

fn ports(ports: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let mut seen = BTreeSet::new();
    for (index, port) in elements(ports).iter().enumerate() {
        let name = text(&port["name"]);
        if !name.is_empty() && !seen.insert(name) {
            let path = format!("{path}.ports[{index}].name");
            errors.push(FieldError::duplicate(path, &port["name"]));
        }
        let number = &port["containerPort"];
        let here = format!("{path}.ports[{index}].containerPort");
        match number.as_i64().unwrap_or_default() {
            0 => errors.push(FieldError::required(here, "")),
            1..=65_535 => {}
            _ => {
                let detail = "must be between 1 and 65535, inclusive";
                errors.push(FieldError::invalid(here, number, detail));
            }
        }
    }
}

fn mount(mount: &Value, path: &str, volumes: &BTreeSet<&str>, errors: &mut Vec<FieldError>) {
    let name = &mount["name"];
    if text(name).is_empty() {
        errors.push(FieldError::required(format!("{path}.name"), ""));
    } else if !volumes.contains(text(name)) {
        let head = format!("Not found: {name}");
        errors.push(FieldError::new(
            format!("{path}.name"),
            "FieldValueNotFound",
            &head,
            "",
        ));
    }
    if text(&mount["mountPath"]).is_empty() {
        errors.push(FieldError::required(format!("{path}.mountPath"), ""));
    }
}

fn resources(resources: &Value, path: &str, errors: &mut Vec<FieldError>) {
    for (name, request) in resources["requests"].as_object().into_iter().flatten() {
        let Some(limit) = resources["limits"][name].as_str() else {
            continue;
        };
        if quantity::compare(text(request), limit) == Some(std::cmp::Ordering::Greater) {
            let detail = format!("must be less than or equal to {name} limit of {limit}");
            errors.push(FieldError::invalid(
                format!("{path}.resources.requests"),
                &json!(request),
                &detail,
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(spec: Value) -> Vec<String> {
        let mut errors = Vec::new();
        self::spec(&spec, "spec", &mut errors);
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_mistake_is_told_where_it_is() {
        for (more, wanted) in [
            (json!({}), None),
            (
                json!({ "env": [{ "name": "E", "value": "x", "valueFrom": {} }] }),
                Some(
                    "spec.containers[0].env[0].valueFrom: Invalid value: \"\": may not be specified \
                     when `value` is not empty",
                ),
            ),
            (
                json!({ "ports": [{ "containerPort": 1, "name": "p" }, { "containerPort": 2, "name": "p" }] }),
                Some("spec.containers[0].ports[1].name: Duplicate value: \"p\""),
            ),
            (
                json!({ "volumeMounts": [{ "name": "gone", "mountPath": "/x" }] }),
                Some("spec.containers[0].volumeMounts[0].name: Not found: \"gone\""),
            ),
        ] {
            let mut container = json!({ "name": "c", "image": "i" });
            json_patch::merge(&mut container, &more);
            let errors = found(json!({ "restartPolicy": "Always", "containers": [container] }));
            assert_eq!(errors.first().map(String::as_str), wanted, "{more}");
            assert_eq!(errors.len(), usize::from(wanted.is_some()), "{more}");
        }
    }

    #[test]
    fn the_second_source_of_a_volume_is_the_wrong_one() {
        let errors = found(json!({
            "restartPolicy": "Always",
            "containers": [{ "name": "c", "image": "i" }],
            "volumes": [{ "name": "v", "configMap": {}, "secret": {} }],
        }));
        let wanted =
            "spec.volumes[0].configMap: Forbidden: may not specify more than 1 volume type";
        assert_eq!(errors, [wanted]);
    }
}
