//! Claims and volumes.

use serde_json::Value;
use serde_json::json;

use crate::fixture::class;
use crate::world::World;

fn claim(name: &str, spec: Value) -> Value {
    let mut claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    for (key, value) in spec.as_object().into_iter().flatten() {
        claim["spec"][key] = value.clone();
    }
    claim
}

fn volume(name: &str, spec: Value) -> Value {
    let mut volume = json!({"apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {"capacity": {"storage": "2Gi"}, "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain", "storageClassName": "",
            "csi": {"driver": "disk.example", "volumeHandle": "vol-1"}}});
    for (key, value) in spec.as_object().into_iter().flatten() {
        volume["spec"][key] = value.clone();
    }
    volume
}

fn consumer(claim: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": format!("uses-{claim}")},
        "spec": {"containers": [{"name": "main", "image": "app:1"}],
            "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": claim}}]}})
}

fn phase(world: &World, kind: &str, name: &str) -> String {
    let phase = world.see("", kind, name)["status"]["phase"].clone();
    phase.as_str().unwrap_or("none").to_owned()
}

#[test]
fn an_immediate_claim_gets_a_volume_after_a_while() {
    let mut world = World::new();
    world.add(class("now", "Immediate"));
    world.add(claim("data", json!({"storageClassName": "now"})));
    world.pass(3);
    assert_eq!(phase(&world, "PersistentVolumeClaim", "data"), "Pending");
    world.pass(10);
    let data = world.see("", "PersistentVolumeClaim", "data");
    assert_eq!(data["status"]["phase"], "Bound");
    assert_eq!(data["status"]["capacity"]["storage"], "1Gi");
    let name = data["spec"]["volumeName"].as_str().expect("a name");
    let made = world.see("", "PersistentVolume", name);
    assert_eq!(made["status"]["phase"], "Bound");
    assert_eq!(made["spec"]["persistentVolumeReclaimPolicy"], "Delete");
    assert_eq!(made["spec"]["claimRef"]["uid"], data["metadata"]["uid"]);
    world.remove("", "PersistentVolumeClaim", "data");
    world.pass(10);
    assert!(world.names("", "PersistentVolume").is_empty());
}

#[test]
fn a_claim_waits_for_its_first_consumer_and_the_pod_for_the_volume() {
    let mut world = World::new();
    world.add(claim("data", json!({"storageClassName": "fast"})));
    world.pass(600);
    assert_eq!(phase(&world, "PersistentVolumeClaim", "data"), "Pending");
    world.add(consumer("data"));
    world.pass(3);
    assert!(world.see("", "Pod", "uses-data")["spec"]["nodeName"].is_null());
    world.pass(60);
    assert_eq!(phase(&world, "PersistentVolumeClaim", "data"), "Bound");
    assert_eq!(phase(&world, "Pod", "uses-data"), "Running");
}

#[test]
fn claims_that_nothing_can_serve_stay_pending() {
    let table = [
        json!({"storageClassName": "gone"}),
        json!({"storageClassName": ""}),
        json!({"storageClassName": "now", "selector": {"matchLabels": {"a": "b"}}}),
        json!({"storageClassName": "now", "dataSource": {"apiGroup": "snapshot.storage.k8s.io",
            "kind": "VolumeSnapshot", "name": "s"}}),
        json!({"storageClassName": "fast", "volumeName": "missing"}),
    ];
    for spec in table {
        let mut world = World::new();
        world.add(class("now", "Immediate"));
        world.add(claim("data", spec.clone()));
        world.add(consumer("data"));
        world.pass(600);
        assert_eq!(
            phase(&world, "PersistentVolumeClaim", "data"),
            "Pending",
            "{spec}"
        );
        assert_eq!(phase(&world, "Pod", "uses-data"), "Pending", "{spec}");
    }
}

#[test]
fn a_missing_class_that_comes_later_serves() {
    let mut world = World::new();
    world.add(claim("data", json!({"storageClassName": "late"})));
    world.pass(60);
    world.add(class("late", "Immediate"));
    world.pass(60);
    assert_eq!(phase(&world, "PersistentVolumeClaim", "data"), "Bound");
}

#[test]
fn a_claim_without_a_class_gets_the_default() {
    let mut world = World::new();
    world.add(claim("data", json!({})));
    world.pass(1);
    let data = world.see("", "PersistentVolumeClaim", "data");
    assert_eq!(data["spec"]["storageClassName"], "fast");
}

#[test]
fn a_restored_volume_comes_back_to_its_claim() {
    let mut world = World::new();
    let claim_ref = json!({"namespace": "shop", "name": "data"});
    world.add(volume(
        "pv",
        json!({"claimRef": claim_ref, "storageClassName": "fast"}),
    ));
    world.pass(5);
    assert_eq!(phase(&world, "PersistentVolume", "pv"), "Available");
    world.add(claim(
        "data",
        json!({"volumeName": "pv", "storageClassName": "fast"}),
    ));
    world.pass(5);
    assert_eq!(phase(&world, "PersistentVolumeClaim", "data"), "Bound");
    assert_eq!(phase(&world, "PersistentVolume", "pv"), "Bound");
    world.remove("", "PersistentVolumeClaim", "data");
    world.pass(60);
    assert_eq!(
        phase(&world, "PersistentVolume", "pv"),
        "Released",
        "it is retained"
    );
}

#[test]
fn a_claim_takes_the_smallest_free_volume_that_fits() {
    let mut world = World::new();
    for (name, size) in [("big", "9Gi"), ("fits", "1Gi"), ("small", "1Mi")] {
        world.add(volume(name, json!({"capacity": {"storage": size}})));
    }
    world.add(claim("data", json!({"storageClassName": ""})));
    world.pass(5);
    let data = world.see("", "PersistentVolumeClaim", "data");
    assert_eq!(data["spec"]["volumeName"], "fits");
    assert_eq!(phase(&world, "PersistentVolume", "big"), "Available");
}

#[test]
fn a_bound_claim_whose_volume_is_gone_is_lost() {
    let mut world = World::new();
    let mut lost = claim(
        "data",
        json!({"volumeName": "gone", "storageClassName": "fast"}),
    );
    lost["metadata"]["annotations"] = json!({"pv.kubernetes.io/bind-completed": "yes"});
    world.add(lost);
    world.pass(5);
    assert_eq!(phase(&world, "PersistentVolumeClaim", "data"), "Lost");
}

#[test]
fn a_claim_in_use_is_not_deleted_before_its_pod() {
    let mut world = World::new();
    world.add(claim("data", json!({"storageClassName": "fast"})));
    world.add(consumer("data"));
    world.pass(60);
    world.remove("", "PersistentVolumeClaim", "data");
    world.pass(60);
    assert_eq!(phase(&world, "PersistentVolumeClaim", "data"), "Bound");
    world.remove("", "Pod", "uses-data");
    world.pass(60);
    assert!(world.names("", "PersistentVolumeClaim").is_empty());
    assert!(world.names("", "PersistentVolume").is_empty());
}
