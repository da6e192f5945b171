//! Volumes: what comes back of them, and what only seems to.

use serde_json::Value;
use serde_json::json;

use crate::traps::put;
use crate::traps::restore_of;
use crate::world::World;
use crate::world::velero;

fn files_backup() -> Value {
    json!({
        "name": "files",
        "archive": [{
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "files", "namespace": "files"},
            "spec": {
                "containers": [{
                    "name": "c", "image": "files:1",
                    "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                }],
                "volumes": [{"name": "data", "emptyDir": {}}],
            },
            "status": {"phase": "Running"},
        }],
        "pod_volumes": [{
            "apiVersion": "velero.io/v1", "kind": "PodVolumeBackup",
            "metadata": {
                "name": "files-abcde", "namespace": "velero",
                "labels": {"velero.io/backup-name": "files", "velero.io/backup-uid": "old"},
            },
            "spec": {
                "pod": {"kind": "Pod", "name": "files", "namespace": "files"},
                "volume": "data", "node": "old", "backupStorageLocation": "old",
                "repoIdentifier": "", "uploaderType": "kopia",
            },
            "status": {
                "phase": "Completed", "snapshotID": "abc",
                "progress": {"totalBytes": 1_000_000_000_u64, "bytesDone": 1_000_000_000_u64},
            },
        }],
    })
}

#[tokio::test(start_paused = true)]
async fn a_restore_between_a_backup_and_its_volumes_brings_empty_volumes_and_is_completed() {
    let mut world = World::prepared().await;
    put(&world, files_backup());
    world.serve();
    // Made before the server knows of any location, so that it runs as soon as the Backup is there.
    world.locate(json!({"accessMode": "ReadOnly"})).await;
    world.until(&velero("backups", "files"), |_| true).await;
    for volume in ["files-abcde"] {
        if world
            .get(&velero("podvolumebackups", volume))
            .await
            .is_some()
        {
            world.delete(&velero("podvolumebackups", volume)).await;
        }
    }
    let early = restore_of(&world, "files", json!({})).await;
    assert_eq!(early["status"]["phase"], "Completed", "{early:#}");
    let moved = world
        .get("/apis/velero.io/v1/namespaces/velero/podvolumerestores")
        .await;
    assert_eq!(moved.expect("a list")["items"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn volumes_of_pods_need_an_agent_on_their_node_and_say_that_they_are_simulated() {
    let mut world = World::prepared().await;
    put(&world, files_backup());
    world
        .apply(json!({
            "apiVersion": "apps/v1", "kind": "DaemonSet",
            "metadata": {"name": "node-agent", "namespace": "velero"},
            "spec": {
                "selector": {"matchLabels": {"role": "node-agent"}},
                "template": {
                    "metadata": {"labels": {"role": "node-agent"}},
                    "spec": {"containers": [{"name": "node-agent", "image": "velero/velero"}]},
                },
            },
        }))
        .await;
    world.serve();
    world.locate(json!({"accessMode": "ReadOnly"})).await;
    world
        .until(&velero("podvolumebackups", "files-abcde"), |_| true)
        .await;
    let restored = restore_of(&world, "files", json!({})).await;
    assert_eq!(
        restored["status"]["phase"],
        "Completed",
        "{:#}",
        world.left("files", "results.gz")
    );
    let moved = world
        .get("/apis/velero.io/v1/namespaces/velero/podvolumerestores")
        .await
        .expect("a list");
    let one = &moved["items"][0];
    assert_eq!(one["status"]["phase"], "Completed");
    assert_eq!(one["status"]["message"], "simulated: no bytes were moved");
    assert_eq!(
        one["metadata"]["annotations"]["drplan.io/simulated"],
        "true"
    );
    assert_eq!(one["status"]["progress"]["bytesDone"], 1_000_000_000_u64);
    let pod = world.until("/api/v1/namespaces/files/pods/files", |pod| {
        pod["status"]["phase"] == "Running"
    });
    assert_eq!(
        pod.await["spec"]["initContainers"][0]["name"],
        "restore-wait"
    );
}

#[tokio::test(start_paused = true)]
async fn a_claim_without_data_comes_back_empty_and_nobody_complains() {
    let world = World::new().await;
    let apps = world.restore("apps", "apps-daily", json!({})).await;
    assert_eq!(apps["status"]["phase"], "Completed");
    let url = "/api/v1/namespaces/shop/persistentvolumeclaims/thumbnails-thumbnails-0";
    let claim = world
        .until(url, |claim| claim["status"]["phase"] == "Bound")
        .await;
    assert_ne!(claim["spec"]["volumeName"], "disk-0001");
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_somebody_made_before_keeps_its_own_volume() {
    let mut world = World::prepared().await;
    world
        .apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}))
        .await;
    world
        .apply(json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": "thumbnails-thumbnails-0", "namespace": "shop"},
            "spec": {
                "accessModes": ["ReadWriteOnce"], "storageClassName": "standard",
                "resources": {"requests": {"storage": "1Gi"}},
            },
        }))
        .await;
    world.serve();
    world.locate(json!({"accessMode": "ReadOnly"})).await;
    world.restore("apps", "apps-daily", json!({})).await;
    let claim = "v1/PersistentVolumeClaim shop/thumbnails-thumbnails-0".to_owned();
    assert!(world.outcomes("apps")["failed"].contains(&claim));
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_of_a_location_that_is_not_there_is_an_error_of_its_volume() {
    let mut world = World::prepared().await;
    put(
        &world,
        json!({
            "name": "disks",
            "archive": [{
                "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "disk"},
                "spec": {
                    "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"},
                    "persistentVolumeReclaimPolicy": "Delete",
                    "csi": {"driver": "disk.csi.example", "volumeHandle": "vol-old"},
                },
            }],
            "volumes": [{"pvName": "disk", "backupMethod": "NativeSnapshot"}],
            "snapshots": [{
                "spec": {"persistentVolumeName": "disk", "location": "aws", "volumeType": "gp3"},
                "status": {"providerSnapshotID": "snap-1", "phase": "Completed"},
            }],
        }),
    );
    world.serve();
    world.locate(json!({"accessMode": "ReadOnly"})).await;
    let restored = restore_of(&world, "disks", json!({})).await;
    assert_eq!(restored["status"]["phase"], "PartiallyFailed");
    let results = world.left("disks", "results.gz");
    assert_eq!(
        results["errors"]["cluster"],
        json!(["error executing PVAction for persistentvolumes/disk: \
                VolumeSnapshotLocation.velero.io \"aws\" not found"])
    );
}
