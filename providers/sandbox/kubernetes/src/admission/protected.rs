//! What keeps new objects from going too early, and what else new objects of a few kinds get.

use serde_json::Value;
use serde_json::json;

use crate::object;
use crate::request::stamp;
use crate::types::Served;
use crate::write::Author;

/// Kinds that get a finalizer, and which.
const FINALIZERS: &[(&str, &str)] = &[
    ("PersistentVolume", "kubernetes.io/pv-protection"),
    ("PersistentVolumeClaim", "kubernetes.io/pvc-protection"),
];

/// The taint that a new node has until it is ready.
const NOT_READY: &str = "node.kubernetes.io/not-ready";

pub(super) fn create(served: &Served, new: &mut Value, author: Author<'_>) {
    let kind = served.info.kind.as_str();
    let finalizer = FINALIZERS.iter().find(|(known, _)| *known == kind);
    if let Some((_, finalizer)) = finalizer {
        object::add_finalizer(new, finalizer);
    }
    match kind {
        "Node" => taint(new),
        "PersistentVolume" => {
            new["status"]["lastPhaseTransitionTime"] = json!(stamp(author.now));
        }
        "CustomResourceDefinition" => start_definition(new),
        "CertificateSigningRequest" => {
            new["spec"]["username"] = json!(author.user.name);
            new["spec"]["groups"] = json!(author.user.groups);
        }
        _ => {}
    }
}

fn taint(new: &mut Value) {
    let taint = json!({ "key": NOT_READY, "effect": "NoSchedule" });
    object::object_at(new, "spec");
    match new["spec"]["taints"].as_array_mut() {
        Some(taints) if taints.iter().any(|known| known["key"] == NOT_READY) => {}
        Some(taints) => taints.push(taint),
        None => new["spec"]["taints"] = json!([taint]),
    }
}

/// A new definition has accepted nothing yet, but its storage version counts from the beginning.
fn start_definition(new: &mut Value) {
    let versions = new["spec"]["versions"].as_array();
    let stored: Vec<_> = versions
        .into_iter()
        .flatten()
        .filter(|version| version["storage"] == true)
        .map(|version| version["name"].clone())
        .collect();
    new["status"] = json!({
        "conditions": null,
        "acceptedNames": { "plural": "", "kind": "" },
        "storedVersions": stored,
    });
}
