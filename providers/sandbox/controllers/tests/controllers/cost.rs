//! What turns cost: they are linear in what there is, and nothing when nothing changed.

use serde_json::json;

use crate::fixture::deployment;
use crate::world::World;

/// How many objects the controllers look at while that many pods become ready.
fn shown(pods: u64) -> (usize, usize) {
    let mut world = World::new();
    for deployments in 0..10 {
        world.add(deployment(&format!("web-{deployments}"), pods / 10));
    }
    world.pass(60);
    assert_eq!(world.names("", "Pod").len() as u64, pods);
    (world.shown.get(), world.turns)
}

#[test]
fn five_thousand_pods_cost_ten_times_as_much_as_five_hundred() {
    let (small, few) = shown(500);
    let (large, many) = shown(5_000);
    assert!(
        many <= few + 2,
        "{few} turns, then {many}: time, not objects, makes turns"
    );
    assert!(large <= small * 11, "{small} objects shown, then {large}");
    let each = large / 5_000;
    assert!(each <= 100, "each pod was shown {each} times");
}

#[test]
fn an_idle_world_is_not_looked_at() {
    let mut world = World::new();
    world.add(deployment("web", 100));
    world.pass(700);
    let (shown, turns) = (world.shown.get(), world.turns);
    world.pass(24 * 3_600);
    assert_eq!((world.shown.get(), world.turns), (shown, turns));
}

#[test]
fn a_change_of_one_pod_touches_its_owner_only() {
    let mut world = World::new();
    for deployments in 0..50 {
        world.add(deployment(&format!("web-{deployments}"), 10));
    }
    world.pass(100);
    let (before, pods) = (world.shown.get(), world.names("", "Pod"));
    let before = before + pods.len();
    world.change("", "Pod", &pods[0], |pod| {
        pod["metadata"]["annotations"]["note"] = "seen".into();
    });
    world.settle();
    let cost = world.shown.get() - before;
    assert!(cost <= 6 * pods.len(), "{cost} objects were shown");
}

#[test]
fn pods_that_come_one_by_one_are_not_compared_with_all_others() {
    let mut world = World::new();
    for deployments in 0..20 {
        world.add(deployment(&format!("web-{deployments}"), 0));
    }
    world.pass(5);
    world.shown.set(0);
    for number in 0..500 {
        world.add(json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": format!("bare-{number}"), "labels": {"app": "bare"}},
            "spec": {"containers": [{"name": "main", "image": "app:1"}]}}));
        world.settle();
    }
    let each = world.shown.get() / 500;
    assert!(each <= 100, "each pod cost a look at {each} objects");
}
