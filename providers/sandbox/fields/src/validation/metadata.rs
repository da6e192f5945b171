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
    let strict = !ty.custom && !LAX_GROUPS.contains(&ty.group.as_str());
    finalizers("metadata.finalizers", &meta["finalizers"], strict, errors);
    owners(&meta["ownerReferences"], errors);
}

/// Finalizers of the API server itself, which need no domain.
const STANDARD_FINALIZERS: &[&str] = &["kubernetes", "orphan", "foregroundDeletion"];

/// Groups whose objects may have finalizers without a domain.
const LAX_GROUPS: &[&str] = &[
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "coordination.k8s.io",
];

/// What is wrong with the finalizers that a Namespace has in its spec.
#[must_use]
pub fn finalizers_of_spec(namespace: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let named = &namespace["spec"]["finalizers"];
    finalizers("spec.finalizers", named, true, &mut errors);
    errors
}

fn finalizers(path: &str, finalizers: &Value, strict: bool, errors: &mut Vec<FieldError>) {
    for (index, finalizer) in elements(finalizers).iter().enumerate() {
        let name = text(finalizer);
        for detail in names::qualified(name) {
            errors.push(FieldError::invalid(path, finalizer, &detail));
        }
        if strict && !name.contains('/') && !STANDARD_FINALIZERS.contains(&name) {
            let detail = "name is neither a standard finalizer name nor is it fully qualified";
            let path = format!("{path}[{index}]");
            errors.push(FieldError::invalid(path, finalizer, detail));
        }
    }
}

fn owners(owners: &Value, errors: &mut Vec<FieldError>) {
    let path = "metadata.ownerReferences";
    for owner in elements(owners) {
        for (field, detail) in [
            ("apiVersion", "version must not be empty"),
            ("kind", "must not be empty"),
            ("name", "must not be empty"),
            ("uid", "must not be empty"),
        ] {
            if text(&owner[field]).is_empty() {
                let path = format!("{path}.{field}");
                errors.push(FieldError::invalid(path, &json!(""), detail));
            }
        }
    }
    let mut controllers = elements(owners)
        .iter()
        .filter(|owner| owner["controller"] == true)
        .map(|owner| format!("{}/{}", text(&owner["kind"]), text(&owner["name"])));
    let Some(first) = controllers.next() else {
        return;
    };
    for other in controllers {
        let detail = format!(
            "Only one reference can have Controller set to true. Found \"true\" in references for \
             {first} and {other}"
        );
        errors.push(FieldError::invalid(path, owners, &detail));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtins;

    #[test]
    fn finalizers_and_owners_are_checked() {
        let config_map = builtins().iter().find(|ty| ty.kind == "ConfigMap").unwrap();
        let owner = |name: &str| json!({ "apiVersion": "v1", "kind": "Pod", "name": name, "uid": name, "controller": true });
        for (meta, wanted) in [
            (json!({ "finalizers": ["orphan", "a.example/b"] }), &[][..]),
            (
                json!({ "finalizers": ["a.example/b", "plain"] }),
                &["metadata.finalizers[1]"],
            ),
            (json!({ "ownerReferences": [owner("x")] }), &[]),
            (
                json!({ "ownerReferences": [owner("x"), owner("y")] }),
                &["metadata.ownerReferences"],
            ),
            (
                json!({ "ownerReferences": [{ "apiVersion": "v1", "kind": "Pod" }] }),
                &[
                    "metadata.ownerReferences.name",
                    "metadata.ownerReferences.uid",
                ],
            ),
        ] {
            let mut object = json!({ "metadata": meta });
            object["metadata"]["name"] = json!("a");
            let mut errors = Vec::new();
            check(config_map, &object, &mut errors);
            let paths: Vec<_> = errors.iter().map(|error| error.path.as_str()).collect();
            assert_eq!(paths, wanted, "{object}");
        }
    }
}
