//! What an object may be.
//!
//! Custom objects are checked against the whole of their schema, except for rules in CEL. Of the
//! built-in types those rules are checked that a recovery meets: names, labels, what Pods are made
//! from, services, claims, rights, webhooks, definitions. Others pass that the real server refuses.

mod custom;
mod decode;
mod metadata;
mod names;
mod pod;
mod workload;

use serde_json::Value;
use serde_json::json;

use crate::FieldError;
use crate::TypeInfo;
use crate::quantity;
use crate::structural;

pub use decode::decode_error;
pub use metadata::finalizers_of_spec;

/// What is wrong with an object that has its defaults; a `Status` made of it is
/// [`crate::invalid_status`].
#[must_use]
pub fn validate(ty: &TypeInfo, object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    metadata::check(ty, object, &mut errors);
    if ty.custom {
        custom::check(ty, object, &mut errors);
    } else {
        builtin(&ty.kind, object, &mut errors);
    }
    errors
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn elements(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn builtin(kind: &str, object: &Value, errors: &mut Vec<FieldError>) {
    let spec = &object["spec"];
    match kind {
        "Pod" => pod::spec(spec, "spec", errors),
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" => {
            workload::check(kind, spec, errors)
        }
        "Job" => workload::job(spec, "spec", errors),
        "CronJob" => workload::cron_job(spec, errors),
        "ConfigMap" => content(object, &["data", "binaryData"], NOWHERE, errors),
        "Secret" => secret(object, errors),
        "Service" => service(object, errors),
        "PersistentVolumeClaim" => claim(spec, "spec", errors),
        "Role" | "ClusterRole" => role(object, errors),
        "RoleBinding" | "ClusterRoleBinding" => binding(kind, object, errors),
        "Ingress" if spec["rules"].is_null() && spec["defaultBackend"].is_null() => {
            let detail = "either `defaultBackend` or `rules` must be specified";
            errors.push(FieldError::invalid("spec", &Value::Null, detail));
        }
        "StorageClass" if text(&object["provisioner"]).is_empty() => {
            errors.push(FieldError::required("provisioner", ""));
        }
        "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration" => {
            for (index, webhook) in elements(&object["webhooks"]).iter().enumerate() {
                self::webhook(webhook, &format!("webhooks[{index}]"), errors);
            }
        }
        "CustomResourceDefinition" => {
            errors.extend(structural::definition(object));
            if elements(&object["status"]["storedVersions"]).is_empty() {
                let detail = "must have at least one stored version";
                errors.push(FieldError::invalid(
                    "status.storedVersions",
                    &Value::Null,
                    detail,
                ));
            }
        }
        _ => {}
    }
}

/// The greatest size of all values of a ConfigMap or a Secret together, in bytes.
const CONTENT_BYTES_MAX: usize = 1024 * 1024;

/// The path that the real server gives errors of a whole object.
const NOWHERE: &str = "[]";

/// The values of a ConfigMap or a Secret; `whole` is the path that is blamed for their size.
fn content(object: &Value, fields: &[&str], whole: &str, errors: &mut Vec<FieldError>) {
    let plain = object["kind"] == "ConfigMap";
    let mut size = 0;
    for field in fields {
        for (key, value) in object[*field].as_object().into_iter().flatten() {
            size += match plain && *field == "data" {
                true => text(value).len(),
                false => decoded_len(text(value)),
            };
            if let Some(detail) = names::config_key(key) {
                errors.push(FieldError::invalid(
                    format!("{field}[{key}]"),
                    &json!(key),
                    &detail,
                ));
            }
        }
    }
    if size > CONTENT_BYTES_MAX {
        let head = format!("Too long: may not be more than {CONTENT_BYTES_MAX} bytes");
        errors.push(FieldError::new(whole, "FieldValueTooLong", &head, ""));
    }
}

/// How many bytes a text in base64 stands for.
fn decoded_len(text: &str) -> usize {
    text.trim_end_matches('=').len() * 3 / 4
}

fn secret(secret: &Value, errors: &mut Vec<FieldError>) {
    content(secret, &["data"], "data", errors);
    let wanted: &[&str] = match text(&secret["type"]) {
        "kubernetes.io/tls" => &["tls.crt", "tls.key"],
        "kubernetes.io/dockerconfigjson" => &[".dockerconfigjson"],
        "kubernetes.io/dockercfg" => &[".dockercfg"],
        "kubernetes.io/ssh-auth" => &["ssh-privatekey"],
        _ => &[],
    };
    for key in wanted {
        if secret["data"][*key].is_null() {
            errors.push(FieldError::required(format!("data[{key}]"), ""));
        }
    }
}

fn service(service: &Value, errors: &mut Vec<FieldError>) {
    const TYPES: &[&str] = &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    let spec = &service["spec"];
    let kind = text(&spec["type"]);
    let ports = elements(&spec["ports"]);
    let headless = spec["clusterIP"] == "None";
    if ports.is_empty() && !headless && kind != "ExternalName" {
        errors.push(FieldError::required("spec.ports", ""));
    }
    if kind == "ExternalName" && text(&spec["externalName"]).is_empty() {
        errors.push(FieldError::required("spec.externalName", ""));
    }
    let mut seen = Vec::new();
    for (index, port) in ports.iter().enumerate() {
        let path = format!("spec.ports[{index}]");
        if ports.len() > 1 && text(&port["name"]).is_empty() {
            errors.push(FieldError::required(format!("{path}.name"), ""));
        }
        for name in ["port", "targetPort"] {
            let range = "must be between 1 and 65535, inclusive";
            if port[name]
                .as_i64()
                .is_some_and(|number| !(1..=65_535).contains(&number))
            {
                errors.push(FieldError::invalid(
                    format!("{path}.{name}"),
                    &port[name],
                    range,
                ));
            }
        }
        let key = (port["port"].to_string(), port["protocol"].to_string());
        if seen.contains(&key) {
            let shown = json!({ "port": port["port"], "protocol": port["protocol"] });
            errors.push(FieldError::duplicate(path, &shown));
        }
        seen.push(key);
    }
    if !TYPES.contains(&kind) {
        errors.push(FieldError::not_supported("spec.type", &spec["type"], TYPES));
    }
    if kind != "LoadBalancer" && !elements(&service["status"]["loadBalancer"]["ingress"]).is_empty()
    {
        let detail = "may only be used when `spec.type` is 'LoadBalancer'";
        errors.push(FieldError::forbidden("status.loadBalancer.ingress", detail));
    }
}

/// A claim on a volume, or what claims are made from.
fn claim(spec: &Value, path: &str, errors: &mut Vec<FieldError>) {
    const MODES: &[&str] = &[
        "ReadOnlyMany",
        "ReadWriteMany",
        "ReadWriteOnce",
        "ReadWriteOncePod",
    ];
    let modes = elements(&spec["accessModes"]);
    if modes.is_empty() {
        let detail = "at least 1 access mode is required";
        errors.push(FieldError::required(format!("{path}.accessModes"), detail));
    }
    for mode in modes.iter().filter(|mode| !MODES.contains(&text(mode))) {
        errors.push(FieldError::not_supported(
            format!("{path}.accessModes"),
            mode,
            MODES,
        ));
    }
    let storage = &spec["resources"]["requests"]["storage"];
    let here = format!("{path}.resources[storage]");
    match storage.as_str() {
        None => errors.push(FieldError::required(here, "")),
        Some(size) if quantity::compare(size, "0") != Some(std::cmp::Ordering::Greater) => {
            errors.push(FieldError::invalid(
                here,
                storage,
                "must be greater than zero",
            ));
        }
        Some(_) => {}
    }
}

fn role(role: &Value, errors: &mut Vec<FieldError>) {
    for (index, rule) in elements(&role["rules"]).iter().enumerate() {
        let path = format!("rules[{index}]");
        let empty = |name: &str| elements(&rule[name]).is_empty();
        if empty("verbs") {
            let detail = "verbs must contain at least one value";
            errors.push(FieldError::required(format!("{path}.verbs"), detail));
        }
        if !empty("nonResourceURLs") {
            continue;
        }
        if empty("apiGroups") {
            let detail = "resource rules must supply at least one api group";
            errors.push(FieldError::required(format!("{path}.apiGroups"), detail));
        }
        if empty("resources") {
            let detail = "resource rules must supply at least one resource";
            errors.push(FieldError::required(format!("{path}.resources"), detail));
        }
    }
}

fn binding(kind: &str, binding: &Value, errors: &mut Vec<FieldError>) {
    let role = &binding["roleRef"];
    let known: &[&str] = match kind {
        "RoleBinding" => &["ClusterRole", "Role"],
        _ => &["ClusterRole"],
    };
    if !known.contains(&text(&role["kind"])) {
        let given = json!(text(&role["kind"]));
        errors.push(FieldError::not_supported("roleRef.kind", &given, known));
    }
    if text(&role["name"]).is_empty() {
        errors.push(FieldError::required("roleRef.name", ""));
    }
    for (index, subject) in elements(&binding["subjects"]).iter().enumerate() {
        let path = format!("subjects[{index}]");
        if text(&subject["name"]).is_empty() {
            errors.push(FieldError::required(format!("{path}.name"), ""));
        }
        let kinds = ["Group", "ServiceAccount", "User"];
        match text(&subject["kind"]) {
            "ServiceAccount"
                if kind == "ClusterRoleBinding" && text(&subject["namespace"]).is_empty() =>
            {
                errors.push(FieldError::required(format!("{path}.namespace"), ""));
            }
            known if kinds.contains(&known) => {}
            _ => errors.push(FieldError::not_supported(
                format!("{path}.kind"),
                &subject["kind"],
                &kinds,
            )),
        }
    }
}

fn webhook(webhook: &Value, path: &str, errors: &mut Vec<FieldError>) {
    const EFFECTS: &[&str] = &["None", "NoneOnDryRun"];
    let name = &webhook["name"];
    if text(name).split('.').count() < 3 {
        let detail = "should be a domain with at least three segments separated by dots";
        errors.push(FieldError::invalid(format!("{path}.name"), name, detail));
    }
    if elements(&webhook["admissionReviewVersions"]).is_empty() {
        let detail = "must specify one of v1, v1beta1";
        errors.push(FieldError::required(
            format!("{path}.admissionReviewVersions"),
            detail,
        ));
    }
    let effects = &webhook["sideEffects"];
    if effects.is_null() {
        let detail = "must specify one of None, NoneOnDryRun";
        errors.push(FieldError::required(format!("{path}.sideEffects"), detail));
    } else if !EFFECTS.contains(&text(effects)) {
        let path = format!("{path}.sideEffects");
        errors.push(FieldError::not_supported(path, effects, EFFECTS));
    }
    let client = &webhook["clientConfig"];
    if client["url"].is_null() == client["service"].is_null() {
        let detail = "exactly one of url or service is required";
        errors.push(FieldError::required(format!("{path}.clientConfig"), detail));
    }
}
