//! Deletes backups that somebody asked to delete: from the bucket, with their restores.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use tokio::time::Instant;

use crate::backups;
use crate::bucket::Store;
use crate::kube_api::Answer;
use crate::labels;
use crate::server::Server;
use crate::text::name;
use crate::text::phase;
use crate::text::text;
use crate::text::time;
use crate::text::uid;
use crate::text::until;
use crate::watch::Watched;

/// How long a request is kept after it was processed.
const KEPT: Duration = Duration::from_secs(24 * 3_600);

/// How often all requests are looked at.
const LOOK: Duration = Duration::from_secs(3_600);

/// How long it waits for the restores of a backup to go, and how often it looks.
const RESTORES_LIMIT: Duration = Duration::from_secs(60);
const RESTORES_LOOK: Duration = Duration::from_secs(1);

/// Deletes for as long as it is polled.
pub(crate) async fn run(server: &Server) -> Answer<()> {
    let mut watched = Watched::new(&server.kube, server.own("deletebackuprequests"));
    loop {
        for request in &watched.list().await? {
            one(server, request).await;
        }
        watched.wait(Some(Instant::now() + LOOK)).await;
    }
}

async fn one(server: &Server, request: &Value) {
    let place = server.own("deletebackuprequests");
    if matches!(phase(request), "Processed" | "InProgress") {
        let made = time(request, "/metadata/creationTimestamp");
        let end = made.and_then(|made| made.checked_add(KEPT).ok());
        if end.is_some_and(|end| until(server.now(), end).is_zero()) {
            server.kube.delete(&place, name(request)).await.ok();
        }
        return;
    }
    let errors = match process(server, request).await {
        Ok(backup) => {
            delete_requests(server, &backup).await;
            return;
        }
        Err(errors) => errors,
    };
    let patch = json!({"status": {"phase": "Processed", "errors": errors}});
    server.kube.patch(&place, name(request), &patch).await.ok();
}

/// Deletes everything; the backup as it was, or what went wrong.
async fn process(server: &Server, request: &Value) -> Result<Value, Vec<String>> {
    let wanted = text(request, "/spec/backupName");
    if wanted.is_empty() {
        return Err(vec!["spec.backupName is required".to_owned()]);
    }
    delete_other_requests(server, request, wanted).await;
    let backups = server.own("backups");
    let found = server.kube.find(&backups, wanted).await;
    let backup = found
        .map_err(|refusal| vec![refusal.to_string()])?
        .ok_or_else(|| vec!["backup not found".to_owned()])?;
    let store = location(server, &backup)
        .await
        .map_err(|error| vec![error])?;
    begin(server, request, &backup)
        .await
        .map_err(|error| vec![error])?;
    tokio::time::sleep(server.options.durations.bucket).await;
    let mut errors = Vec::new();
    if let Err(error) = store.delete_folder(&format!("backups/{wanted}/")) {
        let error = backups::of_plugin(&error);
        errors.push(format!(
            "error removing backup from backup storage: {error}"
        ));
    }
    errors.extend(delete_restores(server, wanted).await);
    if errors.is_empty()
        && let Err(refusal) = server.kube.delete(&backups, wanted).await
    {
        let namespace = &server.options.namespace;
        errors.push(format!(
            "error deleting backup {namespace}/{wanted}: {refusal}"
        ));
    }
    if errors.is_empty() {
        Ok(backup)
    } else {
        Err(errors)
    }
}

/// The store of a backup that may be deleted.
async fn location(server: &Server, backup: &Value) -> Result<Store, String> {
    let wanted = text(backup, "/spec/storageLocation");
    let found = backups::location(&server.kube, backup).await;
    let location = found.map_err(|refusal| match refusal.is_missing() {
        true => format!("backup storage location {wanted} not found"),
        false => refusal.to_string(),
    })?;
    let cannot = format!("cannot delete backup because backup storage location {wanted}");
    if backups::is_read_only(&location) {
        return Err(format!("{cannot} is currently in read-only mode"));
    }
    if !backups::is_available(&location) {
        return Err(format!("{cannot} is currently in Unavailable state"));
    }
    backups::open(&server.kube, &*server.buckets, &location)
        .await
        .map_err(|error| format!("error getting the backup store: {error}"))
}

async fn begin(server: &Server, request: &Value, backup: &Value) -> Result<(), String> {
    let labels = json!({
        labels::BACKUP_NAME: labels::value(name(backup)),
        labels::BACKUP_UID: uid(backup),
    });
    let patch = json!({"metadata": {"labels": labels}, "status": {"phase": "InProgress"}});
    let requests = server.own("deletebackuprequests");
    let begun = server.kube.patch(&requests, name(request), &patch).await;
    begun.map_err(|refusal| refusal.to_string())?;
    let patch = json!({"status": {"phase": "Deleting"}});
    let begun = server
        .kube
        .patch(&server.own("backups"), name(backup), &patch)
        .await;
    begun.map_err(|refusal| format!("error setting backup phase to deleting: {refusal}"))?;
    Ok(())
}

/// Deletes the restores of a backup and waits until they are gone.
async fn delete_restores(server: &Server, backup: &str) -> Vec<String> {
    let place = server.own("restores");
    let deadline = Instant::now() + RESTORES_LIMIT;
    let mut errors = Vec::new();
    let mut is_asked = false;
    loop {
        let Ok((restores, _)) = server.kube.list(&place).await else {
            return errors;
        };
        let mut left = restores;
        left.retain(|restore| text(restore, "/spec/backupName") == backup);
        if left.is_empty() {
            return errors;
        }
        for restore in left.iter().filter(|_| !is_asked) {
            if let Err(refusal) = server.kube.delete(&place, name(restore)).await {
                let (namespace, name) = (&server.options.namespace, name(restore));
                errors.push(format!(
                    "error deleting restore {namespace}/{name}: {refusal}"
                ));
            }
        }
        is_asked = true;
        if Instant::now() >= deadline {
            errors.push("error deleting restore context deadline exceeded".to_owned());
            return errors;
        }
        tokio::time::sleep(RESTORES_LOOK).await;
    }
}

async fn delete_other_requests(server: &Server, request: &Value, backup: &str) {
    let place = server.own("deletebackuprequests");
    let selector = format!("{}={}", labels::BACKUP_NAME, labels::value(backup));
    let Ok((others, _)) = server.kube.list_with(&place, &selector).await else {
        return;
    };
    for other in others.iter().filter(|other| name(other) != name(request)) {
        server.kube.delete(&place, name(other)).await.ok();
    }
}

async fn delete_requests(server: &Server, backup: &Value) {
    let place = server.own("deletebackuprequests");
    let (label, uid) = (labels::value(name(backup)), uid(backup));
    let selector = format!(
        "{}={label},{}={uid}",
        labels::BACKUP_NAME,
        labels::BACKUP_UID
    );
    let Ok((requests, _)) = server.kube.list_with(&place, &selector).await else {
        return;
    };
    for request in &requests {
        server.kube.delete(&place, name(request)).await.ok();
    }
}
