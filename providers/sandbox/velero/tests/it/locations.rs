//! Locations, and which of their backups come into the cluster.

use std::sync::Arc;
use std::time::Duration;

use drplan_sandbox_velero::Download;
use drplan_sandbox_velero::Sign;
use serde_json::Value;
use serde_json::json;

use crate::world::World;
use crate::world::backup;
use crate::world::velero;

async fn message(world: &World, phase: &str) -> String {
    let url = velero("backupstoragelocations", "backups");
    let location = world
        .until(&url, |location| location["status"]["phase"] == phase)
        .await;
    location["status"]["message"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_is_not_velero_s_own_makes_a_location_unavailable() {
    let mut world = World::prepared().await;
    world.bucket.write("velero/dumps/shop.dump", vec![1]);
    world.serve();
    world.locate(json!({})).await;
    assert_eq!(
        message(&world, "Unavailable").await,
        "BackupStorageLocation \"backups\" is unavailable: Backup store contains invalid top-level \
         directories: [dumps]"
    );
    tokio::time::sleep(Duration::from_secs(180)).await;
    assert_eq!(
        world.get(&velero("backups", &backup("infra-daily"))).await,
        None
    );
}

#[tokio::test(start_paused = true)]
async fn a_wrong_key_makes_a_location_unavailable_until_it_is_put_right() {
    let mut world = World::prepared().await;
    world.serve();
    let secret = |content: &str| {
        json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "key", "namespace": "velero"}, "stringData": {"cloud": content},
        })
    };
    world
        .locate(json!({"credential": {"name": "key", "key": "cloud"}}))
        .await;
    assert_eq!(
        message(&world, "Unavailable").await,
        "BackupStorageLocation \"backups\" is unavailable: unable to get credentials: unable to get \
         key for secret: Secret \"key\" not found"
    );
    world.apply(secret("STRANGER")).await;
    tokio::time::sleep(Duration::from_secs(90)).await;
    let said = message(&world, "Unavailable").await;
    assert!(
        said.contains("rpc error: code = Unknown desc = operation error S3: ListObjectsV2"),
        "{said}"
    );
    world.apply(secret("WRITER")).await;
    assert_eq!(message(&world, "Available").await, "");
}

#[tokio::test(start_paused = true)]
async fn backups_come_at_the_next_full_minute_of_the_server() {
    let mut world = World::prepared().await;
    world.serve();
    tokio::time::sleep(Duration::from_secs(4)).await;
    world.locate(json!({"accessMode": "ReadOnly"})).await;
    message(&world, "Available").await;
    tokio::time::sleep(Duration::from_secs(50)).await;
    assert_eq!(
        world.get(&velero("backups", &backup("infra-daily"))).await,
        None
    );
    tokio::time::sleep(Duration::from_secs(15)).await;
    let imported = world
        .get(&velero("backups", &backup("infra-daily")))
        .await
        .expect("imported");
    assert_eq!(imported["spec"]["storageLocation"], "backups");
    assert_eq!(
        imported["metadata"]["labels"]["velero.io/storage-location"],
        "backups"
    );
    assert_eq!(imported["metadata"]["ownerReferences"], Value::Null);
    assert_eq!(imported["status"]["phase"], "Completed");
}

#[tokio::test(start_paused = true)]
async fn a_location_with_a_period_of_zero_brings_nothing() {
    let mut world = World::prepared().await;
    world.serve();
    world
        .locate(json!({"accessMode": "ReadOnly", "backupSyncPeriod": "0s"}))
        .await;
    message(&world, "Available").await;
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(
        world.get(&velero("backups", &backup("infra-daily"))).await,
        None
    );
}

#[tokio::test(start_paused = true)]
async fn half_copied_and_unfinished_backups_stay_out() {
    let mut world = World::prepared().await;
    world
        .bucket
        .write("velero/backups/half/half.tar.gz", vec![1]);
    for (name, phase, expiration) in [
        ("new", "New", "2099-01-01T00:00:00Z"),
        ("open", "Finalizing", "2099-01-01T00:00:00Z"),
        ("late", "Finalizing", "2026-01-01T00:00:00Z"),
    ] {
        let backup = json!({
            "apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"name": name, "namespace": "x"},
            "spec": {}, "status": {"phase": phase, "expiration": expiration},
        });
        let key = format!("velero/backups/{name}/velero-backup.json");
        world.bucket.write(&key, backup.to_string().into_bytes());
    }
    world.serve();
    world.locate(json!({"accessMode": "ReadOnly"})).await;
    world.backups("infra-daily").await;
    for name in ["half", "new", "open"] {
        assert_eq!(world.get(&velero("backups", name)).await, None, "{name}");
    }
    let late = world
        .get(&velero("backups", "late"))
        .await
        .expect("imported");
    assert_eq!(late["status"]["phase"], "PartiallyFailed");
}

#[tokio::test(start_paused = true)]
async fn backups_that_vanish_from_the_bucket_vanish_from_the_cluster() {
    let world = World::new().await;
    world.backups("infra-daily").await;
    world
        .locate(json!({"objectStorage": {"bucket": "shop-backups", "prefix": "elsewhere"}}))
        .await;
    tokio::time::sleep(Duration::from_secs(130)).await;
    assert_eq!(
        world.get(&velero("backups", &backup("infra-daily"))).await,
        None
    );
    assert!(!world.bucket.keys("velero/backups/").is_empty());
}

#[tokio::test(start_paused = true)]
async fn requests_are_answered_and_go_away_again() {
    let world = World::new().await;
    world
        .apply(json!({
            "apiVersion": "velero.io/v1", "kind": "ServerStatusRequest",
            "metadata": {"name": "ask", "namespace": "velero"}, "spec": {},
        }))
        .await;
    let url = velero("serverstatusrequests", "ask");
    let answer = world
        .until(&url, |request| request["status"]["phase"] == "Processed")
        .await;
    assert_eq!(answer["status"]["serverVersion"], "v1.18.3");
    tokio::time::sleep(Duration::from_secs(400)).await;
    assert_eq!(world.get(&url).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_server_without_its_kinds_or_its_namespace_ends() {
    let mut world = World::prepared().await;
    world
        .delete("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/restores.velero.io")
        .await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    world.serve();
    let exit = world
        .server
        .take()
        .expect("a server")
        .await
        .expect("an end");
    assert!(
        exit.why
            .contains("custom resource Restore not found in Velero API group velero.io/v1"),
        "{exit}"
    );
}

#[tokio::test(start_paused = true)]
async fn downloads_get_an_address_for_ten_minutes() {
    let mut world = World::prepared().await;
    let sign: Sign = Arc::new(|download: &Download<'_>| {
        let Download {
            bucket,
            key,
            lifetime,
            ..
        } = download;
        Ok(format!(
            "https://s3.example/{bucket}/{key}?for={}",
            lifetime.as_secs()
        ))
    });
    world.serve_with(Some(sign), 3);
    world.locate(json!({"accessMode": "ReadOnly"})).await;
    world.restore("infra", "infra-daily", json!({})).await;
    world
        .apply(json!({
            "apiVersion": "velero.io/v1", "kind": "DownloadRequest",
            "metadata": {"name": "ask", "namespace": "velero"},
            "spec": {"target": {"kind": "RestoreResults", "name": "infra"}},
        }))
        .await;
    let url = velero("downloadrequests", "ask");
    let answer = world
        .until(&url, |request| request["status"]["phase"] == "Processed")
        .await;
    assert_eq!(
        answer["status"]["downloadURL"],
        "https://s3.example/shop-backups/velero/restores/infra/restore-infra-results.gz?for=600"
    );
    tokio::time::sleep(Duration::from_secs(700)).await;
    assert_eq!(world.get(&url).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_taken_keeps_the_backup_of_another_location_out() {
    let mut world = World::prepared().await;
    let name = backup("infra-daily");
    let key = format!("velero/backups/{name}/velero-backup.json");
    let content = world.bucket.read(&key).expect("a backup").to_vec();
    world
        .bucket
        .write(&format!("aside/backups/{name}/velero-backup.json"), content);
    world.serve();
    world.locate(json!({"accessMode": "ReadOnly"})).await;
    world
        .apply(json!({
            "apiVersion": "velero.io/v1", "kind": "BackupStorageLocation",
            "metadata": {"name": "aside", "namespace": "velero"},
            "spec": {
                "provider": "aws", "accessMode": "ReadOnly", "default": true,
                "objectStorage": {"bucket": "shop-backups", "prefix": "aside"},
            },
        }))
        .await;
    tokio::time::sleep(Duration::from_secs(200)).await;
    let known = world.get(&velero("backups", &name)).await.expect("there");
    // The default location is looked at first.
    assert_eq!(known["spec"]["storageLocation"], "aside");
}
