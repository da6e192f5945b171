//! Answers DownloadRequests with an address, and deletes them when that has expired.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use tokio::time::Instant;

use crate::backups;
use crate::kube_api::Answer;
use crate::options::Download;
use crate::options::Sign;
use crate::server::Server;
use crate::text::name;
use crate::text::phase;
use crate::text::stamp;
use crate::text::text;
use crate::text::time;
use crate::watch::Watched;

/// How long an address may be used.
const LIFETIME: Duration = Duration::from_secs(600);

/// How often the server looks for requests that have expired.
const LOOK: Duration = Duration::from_secs(60);

/// Answers for as long as it is polled.
pub(crate) async fn run(server: &Server) -> Answer<()> {
    let mut watched = Watched::new(&server.kube, server.own("downloadrequests"));
    loop {
        let requests = watched.list().await?;
        for request in &requests {
            one(server, request).await;
        }
        // A cluster in which nobody downloads anything is left alone.
        let next = (!requests.is_empty()).then(|| Instant::now() + LOOK);
        watched.wait(next).await;
    }
}

async fn one(server: &Server, request: &Value) {
    let place = server.own("downloadrequests");
    let expiration = time(request, "/status/expiration");
    if expiration.is_some_and(|then| then < server.now()) {
        server.kube.delete(&place, name(request)).await.ok();
        return;
    }
    if expiration.is_some() || !matches!(phase(request), "" | "New") {
        return;
    }
    let Some(sign) = &server.options.sign else {
        return;
    };
    let Ok(end) = server.now().checked_add(LIFETIME) else {
        return;
    };
    let mut status = json!({"expiration": stamp(end)});
    // Without an answer it stays new until it expires; the reason stands in the server's log only.
    if let Ok(address) = address(server, request, sign).await {
        status["phase"] = json!("Processed");
        status["downloadURL"] = json!(address);
    }
    let patch = json!({"status": status});
    server.kube.patch(&place, name(request), &patch).await.ok();
}

async fn address(server: &Server, request: &Value, sign: &Sign) -> Result<String, String> {
    let (kind, target) = (
        text(request, "/spec/target/kind"),
        text(request, "/spec/target/name"),
    );
    let key =
        key(kind, target).ok_or_else(|| format!("unsupported download target kind \"{kind}\""))?;
    let mut backup = target.to_owned();
    if kind.starts_with("Restore") {
        let restore = server.kube.get(&server.own("restores"), target).await;
        let restore = restore.map_err(|refusal| refusal.to_string())?;
        backup = text(&restore, "/spec/backupName").to_owned();
    }
    let found = backups::find(&server.kube, &server.options.namespace, &backup).await;
    let location = found.map_err(|error| error.message)?.location;
    let store = backups::open(&server.kube, &*server.buckets, &location).await?;
    let credentials = backups::credentials(&server.kube, &location).await?;
    sign(&Download {
        bucket: &store.bucket,
        key: &format!("{}{key}", store.root),
        endpoint: location
            .pointer("/spec/config/s3Url")
            .and_then(Value::as_str),
        region: location
            .pointer("/spec/config/region")
            .and_then(Value::as_str),
        credentials: credentials.as_deref(),
        lifetime: LIFETIME,
    })
}

/// The file that a kind of target means.
fn key(kind: &str, name: &str) -> Option<String> {
    let ending = match kind {
        "BackupContents" => ".tar.gz",
        "BackupLog" => "-logs.gz",
        "BackupVolumeSnapshots" => "-volumesnapshots.json.gz",
        "BackupItemOperations" => "-itemoperations.json.gz",
        "BackupResourceList" => "-resource-list.json.gz",
        "BackupResults" => "-results.gz",
        "BackupVolumeInfos" => "-volumeinfo.json.gz",
        "CSIBackupVolumeSnapshots" => "-csi-volumesnapshots.json.gz",
        "CSIBackupVolumeSnapshotContents" => "-csi-volumesnapshotcontents.json.gz",
        "RestoreLog" => return Some(backups::restore_file(name, "logs.gz")),
        "RestoreResults" => return Some(backups::restore_file(name, "results.gz")),
        "RestoreResourceList" => return Some(backups::restore_file(name, "resource-list.json.gz")),
        "RestoreItemOperations" => {
            return Some(backups::restore_file(name, "itemoperations.json.gz"));
        }
        "RestoreVolumeInfo" => return Some(format!("restores/{name}/{name}-volumeinfo.json.gz")),
        _ => return None,
    };
    Some(backups::backup_file(name, ending))
}
