//! Brings the backups of a bucket into the cluster, once a minute.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use tokio::time::MissedTickBehavior;

use crate::backups;
use crate::bucket::Store;
use crate::kube_api::Answer;
use crate::labels;
use crate::location;
use crate::server::Server;
use crate::text::go_duration;
use crate::text::name;
use crate::text::phase;
use crate::text::stamp;
use crate::text::text;
use crate::text::time;
use crate::text::uid;

/// How often the server looks which locations are due.
const TICK: Duration = Duration::from_secs(60);

/// How often a location is due when it does not say so itself.
const PERIOD: Duration = Duration::from_secs(60);

/// Synchronises for as long as it is polled.
pub(crate) async fn run(server: &Server) -> Answer<()> {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let locations = match location::all(server).await {
            Ok(locations) => locations,
            Err(refusal) if refusal.is_missing() => return Err(refusal),
            Err(_) => continue,
        };
        for location in locations {
            if is_due(server, &location) && backups::is_available(&location) {
                tokio::time::sleep(server.options.durations.bucket).await;
                one(server, &location).await;
            }
        }
    }
}

fn is_due(server: &Server, location: &Value) -> bool {
    let period = go_duration(text(location, "/spec/backupSyncPeriod")).unwrap_or(PERIOD);
    if period.is_zero() {
        return false;
    }
    let last = time(location, "/status/lastSyncedTime");
    let next = last.and_then(|last| last.checked_add(period).ok());
    next.is_none_or(|next| server.now() >= next)
}

async fn one(server: &Server, location: &Value) {
    let Ok(store) = backups::open(&server.kube, &*server.buckets, location).await else {
        return;
    };
    let Ok(stored) = store.folders("backups/") else {
        return;
    };
    let place = server.own("backups");
    // A list that cannot be had does not keep new backups out.
    let known = server
        .kube
        .list(&place)
        .await
        .map(|(list, _)| list)
        .unwrap_or_default();
    let names: BTreeSet<&str> = known.iter().map(name).collect();
    for backup in stored.iter().filter(|backup| !names.contains(&***backup)) {
        import(server, location, &store, backup).await;
    }
    delete_orphans(server, location, &stored).await;
    let places = server.own("backupstoragelocations");
    let patch = json!({"status": {"lastSyncedTime": stamp(server.now())}});
    server
        .kube
        .patch(&places, name(location), &patch)
        .await
        .ok();
}

/// Makes a Backup of what a bucket says of one; a folder without that file is none.
async fn import(server: &Server, location: &Value, store: &Store, backup: &str) {
    let file = format!("backups/{backup}/velero-backup.json");
    let Ok(Some(content)) = store.try_get(&file) else {
        return;
    };
    let Ok(mut object) = serde_json::from_slice::<Value>(&content) else {
        return;
    };
    if !may_come(server, &mut object) {
        return;
    }
    let location = name(location);
    rewrite(server, &mut object, location);
    keep_owners(server, &mut object).await;
    let Ok(made) = server.kube.create(&server.own("backups"), &object).await else {
        return;
    };
    // One by one and after the backup itself: whoever restores between sees none.
    let file = backups::backup_file(backup, "-podvolumebackups.json.gz");
    let Ok(Some(volumes)) = backups::read_json(store, &file) else {
        return;
    };
    for volume in volumes.as_array().into_iter().flatten() {
        let mut volume = volume.clone();
        volume["metadata"]["namespace"] = json!(server.options.namespace);
        volume["spec"]["backupStorageLocation"] = json!(location);
        adopt(&mut volume, &made);
        strip(&mut volume);
        tokio::time::sleep(server.options.durations.object).await;
        server
            .kube
            .create(&server.own("podvolumebackups"), &volume)
            .await
            .ok();
    }
}

/// Whether a backup is finished. One that is not, but has expired, comes in order to be deleted.
fn may_come(server: &Server, backup: &mut Value) -> bool {
    match phase(backup) {
        "Completed" | "PartiallyFailed" | "Failed" => true,
        "WaitingForPluginOperations"
        | "WaitingForPluginOperationsPartiallyFailed"
        | "Finalizing"
        | "FinalizingPartiallyFailed" => {
            let expiration = time(backup, "/status/expiration");
            let is_expired = expiration.is_some_and(|then| then <= server.now());
            if is_expired {
                backup["status"]["phase"] = json!("PartiallyFailed");
            }
            is_expired
        }
        _ => false,
    }
}

fn rewrite(server: &Server, backup: &mut Value, location: &str) {
    backup["spec"]["hooks"] = json!({});
    backup["spec"]["storageLocation"] = json!(location);
    let metadata = &mut backup["metadata"];
    metadata["namespace"] = json!(server.options.namespace);
    if !metadata["labels"].is_object() {
        metadata["labels"] = json!({});
    }
    metadata["labels"][labels::STORAGE_LOCATION] = json!(labels::value(location));
    strip(backup);
}

/// What the API sets itself.
fn strip(object: &mut Value) {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("resourceVersion");
        metadata.remove("uid");
        metadata.remove("generation");
    }
}

/// Drops owners that are Schedules of another cluster.
async fn keep_owners(server: &Server, backup: &mut Value) {
    let mut kept = Vec::new();
    let owners = backup["metadata"]["ownerReferences"].as_array().cloned();
    for owner in owners.unwrap_or_default() {
        if owner["kind"] == "Schedule" {
            let schedules = server.own("schedules");
            let found = server.kube.find(&schedules, text(&owner, "/name")).await;
            if found
                .ok()
                .flatten()
                .is_none_or(|found| uid(&found) != text(&owner, "/uid"))
            {
                continue;
            }
        }
        kept.push(owner);
    }
    if let Some(metadata) = backup["metadata"].as_object_mut() {
        if kept.is_empty() {
            metadata.remove("ownerReferences");
        } else {
            metadata.insert("ownerReferences".to_owned(), Value::Array(kept));
        }
    }
}

/// Ties the backup of a volume to the Backup as this cluster knows it.
fn adopt(volume: &mut Value, backup: &Value) {
    let owners = volume.pointer_mut("/metadata/ownerReferences");
    for owner in owners.and_then(Value::as_array_mut).into_iter().flatten() {
        let is_it = owner["apiVersion"] == "velero.io/v1"
            && owner["kind"] == "Backup"
            && text(owner, "/name") == name(backup);
        if is_it {
            owner["uid"] = json!(uid(backup));
        }
    }
    if let Some(label) = volume
        .pointer_mut("/metadata/labels")
        .and_then(|labels| labels.get_mut(labels::BACKUP_UID))
    {
        *label = json!(uid(backup));
    }
}

/// Deletes finished Backups whose folder is gone from the bucket.
async fn delete_orphans(server: &Server, location: &Value, stored: &[String]) {
    let place = server.own("backups");
    let label = labels::value(name(location));
    let selector = format!("{}={label}", labels::STORAGE_LOCATION);
    let Ok((backups, _)) = server.kube.list_with(&place, &selector).await else {
        return;
    };
    for backup in &backups {
        let is_finished = matches!(phase(backup), "Completed" | "PartiallyFailed");
        if is_finished && !stored.iter().any(|stored| stored == name(backup)) {
            server.kube.delete(&place, name(backup)).await.ok();
        }
    }
}
