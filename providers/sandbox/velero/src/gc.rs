//! Has expired backups deleted: as soon as it sees one, and every hour.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use tokio::time::Instant;

use crate::backups;
use crate::kube_api::Answer;
use crate::labels;
use crate::server::Server;
use crate::text::name;
use crate::text::phase;
use crate::text::time;
use crate::text::uid;
use crate::watch::Watched;

/// How often it looks at every backup.
const FREQUENCY: Duration = Duration::from_secs(3_600);

/// How long after a failure it tries again; each time twice as long, up to the frequency.
const RETRY: Duration = Duration::from_secs(1);

/// Why a backup is not deleted, as a label of it.
const FAILURE: &str = "velero.io/gc-failure";

/// When a backup is looked at again, by uid.
#[derive(Clone, Copy)]
struct Next {
    at: Instant,
    pause: Duration,
}

/// Collects for as long as it is polled.
pub(crate) async fn run(server: &Server) -> Answer<()> {
    let mut watched = Watched::new(&server.kube, server.own("backups"));
    let mut seen = BTreeMap::<String, Next>::new();
    loop {
        let all = watched.list().await?;
        seen.retain(|known, _| all.iter().any(|backup| uid(backup) == known));
        for backup in &all {
            let now = Instant::now();
            let last = seen.get(uid(backup)).copied();
            if last.is_some_and(|last| last.at > now) {
                continue;
            }
            let next = match one(server, backup).await {
                Ok(()) => Next {
                    at: now + FREQUENCY,
                    pause: RETRY,
                },
                Err(()) => {
                    let pause = last.map_or(RETRY, |last| (last.pause * 2).min(FREQUENCY));
                    Next {
                        at: now + pause,
                        pause,
                    }
                }
            };
            seen.insert(uid(backup).to_owned(), next);
        }
        watched.wait(seen.values().map(|next| next.at).min()).await;
    }
}

/// Looks at one backup; an error means that it must be looked at again soon.
async fn one(server: &Server, backup: &Value) -> Result<(), ()> {
    let expiration = time(backup, "/status/expiration");
    if expiration.is_none_or(|then| then > server.now()) {
        return Ok(());
    }
    let location = match backups::location(&server.kube, backup).await {
        Ok(location) => location,
        Err(refusal) => {
            let why = if refusal.is_missing() {
                "BSLNotFound"
            } else {
                "BSLCannotGet"
            };
            mark(server, backup, Some(why)).await;
            return Err(());
        }
    };
    if !backups::is_available(&location) {
        return Err(());
    }
    if backups::is_read_only(&location) {
        mark(server, backup, Some("BSLReadOnly")).await;
        return Ok(());
    }
    mark(server, backup, None).await;
    request_deletion(server, backup).await
}

/// Says on the backup why it stays, or that nothing keeps it.
async fn mark(server: &Server, backup: &Value, why: Option<&str>) {
    if backup
        .pointer("/metadata/labels")
        .and_then(|all| all[FAILURE].as_str())
        == why
    {
        return;
    }
    let patch = json!({"metadata": {"labels": {FAILURE: why}}});
    server
        .kube
        .patch(&server.own("backups"), name(backup), &patch)
        .await
        .ok();
}

async fn request_deletion(server: &Server, backup: &Value) -> Result<(), ()> {
    let place = server.own("deletebackuprequests");
    let (label, uid) = (labels::value(name(backup)), uid(backup));
    let selector = format!(
        "{}={label},{}={uid}",
        labels::BACKUP_NAME,
        labels::BACKUP_UID
    );
    let (requests, _) = server
        .kube
        .list_with(&place, &selector)
        .await
        .map_err(drop)?;
    if requests
        .iter()
        .any(|request| matches!(phase(request), "" | "New" | "InProgress"))
    {
        return Ok(());
    }
    let request = json!({
        "apiVersion": "velero.io/v1",
        "kind": "DeleteBackupRequest",
        "metadata": {
            "namespace": server.options.namespace,
            "name": server.generated(&format!("{}-", name(backup))),
            "labels": {labels::BACKUP_NAME: label, labels::BACKUP_UID: uid},
        },
        "spec": {"backupName": name(backup)},
    });
    server.kube.create(&place, &request).await.map_err(drop)?;
    Ok(())
}
