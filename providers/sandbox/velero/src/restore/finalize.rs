//! The end of a restore: volumes that were made anew get back what belonged to the old ones.

use std::time::Duration;

use futures::future::join_all;
use serde_json::Value;
use serde_json::json;
use tokio::time::Instant;

use super::report;
use crate::backups;
use crate::bucket::Store;
use crate::kube_api::Answer;
use crate::kube_api::Place;
use crate::outcome::Messages;
use crate::server::RESOURCE_LIMIT;
use crate::server::Server;
use crate::text::name;
use crate::text::phase;
use crate::text::stamp;
use crate::text::text;
use crate::watch::Watched;

/// How often a claim is looked at.
const LOOK: Duration = Duration::from_secs(10);

/// How long after a failure it tries again.
const RETRY: Duration = Duration::from_secs(10);

/// Ends restores for as long as it is polled.
pub(crate) async fn run(server: &Server) -> Answer<()> {
    let mut watched = Watched::new(&server.kube, server.own("restores"));
    loop {
        let all = watched.list().await?;
        let is_waiting =
            |restore: &&Value| matches!(phase(restore), "Finalizing" | "FinalizingPartiallyFailed");
        let mut next = None;
        let mut is_done = true;
        for restore in all.iter().filter(is_waiting) {
            match one(server, restore).await {
                Ok(()) => is_done = false,
                Err(_) => next = Some(Instant::now() + RETRY),
            }
        }
        if is_done {
            watched.wait(next).await;
        }
    }
}

async fn one(server: &Server, restore: &Value) -> Result<(), String> {
    let backup = text(restore, "/spec/backupName");
    let found = match backups::find(&server.kube, &server.options.namespace, backup).await {
        Ok(found) => found,
        Err(error) if error.is_missing => return end(server, restore, "PartiallyFailed", 0).await,
        Err(error) => return Err(error.message),
    };
    let store = backups::open(&server.kube, &*server.buckets, &found.location).await?;
    let file = backups::backup_file(backup, "-volumeinfo.json.gz");
    let volumes = backups::read_json(&store, &file)?.unwrap_or_default();
    let file = backups::restore_file(name(restore), "resource-list.json.gz");
    let list = backups::read_json(&store, &file)?
        .ok_or_else(|| "error getting restoredResourceList: key not found".to_owned())?;
    let errors = give_back(server, restore, &volumes, &report::claims(&list)).await;
    if !errors.is_empty() {
        add_to_results(&store, restore, &errors)?;
    }
    let failed = phase(restore) == "FinalizingPartiallyFailed" || !errors.is_empty();
    let end_phase = if failed {
        "PartiallyFailed"
    } else {
        "Completed"
    };
    end(server, restore, end_phase, errors.count()).await
}

async fn end(server: &Server, restore: &Value, phase: &str, errors: usize) -> Result<(), String> {
    let mut status = json!({"phase": phase, "completionTimestamp": stamp(server.now())});
    if errors > 0 {
        let before = restore["status"]["errors"].as_u64().unwrap_or_default();
        let all = usize::try_from(before)
            .unwrap_or(usize::MAX)
            .saturating_add(errors);
        status["errors"] = json!(all);
    }
    let patch = json!({"status": status});
    let place = server.own("restores");
    let done = server.kube.patch(&place, name(restore), &patch).await;
    done.map(drop).map_err(|refusal| refusal.to_string())
}

fn add_to_results(store: &Store, restore: &Value, errors: &Messages) -> Result<(), String> {
    let key = backups::restore_file(name(restore), "results.gz");
    let mut results = backups::read_json(store, &key)?
        .ok_or_else(|| "error getting restore results: key not found".to_owned())?;
    for (namespace, messages) in &errors.namespaces {
        let all = &mut results["errors"]["namespaces"][namespace];
        let mut list = all.as_array().cloned().unwrap_or_default();
        list.extend(messages.iter().map(|message| json!(message)));
        *all = json!(list);
    }
    backups::write_json(store, &key, &results)
}

/// Gives the volumes that were made anew the labels and the reclaim policy of the old ones.
async fn give_back(
    server: &Server,
    restore: &Value,
    volumes: &Value,
    claims: &[(String, String)],
) -> Messages {
    let mut waits = Vec::new();
    for info in volumes.as_array().into_iter().flatten() {
        let method = text(info, "/backupMethod");
        if !matches!(method, "PodVolumeBackup" | "CSISnapshot") || info["pvInfo"].is_null() {
            continue;
        }
        let from = text(info, "/pvcNamespace");
        let mapped = restore["spec"]["namespaceMapping"][from].as_str();
        let namespace = mapped.unwrap_or(from).to_owned();
        let claim = text(info, "/pvcName").to_owned();
        if claims.contains(&(namespace.clone(), claim)) {
            waits.push(give_one_back(server, info, namespace));
        }
    }
    let mut errors = Messages::default();
    for (namespace, error) in join_all(waits).await.into_iter().flatten() {
        errors.add(&namespace, error);
    }
    errors
}

async fn give_one_back(
    server: &Server,
    info: &Value,
    namespace: String,
) -> Option<(String, String)> {
    let claim = text(info, "/pvcName");
    let deadline = Instant::now() + RESOURCE_LIMIT;
    let error = loop {
        match try_one(server, info, &namespace, claim).await {
            Ok(true) => return None,
            Ok(false) if Instant::now() >= deadline => {
                break "context deadline exceeded".to_owned();
            }
            Ok(false) => tokio::time::sleep(LOOK).await,
            Err(error) => break error,
        }
    };
    let volume = text(info, "/pvName");
    let message = format!("fail to patch dynamic PV, err: {error}, PVC: {claim}, PV: {volume}");
    Some((namespace, message))
}

/// Whether the claim is done with.
async fn try_one(
    server: &Server,
    info: &Value,
    namespace: &str,
    claim: &str,
) -> Result<bool, String> {
    let kube = &server.kube;
    let said = |refusal: crate::kube_api::Refusal| refusal.to_string();
    let place = Place::new("v1", "persistentvolumeclaims", namespace);
    let Some(found) = kube.find(&place, claim).await.map_err(said)? else {
        return Ok(false);
    };
    if phase(&found) == "Pending" {
        let classes = Place::new("storage.k8s.io/v1", "storageclasses", "");
        let class = text(&found, "/spec/storageClassName");
        let class = kube.get(&classes, class).await.map_err(said)?;
        // It would be bound only when a pod wants it, and that may be never.
        if text(&class, "/volumeBindingMode") == "WaitForFirstConsumer" {
            return Ok(true);
        }
    }
    let volume = text(&found, "/spec/volumeName");
    if phase(&found) != "Bound" || volume.is_empty() {
        return Ok(false);
    }
    let volumes = Place::new("v1", "persistentvolumes", "");
    let Some(found) = kube.find(&volumes, volume).await.map_err(said)? else {
        return Ok(false);
    };
    if found["spec"]["claimRef"].is_null() || phase(&found) != "Bound" {
        return Ok(false);
    }
    let owner = (
        text(&found, "/spec/claimRef/namespace"),
        text(&found, "/spec/claimRef/name"),
    );
    if owner != (namespace, claim) {
        return Err(format!(
            "PV was bound by unexpected PVC, unexpected PVC: {}/{}, expected PVC: {namespace}/{claim}",
            owner.0, owner.1
        ));
    }
    let mut wanted = found.clone();
    let policy = text(info, "/pvInfo/reclaimPolicy");
    wanted["spec"]["persistentVolumeReclaimPolicy"] = json!(policy);
    for (key, value) in info["pvInfo"]["labels"].as_object().into_iter().flatten() {
        wanted["metadata"]["labels"][key] = value.clone();
    }
    kube.update(&volumes, &found, &wanted).await.map_err(said)?;
    Ok(true)
}
