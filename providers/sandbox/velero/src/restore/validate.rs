//! Whether a new Restore can run at all. One that cannot never will.

use serde_json::Value;
use serde_json::json;

use super::modifiers::Modifiers;
use crate::backups;
use crate::filter;
use crate::kube_api::Place;
use crate::labels;
use crate::server::Server;
use crate::text::label;
use crate::text::name;
use crate::text::phase;
use crate::text::text;
use crate::text::texts;
use crate::text::time;

/// What is never restored.
const NEVER: &[&str] = &[
    "nodes",
    "events",
    "events.events.k8s.io",
    "backups.velero.io",
    "restores.velero.io",
    "resticrepositories.velero.io",
    "csinodes.storage.k8s.io",
    "volumeattachments.storage.k8s.io",
    "backuprepositories.velero.io",
];

/// What a restore needs beside its spec.
pub(super) struct Prepared {
    pub(super) backup: Value,
    pub(super) location: Value,
    pub(super) modifiers: Option<Modifiers>,
}

/// Checks and completes a Restore. It is whole when there are no complaints.
pub(super) async fn validate(
    server: &Server,
    restore: &mut Value,
) -> (Vec<String>, Option<Prepared>) {
    exclude_what_never_comes(restore);
    let mut errors = lists(&restore["spec"]);
    let spec = &restore["spec"];
    let is_given = |field: &str| !text(spec, field).is_empty();
    if is_given("/backupName") == is_given("/scheduleName") {
        errors.push(
            "Either a backup or schedule must be specified as a source for the restore, but not \
             both"
                .to_owned(),
        );
        return (errors, None);
    }
    let policy = text(spec, "/existingResourcePolicy");
    if !matches!(policy, "" | "none" | "update") {
        errors.push(format!("Invalid ExistingResourcePolicy: {policy}"));
    }
    errors.extend(beyond(spec));
    match find(server, restore, &mut errors).await {
        Ok(prepared) => (errors, Some(prepared)),
        Err(error) => {
            errors.push(error);
            (errors, None)
        }
    }
}

fn exclude_what_never_comes(restore: &mut Value) {
    let mut excluded = texts(&restore["spec"]["excludedResources"]);
    for never in NEVER {
        if !excluded.iter().any(|resource| resource == never) {
            excluded.push((*never).to_owned());
        }
    }
    restore["spec"]["excludedResources"] = json!(excluded);
}

fn lists(spec: &Value) -> Vec<String> {
    let list = |field: &str| texts(&spec[field]);
    let mut errors = Vec::new();
    let included = list("includedResources");
    for never in NEVER
        .iter()
        .filter(|never| included.iter().any(|one| one == **never))
    {
        errors.push(format!("{never} are non-restorable resources"));
    }
    for error in filter::complaints(&included, &list("excludedResources")) {
        errors.push(format!("Invalid included/excluded resource lists: {error}"));
    }
    let namespaces = (list("includedNamespaces"), list("excludedNamespaces"));
    for error in filter::complaints(&namespaces.0, &namespaces.1) {
        errors.push(format!(
            "Invalid included/excluded namespace lists: {error}"
        ));
    }
    if !spec["orLabelSelectors"].is_null() && !spec["labelSelector"].is_null() {
        errors.push(
            "encountered labelSelector as well as orLabelSelectors in restore spec, only one can \
             be specified"
                .to_owned(),
        );
    }
    errors
}

/// What the real server can do and this one cannot: it says so and does nothing.
fn beyond(spec: &Value) -> Vec<String> {
    let mut errors = Vec::new();
    let hooks = spec.pointer("/hooks/resources").and_then(Value::as_array);
    if hooks.is_some_and(|hooks| !hooks.is_empty()) {
        errors.push("the rehearsal does not simulate spec.hooks of a Restore".to_owned());
    }
    if !spec["resourcePolicy"].is_null() {
        errors.push("the rehearsal does not simulate spec.resourcePolicy of a Restore".to_owned());
    }
    errors
}

async fn find(
    server: &Server,
    restore: &mut Value,
    errors: &mut Vec<String>,
) -> Result<Prepared, String> {
    let schedule = text(restore, "/spec/scheduleName").to_owned();
    if !schedule.is_empty() {
        let newest = newest(server, &schedule, errors).await?;
        restore["spec"]["backupName"] = json!(newest);
    }
    let wanted = text(restore, "/spec/backupName").to_owned();
    let found = backups::find(&server.kube, &server.options.namespace, &wanted).await;
    let found = found.map_err(|error| format!("Error retrieving backup: {}", error.message))?;
    if !backups::is_available(&found.location) {
        let location = name(&found.location);
        return Err(format!(
            "The BSL {location} is unavailable, cannot retrieve the backup"
        ));
    }
    let of = label(&found.backup, labels::SCHEDULE_NAME);
    if schedule.is_empty() && !of.is_empty() {
        restore["spec"]["scheduleName"] = json!(of);
    }
    let modifiers = modifiers(server, restore).await?;
    Ok(Prepared {
        backup: found.backup,
        location: found.location,
        modifiers,
    })
}

/// The newest backup of a schedule that is whole.
async fn newest(
    server: &Server,
    schedule: &str,
    errors: &mut Vec<String>,
) -> Result<String, String> {
    let selector = format!("{}={schedule}", labels::SCHEDULE_NAME);
    let listed = server
        .kube
        .list_with(&server.own("backups"), &selector)
        .await;
    let (mut all, _) = listed.map_err(|_| "Unable to list backups for schedule".to_owned())?;
    if all.is_empty() {
        errors.push("No backups found for schedule".to_owned());
    }
    all.retain(|backup| phase(backup) == "Completed");
    all.sort_by_key(|backup| time(backup, "/status/startTimestamp"));
    let newest = all.last().map(|backup| name(backup).to_owned());
    newest.ok_or_else(|| "No completed backups found for schedule".to_owned())
}

async fn modifiers(server: &Server, restore: &Value) -> Result<Option<Modifiers>, String> {
    let wanted = &restore["spec"]["resourceModifier"];
    if !text(wanted, "/kind").eq_ignore_ascii_case("configmap") {
        return Ok(None);
    }
    let (namespace, name) = (&server.options.namespace, text(wanted, "/name"));
    let place = Place::new("v1", "configmaps", namespace);
    let Ok(map) = server.kube.get(&place, name).await else {
        return Err(format!(
            "failed to get resource modifiers configmap {namespace}/{name}"
        ));
    };
    let about = format!("resource modifiers provided in configmap {namespace}/{name}");
    let modifiers =
        Modifiers::read(&map).map_err(|error| format!("Error in parsing {about}: {error}"))?;
    let checked = modifiers.check();
    checked.map_err(|error| format!("Validation error in {about}: {error}"))?;
    Ok(Some(modifiers))
}
