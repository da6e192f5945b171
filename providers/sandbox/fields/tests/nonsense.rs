//! What a client may send that makes no sense at all: nothing of it ends the server.
#![allow(
    clippy::unwrap_used,
    reason = "a recording that cannot be read fails the test"
)]

use drplan_sandbox_fields as fields;
use fields::TypeInfo;
use serde_json::Value;
use serde_json::json;

const NOW: &str = "2026-01-01T00:00:00Z";

fn nonsense() -> Vec<Value> {
    let wrong = [
        json!(null),
        json!(7),
        json!("x"),
        json!([1]),
        json!({ "x": [{}] }),
    ];
    let mut all = wrong.to_vec();
    for value in &wrong {
        for top in [
            "metadata", "spec", "status", "data", "roleRef", "subjects", "rules", "webhooks",
        ] {
            all.push(json!({ "metadata": { "name": "a" }, top: value }));
        }
        for part in [
            "template",
            "containers",
            "ports",
            "versions",
            "names",
            "selector",
            "resources",
        ] {
            all.push(json!({ "metadata": { "name": "a" }, "spec": { part: value } }));
        }
        for part in [
            "managedFields",
            "labels",
            "annotations",
            "ownerReferences",
            "finalizers",
            "name",
        ] {
            all.push(json!({ "metadata": { part: value } }));
        }
    }
    all
}

fn send(ty: &TypeInfo, object: &Value) {
    for live in [None, Some(object)] {
        let mut new = object.clone();
        let readable = fields::decode_error(ty, &new).is_none();
        fields::prune(ty, &mut new);
        fields::default(ty, &mut new);
        fields::owners::update(ty, live, &mut new, "m", None, NOW);
        fields::prepare_create(ty, &mut new);
        for door in [None, Some("status")] {
            fields::prepare_update(ty, object, &mut new, door);
        }
        let errors = fields::validate(ty, &new);
        drop(fields::check_update(ty, object, &new));
        drop(fields::invalid_status(ty, "a", &errors));
        let named = new["metadata"]["name"]
            .as_str()
            .is_some_and(|name| !name.is_empty());
        assert!(
            !readable || named || !errors.is_empty(),
            "{} took {object}",
            ty.kind
        );
        // Refusals are as good as results here.
        drop(fields::owners::apply(
            ty, live, object, "m", true, None, NOW,
        ));
        drop(fields::strategic_merge(ty, &new, object));
        drop(fields::json_patch(&new, object));
        drop(fields::merge_patch(&new, object));
    }
}

#[test]
fn nonsense_is_refused_or_ignored() {
    let recorded: Value = serde_json::from_str(include_str!("recorded/writes.json")).unwrap();
    let custom = fields::from_crd(&recorded["definitions"][0], "v1").unwrap();
    for object in nonsense() {
        for ty in fields::builtins().iter().chain([&custom]) {
            send(ty, &object);
        }
        assert!(fields::from_crd(&object, "v1").is_err());
    }
}
