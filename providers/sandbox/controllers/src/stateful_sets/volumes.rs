//! The claims of a StatefulSet's pods.

use serde_json::Value;
use serde_json::json;

use crate::Ask;
use crate::Write;
use crate::object::items;
use crate::object::map_at;
use crate::object::name;
use crate::object::namespace;
use crate::object::text;

fn claim_name(template: &Value, pod: &Value) -> String {
    format!("{}-{}", name(template), name(pod))
}

/// Lets a pod's volumes of the templates' names be its own claims.
pub(super) fn mount(set: &Value, pod: &mut Value) {
    let templates = items(&set["spec"]["volumeClaimTemplates"]);
    let own: Vec<_> = templates
        .iter()
        .map(|template| {
            json!({
                "name": name(template),
                "persistentVolumeClaim": {"claimName": claim_name(template, pod)},
            })
        })
        .collect();
    if own.is_empty() {
        return;
    }
    let replaced = |v: &&Value| !templates.iter().any(|t| name(t) == text(&v["name"]));
    let others = items(&pod["spec"]["volumes"]).iter().filter(replaced);
    let all: Vec<_> = own.iter().chain(others).cloned().collect();
    pod["spec"]["volumes"] = all.into();
}

/// Makes those claims of a pod that are not there. They are nobody's, so that they outlive the set.
pub(super) fn create(ask: Ask<'_>, set: &Value, pod: &Value, writes: &mut Vec<Write>) {
    for template in items(&set["spec"]["volumeClaimTemplates"]) {
        let claim = claim_name(template, pod);
        let there = ask
            .view
            .get("", "PersistentVolumeClaim", Some(namespace(set)), &claim);
        if there.is_none() {
            writes.push(Write::Create(made(set, template, &claim)));
        }
    }
}

fn made(set: &Value, template: &Value, claim: &str) -> Value {
    let mut metadata = json!({"name": claim, "namespace": namespace(set)});
    let labels = map_at(&mut metadata, "labels");
    for source in [
        &template["metadata"]["labels"],
        &set["spec"]["selector"]["matchLabels"],
    ] {
        for (key, value) in source.as_object().into_iter().flatten() {
            labels.insert(key.clone(), value.clone());
        }
    }
    if template["metadata"]["annotations"].is_object() {
        metadata["annotations"] = template["metadata"]["annotations"].clone();
    }
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata,
        "spec": template["spec"],
    })
}
