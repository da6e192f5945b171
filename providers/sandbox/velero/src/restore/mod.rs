//! Restores: one at a time, each only once.

mod actions;
mod after;
mod execute;
mod existing;
mod finalize;
mod item;
mod log;
mod modifiers;
mod namespaces;
mod patches;
mod pod_volumes;
mod report;
mod select;
mod validate;
mod volumes;

use serde_json::Value;
use serde_json::json;

use crate::backups;
use crate::kube_api::Answer;
use crate::labels;
use crate::server::Server;
use crate::text::go_duration;
use crate::text::is_deleting;
use crate::text::name;
use crate::text::phase;
use crate::text::stamp;
use crate::text::text;
use crate::text::texts;
use crate::text::uid;
use crate::watch::Watched;

pub(crate) use finalize::run as finalize;

/// What keeps a Restore until its files are deleted from the bucket.
const FINALIZER: &str = "restores.velero.io/external-resources-finalizer";

/// What the server writes into a Restore that does not say it itself.
const ITEM_OPERATION_TIMEOUT: &str = "4h0m0s";

/// How long after a failed deletion of a restore's files the next is tried.
const RETRY: std::time::Duration = std::time::Duration::from_secs(10);

/// Restores for as long as it is polled.
pub(crate) async fn run(server: &Server) -> Answer<()> {
    let mut watched = Watched::new(&server.kube, server.own("restores"));
    loop {
        let mut all = watched.list().await?;
        all.sort_by(|a, b| {
            let made = |restore| text(restore, "/metadata/creationTimestamp");
            (made(a), name(a)).cmp(&(made(b), name(b)))
        });
        let mut next = None;
        let mut is_done = true;
        for restore in &all {
            if is_deleting(restore) {
                if delete(server, restore).await.is_err() {
                    next = Some(tokio::time::Instant::now() + RETRY);
                }
            } else if !has_finalizer(restore) || matches!(phase(restore), "" | "New") {
                one(server, restore).await;
                // Others may have come or changed meanwhile.
                is_done = false;
                break;
            }
        }
        if is_done {
            watched.wait(next).await;
        }
    }
}

fn has_finalizer(restore: &Value) -> bool {
    texts(&restore["metadata"]["finalizers"])
        .iter()
        .any(|finalizer| finalizer == FINALIZER)
}

/// Deletes a restore's files, and lets go of it.
async fn delete(server: &Server, restore: &Value) -> Result<(), String> {
    if !has_finalizer(restore) {
        return Ok(());
    }
    delete_files(server, restore).await?;
    let mut finalizers = texts(&restore["metadata"]["finalizers"]);
    finalizers.retain(|finalizer| finalizer != FINALIZER);
    let patch = json!({"metadata": {"finalizers": finalizers}});
    let done = server
        .kube
        .patch(&server.own("restores"), name(restore), &patch)
        .await;
    done.map(drop).map_err(|refusal| refusal.to_string())
}

async fn delete_files(server: &Server, restore: &Value) -> Result<(), String> {
    let backup = text(restore, "/spec/backupName");
    if backup.is_empty() {
        return Ok(());
    }
    let location = match backups::find(&server.kube, &server.options.namespace, backup).await {
        Ok(found) => found.location,
        Err(error) if error.is_missing => return Ok(()),
        Err(error) => return Err(error.message),
    };
    if !backups::is_available(&location) {
        let name = name(&location);
        return Err(format!(
            "bsl {name} is unavailable, cannot get the backup info"
        ));
    }
    let store = backups::open(&server.kube, &*server.buckets, &location).await?;
    store.delete_folder(&format!("restores/{}/", name(restore)))
}

/// Takes up one Restore: holds it, and runs it when it is new.
async fn one(server: &Server, restore: &Value) {
    let place = server.own("restores");
    let mut held = restore.clone();
    if !has_finalizer(restore) {
        let mut finalizers = texts(&restore["metadata"]["finalizers"]);
        finalizers.push(FINALIZER.to_owned());
        let patch = json!({"metadata": {"finalizers": finalizers}});
        match server.kube.patch(&place, name(restore), &patch).await {
            Ok(patched) => held = patched,
            // Read again at the next look; until then nothing is lost.
            Err(_) => return tokio::time::sleep(RETRY).await,
        }
    }
    if !matches!(phase(&held), "" | "New") {
        return;
    }
    let mut checked = held.clone();
    if !checked["status"].is_object() {
        checked["status"] = json!({});
    }
    let (errors, prepared) = validate::validate(server, &mut checked).await;
    if errors.is_empty() {
        checked["status"]["phase"] = json!("InProgress");
        checked["status"]["startTimestamp"] = json!(stamp(server.now()));
    } else {
        checked["status"]["phase"] = json!("FailedValidation");
        checked["status"]["validationErrors"] = json!(errors);
    }
    let timeout = go_duration(text(&checked, "/spec/itemOperationTimeout"));
    if timeout.is_none_or(|timeout| timeout.is_zero()) {
        checked["spec"]["itemOperationTimeout"] = json!(ITEM_OPERATION_TIMEOUT);
    }
    if server.kube.update(&place, &held, &checked).await.is_err() {
        return tokio::time::sleep(RETRY).await;
    }
    let Some(prepared) = prepared.filter(|_| errors.is_empty()) else {
        return;
    };
    let status = match report::run(server, &checked, prepared).await {
        Ok(status) => status,
        Err(error) => json!({
            "phase": "Failed",
            "failureReason": format!("restore execution failed: {error}"),
            "completionTimestamp": stamp(server.now()),
        }),
    };
    let patch = json!({"status": status});
    // A phase that cannot be written is found again at the next start.
    server.kube.patch(&place, name(&checked), &patch).await.ok();
}

/// At its start the server gives up the restores that ran when it ended.
pub(crate) async fn fail_interrupted(server: &Server) -> Answer<()> {
    let place = server.own("restores");
    let (all, _) = server.kube.list(&place).await?;
    for restore in all.iter().filter(|restore| phase(restore) == "InProgress") {
        let reason = "found a restore with status \"InProgress\" during the server starting, mark \
                      it as \"Failed\"";
        let patch = json!({"status": {
            "phase": "Failed",
            "failureReason": reason,
            "completionTimestamp": stamp(server.now()),
        }});
        server.kube.patch(&place, name(restore), &patch).await?;
        cancel_volumes(server, restore).await?;
    }
    Ok(())
}

async fn cancel_volumes(server: &Server, restore: &Value) -> Answer<()> {
    let place = server.own("podvolumerestores");
    let selector = format!("{}={}", labels::RESTORE_UID, uid(restore));
    let (volumes, _) = server.kube.list_with(&place, &selector).await?;
    for volume in &volumes {
        let was = phase(volume);
        if matches!(was, "" | "New" | "Accepted" | "Prepared" | "InProgress") {
            let message = format!(
                "PVR is in status \"{was}\" during the velero server starting, mark it as cancel"
            );
            let patch = json!({"spec": {"cancel": true}, "status": {"message": message}});
            server.kube.patch(&place, name(volume), &patch).await?;
        }
    }
    Ok(())
}
