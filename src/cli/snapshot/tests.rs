//! The shop of the examples in the rehearsal world, before and after its recovery: real backups, an API
//! with Secrets in it, and every provider.

use std::path::Path;
use std::sync::Arc;

use drplan_api::Json;

use super::*;
use crate::apply::Event;
use crate::apply::Sink;
use crate::cli::PlanningArgs;
use crate::cli::VarArgs;
use crate::rehearse::Failures;
use crate::rehearse::Scene;
use crate::rehearse::Script;
use crate::rehearse::Turnstile;
use crate::render::style::Style;

struct Deaf;

impl Sink for Deaf {
    fn hear(&self, _: u64, _: &Event) {}
}

fn sure<T>(result: Result<T, Failure>) -> T {
    result.unwrap_or_else(|failure| panic!("{}", failure.render(Style::PLAIN)))
}

fn session(scene: &Scene) -> Session {
    sure(Session::open(
        scene.dir(),
        &VarArgs::default(),
        scene.ambient(),
    ))
}

/// Plans against the world and against a snapshot of it; returns the snapshot's text.
async fn planned_twice(scene: &Scene, folder: &Path) -> String {
    let planning = PlanningArgs {
        lost: scene.file().lost.clone(),
        ..PlanningArgs::default()
    };
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

async fn shop() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/shop");
    let script = Script {
        vars: VarArgs::default(),
        faults: None,
        fail: Arc::new(Failures::parse(&[])),
        parallelism: 10,
    };
    let mut ambient = Ambient::of_this_process();
    ambient.quiet = true;
    let scene = sure(Scene::set(&dir, script, &ambient));
    let folder = tempfile::tempdir().expect("a folder");
    planned_twice(&scene, folder.path()).await;

    let planned = sure(scene.plan().await);
    let ended = scene.apply(&planned, folder.path(), "run", Arc::new(Deaf));
    ended.await.expect("a journal");
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
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let turnstile = Turnstile::default();
    turnstile.between(&mut builder);
    let runtime = builder.enable_all().build().expect("a runtime");
    runtime.block_on(shop());
    turnstile.open();
    runtime.shutdown_background();
}
