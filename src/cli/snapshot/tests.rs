//! The shop before and after its recovery: its plan from a snapshot, and what is not in it.

use std::path::Path;

use drplan_api::Json;

use super::*;
use crate::cli::shop;
use crate::cli::shop::session;
use crate::cli::shop::sure;
use crate::rehearse::Scene;

/// Plans against the world and against a snapshot of it; returns the snapshot's text.
async fn planned_twice(scene: &Scene, folder: &Path) -> String {
    let planning = shop::planning(scene);
    let first = session(scene);
    let made = first.plan_on(&planning, scene.ambient(), &Basis::World);
    let made = sure(made.await);
    let path = folder.join("snapshot");
    kept(&first, &made).write(&path).expect("written");
    let read = Snapshot::read(&path, &made.plan.head.recovery).expect("read");
    let second = session(scene);
    let basis = Basis::Snapshot(read);
    let again = second.plan_on(&planning, scene.ambient(), &basis);
    let mut again = sure(again.await).plan;
    // When it was declared lost is a fact of the command, not of the world.
    again.head.declared = made.plan.head.declared.clone();
    let bytes = |plan: &Plan| crate::plan::encode(plan).expect("JSON");
    assert!(bytes(&made.plan) == bytes(&again), "the plans differ");
    #[expect(clippy::disallowed_methods, reason = "the test reads what was written")]
    std::fs::read_to_string(&path).expect("a file")
}

/// The values of all Secrets in a snapshot.
fn secret_values(json: &Json, out: &mut Vec<Json>) {
    match json {
        Json::Array(items) => items.iter().for_each(|item| secret_values(item, out)),
        Json::Object(map) => {
            if map.get("kind").is_some_and(|kind| kind == "Secret") {
                let fields = ["data", "stringData"].iter().filter_map(|f| map.get(*f));
                let values = fields.filter_map(Json::as_object).flat_map(|m| m.values());
                out.extend(values.cloned());
            }
            map.values().for_each(|item| secret_values(item, out));
        }
        _ => {}
    }
}

async fn before_and_after() {
    let scene = shop::scene();
    let folder = tempfile::tempdir().expect("a folder");
    planned_twice(&scene, folder.path()).await;

    shop::recover(&scene, folder.path()).await;
    let text = planned_twice(&scene, folder.path()).await;
    for (name, value) in &scene.file().variables {
        assert!(
            !text.contains(value.as_str()),
            "`{name}` is in the snapshot"
        );
    }
    let line = text.lines().next().unwrap_or_default();
    let mut values = Vec::new();
    secret_values(&serde_json::from_str(line).expect("JSON"), &mut values);
    assert!(
        !values.is_empty(),
        "no Secret was read, so nothing was shown"
    );
    for value in values {
        assert!(value.get("$digest").is_some(), "{value}");
    }
}

#[test]
fn the_shop_is_planned_from_a_snapshot_byte_for_byte_and_its_secrets_are_not_in_it() {
    shop::play(before_and_after());
}
