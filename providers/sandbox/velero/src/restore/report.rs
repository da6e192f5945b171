//! Runs a restore that was found valid, and leaves in the bucket how it went.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::json;

use super::execute::Action;
use super::execute::Parts;
use super::execute::Run;
use super::log::Log;
use super::validate::Prepared;
use crate::backups;
use crate::bucket::Store;
use crate::kube_api::Place;
use crate::labels;
use crate::outcome::Messages;
use crate::outcome::Outcome;
use crate::server::Server;
use crate::text::items;
use crate::text::name;
use crate::text::phase;
use crate::text::text;

/// Runs a restore; the status that it has then.
///
/// # Errors
///
/// When it could not run.
pub(super) async fn run(
    server: &Server,
    restore: &Value,
    prepared: Prepared,
) -> Result<Value, String> {
    let store = backups::open(&server.kube, &*server.buckets, &prepared.location).await?;
    let image = image(server).await?;
    let backup = text(restore, "/spec/backupName");
    tokio::time::sleep(server.options.durations.transfer).await;
    let packed = store
        .get(&backups::backup_file(backup, ".tar.gz"))
        .map_err(|error| format!("error downloading backup: {}", backups::of_plugin(&error)))?;
    let pod_volumes = pod_volumes(server, backup).await?;
    let snapshots = list(&store, backup, "-volumesnapshots.json.gz")
        .map_err(|error| format!("error fetching volume snapshots metadata: {error}"))?;
    let volumes = list(&store, backup, "-volumeinfo.json.gz")?;
    let mut run = Run::new(Parts {
        server,
        restore,
        backup: &prepared.backup,
        modifiers: prepared.modifiers,
        image,
        volumes: volumes
            .into_iter()
            .map(|info| (text(&info, "/pvName").to_owned(), info))
            .collect(),
        snapshots,
        pod_volumes,
    });
    let mut outcome = run.execute(&packed).await;
    let resources = resources(&run);
    let moved = with_claims(&run).await;
    write_down(&mut run.log, &outcome);
    let store = backups::open(&server.kube, &*server.buckets, &prepared.location)
        .await
        .map_err(|error| {
            format!("error setting up backup store to persist log and results files: {error}")
        })?;
    tokio::time::sleep(server.options.durations.transfer).await;
    leave(&store, restore, &mut outcome, run.log, &resources, &moved);
    Ok(status(&outcome))
}

/// The image of the server, without whose Deployment no restore begins.
async fn image(server: &Server) -> Result<String, String> {
    let place = Place::new("apps/v1", "deployments", &server.options.namespace);
    let found = server.kube.get(&place, "velero").await.map_err(|refusal| {
        let refusal = backups::of_plugin(&refusal.to_string());
        format!("error getting restore item actions: {refusal}")
    })?;
    Ok(text(&found, "/spec/template/spec/containers/0/image").to_owned())
}

async fn pod_volumes(server: &Server, backup: &str) -> Result<Vec<Value>, String> {
    let selector = format!("{}={}", labels::BACKUP_NAME, labels::value(backup));
    let listed = server
        .kube
        .list_with(&server.own("podvolumebackups"), &selector)
        .await;
    listed
        .map(|(list, _)| list)
        .map_err(|refusal| refusal.to_string())
}

fn list(store: &Store, backup: &str, ending: &str) -> Result<Vec<Value>, String> {
    let found = backups::read_json(store, &backups::backup_file(backup, ending))?;
    Ok(found
        .and_then(|found| found.as_array().cloned())
        .unwrap_or_default())
}

/// What became of each object, as `NAMESPACE/NAME(OUTCOME)` by kind.
fn resources(run: &Run<'_>) -> Value {
    let mut all = BTreeMap::<&str, Vec<String>>::new();
    for (key, item) in &run.restored {
        let action = item.action.unwrap_or(Action::Skipped);
        let title = if key.namespace.is_empty() {
            key.name.clone()
        } else {
            format!("{}/{}", key.namespace, key.name)
        };
        all.entry(&key.kind)
            .or_default()
            .push(format!("{title}({action})"));
    }
    for titles in all.values_mut() {
        titles.sort();
    }
    json!(all)
}

/// The restored volumes, and those that were bound anew.
async fn with_claims(run: &Run<'_>) -> Vec<Value> {
    let mut all = run.native.clone();
    for (key, item) in &run.restored {
        let is_made = matches!(item.action, Some(Action::Created | Action::Updated));
        if key.kind != "v1/PersistentVolumeClaim" || !is_made {
            continue;
        }
        let place = Place::new("v1", "persistentvolumeclaims", &key.namespace);
        let Ok(Some(claim)) = run.server.kube.find(&place, &key.name).await else {
            continue;
        };
        let volume = text(&claim, "/spec/volumeName");
        if phase(&claim) != "Bound" || volume.is_empty() {
            continue;
        }
        for info in &mut all {
            let is_its = info["pvName"] == volume
                || (text(info, "/pvcName") == key.name
                    && text(info, "/pvcNamespace") == key.namespace);
            if is_its {
                info["pvName"] = json!(volume);
                info["pvcName"] = json!(key.name);
                info["pvcNamespace"] = json!(key.namespace);
            }
        }
    }
    all
}

fn write_down(log: &mut Log, outcome: &Outcome) {
    for (messages, what) in [(&outcome.errors, "error"), (&outcome.warnings, "warning")] {
        for message in lines(messages, what) {
            if what == "error" {
                log.error(&message);
            } else {
                log.warning(&message);
            }
        }
    }
    log.info("restore completed");
}

fn lines(messages: &Messages, what: &str) -> Vec<String> {
    let velero = messages.velero.iter();
    let mut all: Vec<String> = velero
        .map(|m| format!("Velero restore {what}: {m}"))
        .collect();
    let cluster = messages.cluster.iter();
    all.extend(cluster.map(|m| format!("Cluster resource restore {what}: {m}")));
    for (namespace, messages) in &messages.namespaces {
        let of = format!("Namespace {namespace}, resource restore {what}");
        all.extend(messages.iter().map(|message| format!("{of}: {message}")));
    }
    all
}

/// Leaves everything in the bucket. Only a log that cannot be left counts as an error of the
/// restore.
fn leave(
    store: &Store,
    restore: &Value,
    outcome: &mut Outcome,
    log: Log,
    resources: &Value,
    volumes: &[Value],
) {
    let name = name(restore);
    let file = |ending: &str| backups::restore_file(name, ending);
    let packed = backups::pack(log.into_text().as_bytes());
    let left = packed.and_then(|packed| store.put(&file("logs.gz"), packed));
    if let Err(error) = left {
        let error = backups::of_plugin(&error);
        let message = format!("error uploading log file to backup storage: {error}");
        outcome.errors.velero.push(message);
    }
    // The server only logs when one of these is refused.
    backups::write_json(store, &file("results.gz"), &outcome.to_json()).ok();
    backups::write_json(store, &file("resource-list.json.gz"), resources).ok();
    backups::write_json(store, &file("itemoperations.json.gz"), &json!([])).ok();
    let key = format!("restores/{name}/{name}-volumeinfo.json.gz");
    backups::write_json(store, &key, &json!(volumes)).ok();
}

fn status(outcome: &Outcome) -> Value {
    let (errors, warnings) = (outcome.errors.count(), outcome.warnings.count());
    let phase = if errors > 0 {
        "FinalizingPartiallyFailed"
    } else {
        "Finalizing"
    };
    let mut status = json!({"phase": phase});
    for (field, count) in [("errors", errors), ("warnings", warnings)] {
        if count > 0 {
            status[field] = json!(count);
        }
    }
    status
}

/// The claims that a restore made or changed, by namespace and name, from its list in the bucket.
pub(super) fn claims(list: &Value) -> Vec<(String, String)> {
    let titles = items(list, "/v1~1PersistentVolumeClaim").iter();
    titles
        .filter_map(Value::as_str)
        .filter_map(|title| {
            let is_made = title.ends_with("(created)") || title.ends_with("(updated)");
            let (title, _) = title.rsplit_once('(').filter(|_| is_made)?;
            let (namespace, name) = title.split_once('/')?;
            Some((namespace.to_owned(), name.to_owned()))
        })
        .collect()
}
