//! The shop before and after its recovery: its plan from a snapshot, and what is not in it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use drplan_api::Json;
use drplan_sandbox::route53::Action;
use drplan_sandbox::route53::Change;
use drplan_sandbox::route53::Data;
use serde_json::json;

use super::*;
use crate::cli::shop;
use crate::cli::shop::session;
use crate::cli::shop::sure;
use crate::rehearse::Began;
use crate::rehearse::Planned;
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
    let bytes =
        |plan: &Plan| crate::plan::encode(plan, crate::plan::Voucher::Nobody).expect("JSON");
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

/// What went on in the shop after its recovery: a namespace is deleted, somebody edits a Deployment, and
/// the name leads elsewhere.
async fn live(scene: &Scene) {
    let (_, cluster) = scene.world().clusters().next().expect("a cluster");
    let blog = cluster.object("", "namespaces", "", "shop-blog");
    let mut blog = Json::clone(&blog.expect("a namespace"));
    blog["metadata"]["deletionTimestamp"] = json!("2026-11-21T04:00:00Z");
    blog["status"]["phase"] = json!("Terminating");
    let ingress = cluster.object("apps", "deployments", "platform", "ingress");
    let mut ingress = Json::clone(&ingress.expect("a Deployment"));
    ingress["spec"]["replicas"] = json!(1);
    cluster.load([blog, ingress]).expect("kinds of the API");
    let dns = scene.world().dns();
    let zone = dns.zone_id("shop.example").expect("a zone");
    let sets = dns.record_sets(&zone).into_iter();
    let mut www = sets
        .filter(|set| set.name.to_string().starts_with("www."))
        .collect::<Vec<_>>();
    let mut set = www.pop().expect("a record");
    set.data = Data::Values {
        ttl_s: 60,
        values: vec!["192.0.2.10".to_owned()],
    };
    let action = Action::Upsert;
    dns.change(&zone, &[Change { action, set }])
        .expect("a change");
    tokio::time::sleep(Duration::from_mins(2)).await;
}

/// The plan of a scene, and a rehearsal that begins as a snapshot of it recorded it, with its first plan.
async fn begun(scene: &Scene, path: &Path) -> (Plan, Scene, Planned, Began) {
    let recorded = session(scene);
    let planning = shop::planning(scene);
    let made = recorded.plan_on(&planning, scene.ambient(), &Basis::World);
    let made = sure(made.await);
    kept(&recorded, &made).write(path).expect("written");
    let (dir, script) = shop::rehearsed();
    let mut ambient = Ambient::of_this_process();
    ambient.quiet = true;
    let again = Scene::from_snapshot(&dir, script, &ambient, path).await;
    let again = sure(again);
    let planned = sure(again.plan().await);
    let began = again
        .began(&planned.plan)
        .expect("it began with a snapshot");
    (made.plan, again, planned, began)
}

async fn from_a_damaged_shop() {
    let scene = shop::scene();
    let folder = tempfile::tempdir().expect("a folder");
    shop::recover(&scene, folder.path()).await;
    live(&scene).await;

    let path = folder.path().join("snapshot");
    let (live, again, planned, began) = begun(&scene, &path).await;
    let text = crate::render::began::text(&began, crate::render::style::Style::PLAIN);
    assert_eq!(began.same(), began.steps, "{text}");
    let acting = |plan: &Plan| {
        let acting = plan.steps.iter().filter(|step| step.action().is_some());
        acting.map(|s| s.address.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(acting(&live), acting(&planned.plan), "{text}");
    for address in [
        "kubernetes_manifest.platform",
        "velero_restore.apps",
        "route53_record.www",
    ] {
        let acts = acting(&planned.plan).iter().any(|a| a == address);
        assert!(acts, "{address} has nothing to do: {:?}", acting(&live));
    }
    let ages = live.points.iter().zip(&planned.plan.points);
    for (then, now) in ages {
        assert!(then.loss_s.abs_diff(now.loss_s) <= 1, "{then:?} {now:?}");
    }
    for (name, value) in &scene.file().variables {
        assert!(!text.contains(value.as_str()), "`{name}` is in\n{text}");
    }

    let sink = Arc::new(shop::Deaf);
    let store = folder.path().join("again");
    std::fs::create_dir(&store).expect("a folder");
    let ended = again.apply(&planned, &store, "again", sink).await;
    ended.expect("a journal");
    let left = sure(again.left().await);
    let left: Vec<&str> = left.iter().map(|a| a.as_str()).collect();
    assert_eq!(left, ["command.search_index"], "{text}");
}

#[test]
fn a_rehearsal_that_begins_with_a_snapshot_of_a_damaged_shop_plans_as_the_shop_did_and_mends_it() {
    shop::play(from_a_damaged_shop());
}
