//! What a recovery with Velero falls into, one test for each.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::case::Case;
use crate::world::World;
use crate::world::backup;
use crate::world::velero;

/// Puts a backup of these objects into the bucket.
pub(crate) fn put(world: &World, case: Value) {
    let mut case = case;
    case["restore"] = json!({});
    let case: Case = serde_json::from_value(case).expect("a case");
    for (key, content) in case.files().expect("files") {
        world.bucket.write(&format!("velero/{key}"), content);
    }
}

pub(crate) fn config_map(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace}, "data": {"key": "value"},
    })
}

/// Changes the file that makes a folder a backup.
fn rewrite(world: &World, name: &str, change: impl Fn(&mut Value)) {
    let key = format!("velero/backups/{name}/velero-backup.json");
    let content = world.bucket.read(&key).expect("a backup");
    let mut backup: Value = serde_json::from_slice(&content).expect("JSON");
    change(&mut backup);
    world.bucket.write(&key, backup.to_string().into_bytes());
}

pub(crate) async fn restore_of(world: &World, name: &str, more: Value) -> Value {
    world.until(&velero("backups", name), |_| true).await;
    let mut spec = json!({"backupName": name});
    for (key, value) in more.as_object().expect("fields") {
        spec[key] = value.clone();
    }
    world
        .apply(json!({
            "apiVersion": "velero.io/v1", "kind": "Restore",
            "metadata": {"name": name, "namespace": "velero"}, "spec": spec,
        }))
        .await;
    world.ended(name).await
}

#[tokio::test(start_paused = true)]
async fn a_writable_location_has_its_expired_backups_deleted_as_soon_as_they_are_seen() {
    let mut world = World::prepared().await;
    put(
        &world,
        json!({"name": "old", "archive": [config_map("a", "one")]}),
    );
    rewrite(&world, "old", |backup| {
        backup["status"]["expiration"] = json!("2026-01-01T00:00:00Z")
    });
    world.serve();
    world.locate(json!({})).await;
    world.backups("apps-daily").await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(
        world.bucket.keys("velero/backups/old/"),
        Vec::<String>::new()
    );
    assert_eq!(world.get(&velero("backups", "old")).await, None);
    assert!(
        !world
            .bucket
            .keys(&format!("velero/backups/{}/", backup("apps-daily")))
            .is_empty()
    );
}

#[tokio::test(start_paused = true)]
async fn a_read_only_location_keeps_its_expired_backups_and_says_so() {
    let mut world = World::prepared().await;
    put(
        &world,
        json!({"name": "old", "archive": [config_map("a", "one")]}),
    );
    rewrite(&world, "old", |backup| {
        backup["status"]["expiration"] = json!("2026-01-01T00:00:00Z")
    });
    world.serve();
    world.locate(json!({"accessMode": "ReadOnly"})).await;
    let kept = world
        .until(&velero("backups", "old"), |old| {
            old["metadata"]["labels"]["velero.io/gc-failure"] == "BSLReadOnly"
        })
        .await;
    assert_eq!(kept["status"]["phase"], "Completed");
    assert!(!world.bucket.keys("velero/backups/old/").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_restore_of_some_namespaces_brings_nothing_of_the_cluster() {
    let world = World::new().await;
    let filter = json!({"includedNamespaces": ["shop"]});
    world.restore("apps", "apps-daily", filter).await;
    let all = world.outcomes("apps");
    let is_role =
        |title: &&String| title.contains("ClusterRole") || title.contains("CustomResource");
    assert_eq!(all["created"].iter().find(is_role), None);
    // Its claims' volumes and its pods' classes come along all the same.
    assert!(
        all["created"]
            .iter()
            .any(|title| title.ends_with("PriorityClass shop-earns-money"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_restore_that_comes_too_early_has_failed_for_ever() {
    let mut world = World::prepared().await;
    world.serve();
    world.begin("early", "infra-daily", json!({})).await;
    let early = world.ended("early").await;
    assert_eq!(early["status"]["phase"], "FailedValidation");
    let name = backup("infra-daily");
    assert_eq!(
        early["status"]["validationErrors"],
        json!([format!(
            "Error retrieving backup: can't find backup velero/{name}: Backup.velero.io \"{name}\" not found"
        )])
    );
    world.locate(json!({"accessMode": "ReadOnly"})).await;
    world.backups("infra-daily").await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    let early = world
        .get(&velero("restores", "early"))
        .await
        .expect("there");
    assert_eq!(early["status"]["phase"], "FailedValidation");
}

#[tokio::test(start_paused = true)]
async fn a_restore_is_completed_although_it_left_other_objects_alone() {
    let mut world = World::prepared().await;
    put(
        &world,
        json!({"name": "mine", "archive": [config_map("a", "one")]}),
    );
    world
        .apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}))
        .await;
    let mut other = config_map("a", "one");
    other["data"]["key"] = json!("other");
    world.apply(other).await;
    world.serve();
    world.locate(json!({"accessMode": "ReadOnly"})).await;
    let restored = restore_of(&world, "mine", json!({})).await;
    assert_eq!(restored["status"]["phase"], "Completed");
    assert_eq!(restored["status"]["warnings"], 1);
    assert_eq!(world.outcomes("mine")["failed"], ["v1/ConfigMap a/one"]);
    let kept = world
        .get("/api/v1/namespaces/a/configmaps/one")
        .await
        .expect("there");
    assert_eq!(kept["data"]["key"], "other");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_may_not_write_makes_a_restore_partially_failed_without_results() {
    let mut world = World::prepared().await;
    world.serve();
    world
        .apply(json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "key", "namespace": "velero"}, "stringData": {"cloud": "READER"},
        }))
        .await;
    let credential = json!({"name": "key", "key": "cloud"});
    world
        .locate(json!({"accessMode": "ReadOnly", "credential": credential}))
        .await;
    let server = world.backups("infra-daily").await;
    assert_eq!(server["spec"]["storageLocation"], "backups");
    world.begin("infra", "infra-daily", json!({})).await;
    let is_waiting = |restore: &Value| restore["status"]["phase"] == "FinalizingPartiallyFailed";
    let restored = world.until(&velero("restores", "infra"), is_waiting).await;
    assert_eq!(restored["status"]["errors"], 1);
    assert!(
        world
            .get("/apis/apps/v1/namespaces/shop-infra/deployments/price-check")
            .await
            .is_some()
    );
    assert_eq!(world.bucket.keys("velero/restores/"), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_fresh_server_makes_itself_the_well_known_repository_password() {
    let mut world = World::prepared().await;
    world.serve();
    let url = "/api/v1/namespaces/velero/secrets/velero-repo-credentials";
    let secret = world.until(url, |_| true).await;
    assert_eq!(
        secret["data"]["repository-password"],
        "c3RhdGljLXBhc3N3MHJk"
    );
}

#[tokio::test(start_paused = true)]
async fn a_schedule_means_its_newest_whole_backup_even_when_that_holds_nothing() {
    let mut world = World::prepared().await;
    for (name, start, phase) in [
        ("full", "2026-11-01T00:00:00Z", "Completed"),
        ("empty", "2026-11-02T00:00:00Z", "Completed"),
        ("broken", "2026-11-03T00:00:00Z", "PartiallyFailed"),
    ] {
        put(&world, json!({"name": name, "archive": []}));
        rewrite(&world, name, |backup| {
            backup["metadata"]["labels"] = json!({"velero.io/schedule-name": "nightly"});
            backup["status"]["startTimestamp"] = json!(start);
            backup["status"]["phase"] = json!(phase);
        });
    }
    world.serve();
    world.locate(json!({"accessMode": "ReadOnly"})).await;
    world.until(&velero("backups", "full"), |_| true).await;
    let restored = restore_of(
        &world,
        "broken",
        json!({"backupName": null, "scheduleName": "nightly"}),
    )
    .await;
    assert_eq!(restored["spec"]["backupName"], "empty");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ends_during_a_restore_gives_it_up_when_it_starts_again() {
    let mut world = World::new().await;
    world.backups("apps-daily").await;
    world.begin("apps", "apps-daily", json!({})).await;
    let url = velero("restores", "apps");
    world
        .until(&url, |restore| restore["status"]["phase"] == "InProgress")
        .await;
    world.kill().await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(
        world.get(&url).await.expect("there")["status"]["phase"],
        "InProgress"
    );
    world.serve();
    let given_up = world.ended("apps").await;
    assert_eq!(given_up["status"]["phase"], "Failed");
    assert_eq!(
        given_up["status"]["failureReason"],
        "found a restore with status \"InProgress\" during the server starting, mark it as \"Failed\""
    );
}

#[tokio::test(start_paused = true)]
async fn a_restore_is_held_until_its_files_can_be_deleted() {
    let world = World::new().await;
    world.restore("infra", "infra-daily", json!({})).await;
    assert!(!world.bucket.keys("velero/restores/infra/").is_empty());
    world.delete(&velero("restores", "infra")).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(world.get(&velero("restores", "infra")).await, None);
    assert_eq!(
        world.bucket.keys("velero/restores/infra/"),
        Vec::<String>::new()
    );

    world.restore("again", "infra-daily", json!({})).await;
    world.bucket.write("velero/dumps/one", vec![1]);
    let url = velero("backupstoragelocations", "backups");
    world
        .until(&url, |location| {
            location["status"]["phase"] == "Unavailable"
        })
        .await;
    world.delete(&velero("restores", "again")).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(world.get(&velero("restores", "again")).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn restores_run_one_after_the_other() {
    let world = World::new().await;
    world.backups("apps-daily").await;
    world.begin("first", "apps-daily", json!({})).await;
    world.begin("second", "infra-daily", json!({})).await;
    let url = velero("restores", "first");
    world
        .until(&url, |restore| restore["status"]["phase"] == "InProgress")
        .await;
    let second = world
        .get(&velero("restores", "second"))
        .await
        .expect("there");
    assert_eq!(second["status"]["phase"], Value::Null);
    world.ended("second").await;
    let first = world.ended("first").await;
    assert_eq!(first["status"]["phase"], "Completed");
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_does_not_go_away_holds_a_restore_up_for_ten_minutes() {
    let mut world = World::prepared().await;
    put(
        &world,
        json!({"name": "mine", "archive": [config_map("a", "one"), config_map("a", "two")]}),
    );
    world
        .apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}))
        .await;
    let mut held = config_map("a", "held");
    held["metadata"]["finalizers"] = json!(["example.com/nobody"]);
    world.apply(held).await;
    world.delete("/api/v1/namespaces/a").await;
    world.serve();
    world.locate(json!({"accessMode": "ReadOnly"})).await;
    world.until(&velero("backups", "mine"), |_| true).await;
    let began = world.clock.now();
    let restored = restore_of(&world, "mine", json!({})).await;
    assert_eq!(restored["status"]["phase"], "PartiallyFailed");
    assert!(world.clock.now().duration_since(began).as_secs() >= 600);
    assert_eq!(
        world.left("mine", "results.gz")["errors"]["velero"],
        json!([
            "timed out waiting for terminating namespace a to disappear before restoring: context \
             deadline exceeded",
            "skipping polling for terminating namespace a: namespace a is already present in the \
             polling set, skipping execution",
        ])
    );
}

#[tokio::test(start_paused = true)]
async fn a_webhook_that_came_back_first_blocks_what_comes_after_it() {
    let world = World::new().await;
    // Its Service comes too, and nothing behind that.
    let behind = [
        "pods",
        "replicasets",
        "deployments",
        "endpoints",
        "endpointslices",
    ];
    let spec = json!({"includeClusterResources": true, "excludedResources": behind});
    world.restore("infra", "infra-daily", spec).await;
    // The shop's own check lets everything pass while it is down; most others do not.
    let url = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/pricelists.shop.example";
    let mut guard = world.get(url).await.expect("restored");
    guard["webhooks"][0]["failurePolicy"] = json!("Fail");
    world
        .ask(http::Method::PUT, url, Some(&guard))
        .await
        .expect("changed");
    world
        .begin(
            "apps",
            "apps-daily",
            json!({"includedResources": ["pricelists.shop.example"]}),
        )
        .await;
    let restored = world.ended("apps").await;
    let results = world.left("apps", "results.gz");
    assert_eq!(
        restored["status"]["phase"], "PartiallyFailed",
        "{results:#}"
    );
    let said = results["errors"]["namespaces"]["shop"][0]
        .as_str()
        .unwrap_or_default();
    assert!(said.contains("failed calling webhook"), "{said}");
}
