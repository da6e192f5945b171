//! What `metadata` may be.

use serde_json::Value;
use serde_json::json;

use super::elements;
use super::names;
use super::names::Rule;
use super::text;
use crate::FieldError;
use crate::TypeInfo;

/// The greatest size of all annotations together, in bytes.
const ANNOTATIONS_BYTES_MAX: usize = 256 * 1024;

pub(super) fn check(ty: &TypeInfo, object: &Value, errors: &mut Vec<FieldError>) {
    let meta = &object["metadata"];
    let name = text(&meta["name"]);
    if name.is_empty() {
        let detail = "name or generateName is required";
        errors.push(FieldError::required("metadata.name", detail));
    } else {
        for detail in names::name(rule(ty), name) {
            errors.push(FieldError::invalid("metadata.name", &meta["name"], &detail));
        }
    }
    labels(&meta["labels"], "metadata.labels", errors);
    annotations(&meta["annotations"], "metadata.annotations", errors);
    for finalizer in elements(&meta["finalizers"]) {
        for detail in names::qualified(text(finalizer)) {
            errors.push(FieldError::invalid(
                "metadata.finalizers",
                finalizer,
                &detail,
            ));
        }
    }
    for (index, owner) in elements(&meta["ownerReferences"]).iter().enumerate() {
        for field in ["apiVersion", "kind", "name", "uid"] {
            if text(&owner[field]).is_empty() {
                let path = format!("metadata.ownerReferences[{index}].{field}");
                errors.push(FieldError::invalid(path, &json!(""), "must not be empty"));
            }
        }
    }
}

fn rule(ty: &TypeInfo) -> Rule {
    match (ty.group.as_str(), ty.kind.as_str()) {
        ("", "Namespace") => Rule::Label,
        ("", "Service") => Rule::Service,
        ("rbac.authorization.k8s.io", _) | ("flowcontrol.apiserver.k8s.io", _) => Rule::Segment,
        // These have a rule of their own, or none.
        ("apiregistration.k8s.io", _) | ("events.k8s.io", _) | ("", "Event") => Rule::Segment,
        _ => Rule::Subdomain,
    }
}

/// Labels of an object or of what objects are made from.
pub(super) fn labels(labels: &Value, path: &str, errors: &mut Vec<FieldError>) {
    for (key, value) in labels.as_object().into_iter().flatten() {
        for detail in names::qualified(key) {
            errors.push(FieldError::invalid(path, &json!(key), &detail));
        }
        for detail in names::label_value(text(value)) {
            errors.push(FieldError::invalid(path, value, &detail));
        }
    }
}

fn annotations(annotations: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let mut size = 0;
    for (key, value) in annotations.as_object().into_iter().flatten() {
        size += key.len() + text(value).len();
        for detail in names::qualified(&key.to_lowercase()) {
            errors.push(FieldError::invalid(path, &json!(key), &detail));
        }
    }
    if size > ANNOTATIONS_BYTES_MAX {
        let head = format!("Too long: may not be more than {ANNOTATIONS_BYTES_MAX} bytes");
        errors.push(FieldError::new(path, "FieldValueTooLong", &head, ""));
    }
}
