//! What a deletion does to an object, and the options that steer it.

use std::sync::Arc;

use serde_json::Value;
use serde_json::json;

use crate::admission;
use crate::condition::set_condition;
use crate::failure::About;
use crate::failure::Failure;
use crate::failure::Outcome;
use crate::failure::field_error;
use crate::generation;
use crate::object;
use crate::object::Object;
use crate::query;
use crate::request::Request;
use crate::request::stamp;
use crate::state::State;
use crate::types::Served;
use crate::write::Author;
use crate::write::may_go;

/// The finalizer that keeps an object until what it owns is gone.
pub(crate) const FOREGROUND: &str = "foregroundDeletion";
/// The finalizer that keeps an object until what it owned is let go.
pub(crate) const ORPHAN: &str = "orphan";

/// The finalizer that keeps a definition until its objects are gone.
pub(crate) const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

/// The grace period of pods that name none, in seconds.
const POD_GRACE_S: u64 = 30;

/// What becomes of what an object owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Propagation {
    Background,
    Foreground,
    Orphan,
}

/// The options of a deletion.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deletion {
    pub(crate) uid: Option<String>,
    pub(crate) revision: Option<String>,
    pub(crate) grace_s: Option<u64>,
    pub(crate) propagation: Option<Propagation>,
    pub(crate) dry_run: bool,
}

/// What came of a deletion.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The object is being deleted, or would be.
    Waiting(Arc<Object>),
    /// The object is gone; this was its last state.
    Gone(Arc<Object>),
}

impl Deletion {
    /// Reads the options from the body or, without one, from the query.
    pub(crate) fn read(request: &Request) -> Outcome<Self> {
        let body = request.options()?;
        let in_body = body.is_object();
        let options = if in_body {
            &body
        } else {
            &request.query.deletion
        };
        let mut dry_run = request.query.dry_run("DeleteOptions")?;
        if let Some(words) = options["dryRun"].as_array() {
            let words: Vec<_> = words
                .iter()
                .filter_map(|word| word.as_str().map(str::to_owned))
                .collect();
            dry_run |= query::dry_run(&words, "DeleteOptions")?;
        }
        let text = |pointer: &str| {
            let text = options.pointer(pointer).and_then(Value::as_str);
            text.map(str::to_owned)
        };
        Ok(Self {
            uid: text("/preconditions/uid"),
            revision: text("/preconditions/resourceVersion"),
            // A negative period means one second.
            grace_s: options["gracePeriodSeconds"]
                .as_i64()
                .map(|seconds| u64::try_from(seconds).unwrap_or(1)),
            propagation: propagation(options)?,
            dry_run,
        })
    }

    /// What the server warns of when it decides on the propagation itself.
    pub(crate) fn warning(&self, served: &Served) -> Option<String> {
        (self.propagation.is_none() && is_job(served)).then(|| {
            "child pods are preserved by default when jobs are deleted; set \
             propagationPolicy=Background to remove them or set propagationPolicy=Orphan to \
             suppress this warning"
                .to_owned()
        })
    }
}

fn propagation(options: &Value) -> Outcome<Option<Propagation>> {
    let invalid = |reason: &'static str, message: String| {
        let error = field_error("propagationPolicy", reason, message);
        Err(Failure::invalid(
            ("meta.k8s.io", "DeleteOptions"),
            "",
            &[error],
        ))
    };
    let orphan = options["orphanDependents"].as_bool();
    let policy = options["propagationPolicy"].as_str();
    if let (Some(_), Some(policy)) = (orphan, policy) {
        let message = format!(
            "Invalid value: {policy:?}: orphanDependents and deletionPropagation cannot be both set"
        );
        return invalid("FieldValueInvalid", message);
    }
    match (policy, orphan) {
        (Some("Background"), _) | (None, Some(false)) => Ok(Some(Propagation::Background)),
        (Some("Foreground"), _) => Ok(Some(Propagation::Foreground)),
        (Some("Orphan"), _) | (None, Some(true)) => Ok(Some(Propagation::Orphan)),
        (Some(other), _) => invalid(
            "FieldValueNotSupported",
            format!(
                "Unsupported value: {other:?}: supported values: \"Foreground\", \"Background\", \
                 \"Orphan\", \"nil\""
            ),
        ),
        (None, None) => Ok(None),
    }
}

/// Two kinds leave their pods behind when clients say nothing, for the sake of old clients.
fn orphans_by_default(served: &Served) -> bool {
    is_job(served) || (!served.info.custom && served.info.kind == "ReplicationController")
}

fn is_job(served: &Served) -> bool {
    served.info.group == "batch" && served.info.kind == "Job"
}

/// Deletes an object, or marks it as being deleted.
pub(crate) fn end(
    state: &mut State,
    served: &Served,
    object: &Arc<Object>,
    deletion: &Deletion,
    author: Author<'_>,
) -> Outcome<Ended> {
    refuse_other(served, object.json(), deletion, object)?;
    admission::delete(state, served, object.json(), author)?;
    let before = object.json();
    let mut after = before.clone();
    set_dependents(served, &mut after, deletion);
    let grace_s = grace_s(served, before, deletion);
    mark(served, &mut after, grace_s, author);
    if grace_s == 0 && may_go(&after) {
        let gone = if has_mark(before) {
            after
        } else {
            before.clone()
        };
        if author.dry_run {
            return Ok(Ended::Gone(Arc::new(Object::new(gone, object.revision()))));
        }
        let gone = state.store.remove(&served.id, gone);
        state.follow_types(&served.id);
        return Ok(Ended::Gone(gone));
    }
    if after == *before {
        return Ok(Ended::Waiting(Arc::clone(object)));
    }
    if author.dry_run {
        return Ok(Ended::Waiting(Arc::new(Object::new(
            after,
            object.revision(),
        ))));
    }
    let object = state.store.put(&served.id, after);
    state.follow_types(&served.id);
    Ok(Ended::Waiting(object))
}

fn has_mark(json: &Value) -> bool {
    object::is_ending(json)
}

fn refuse_other(
    served: &Served,
    json: &Value,
    deletion: &Deletion,
    object: &Object,
) -> Outcome<()> {
    // The real server names the kind here where it names the resource elsewhere.
    let about = About {
        group: &served.info.group,
        resource: &served.info.kind,
        name: object::name(json),
    };
    let uid = object::uid(json);
    if let Some(wanted) = deletion.uid.as_deref().filter(|wanted| *wanted != uid) {
        let why = format!(
            "the UID in the precondition ({wanted}) does not match the UID in record ({uid}). The \
             object might have been deleted and then recreated"
        );
        return Err(Failure::conflict(about, &why));
    }
    let revision = object.revision().to_string();
    if let Some(wanted) = deletion.revision.as_ref().filter(|w| **w != revision) {
        let why = format!(
            "the ResourceVersion in the precondition ({wanted}) does not match the \
             ResourceVersion in record ({revision}). The object might have been modified"
        );
        return Err(Failure::conflict(about, &why));
    }
    Ok(())
}

/// Adds and removes the finalizers that decide on what the object owns.
fn set_dependents(served: &Served, json: &mut Value, deletion: &Deletion) {
    let had: Vec<String> = object::finalizers(json)
        .into_iter()
        .map(str::to_owned)
        .collect();
    let has = |name: &str| had.iter().any(|finalizer| finalizer == name);
    let wanted = match deletion.propagation {
        Some(Propagation::Foreground) => Some(FOREGROUND),
        Some(Propagation::Orphan) => Some(ORPHAN),
        Some(Propagation::Background) => None,
        // Finalizers that are there already stand for the wish of whoever set them.
        None if has(FOREGROUND) => Some(FOREGROUND),
        None if has(ORPHAN) || orphans_by_default(served) => Some(ORPHAN),
        None => None,
    };
    let mut finalizers: Vec<String> = had
        .iter()
        .filter(|name| {
            let steers = matches!(name.as_str(), FOREGROUND | ORPHAN);
            !steers || wanted == Some(name.as_str())
        })
        .cloned()
        .collect();
    if let Some(wanted) = wanted.filter(|wanted| !has(wanted)) {
        finalizers.push(wanted.to_owned());
    }
    if finalizers == had {
        return;
    }
    let metadata = object::metadata(json);
    if finalizers.is_empty() {
        metadata.remove("finalizers");
    } else {
        metadata.insert("finalizers".to_owned(), json!(finalizers));
    }
}

/// How long the object may take; only pods that run somewhere take any time.
fn grace_s(served: &Served, before: &Value, deletion: &Deletion) -> u64 {
    if served.info.kind != "Pod" || !served.info.group.is_empty() {
        return 0;
    }
    let phase = object::text(before, "/status/phase");
    let runs = !object::text(before, "/spec/nodeName").is_empty()
        && !matches!(phase, "Succeeded" | "Failed");
    if !runs {
        return 0;
    }
    let own = before["spec"]["terminationGracePeriodSeconds"].as_u64();
    deletion.grace_s.or(own).unwrap_or(POD_GRACE_S)
}

/// Says that the object is being deleted; a grace period can only become shorter.
fn mark(served: &Served, json: &mut Value, grace_s: u64, author: Author<'_>) {
    let earlier = json["metadata"]["deletionGracePeriodSeconds"].as_u64();
    let first = !object::is_ending(json);
    if !first && earlier.is_none_or(|earlier| earlier <= grace_s) {
        return;
    }
    let seconds = i64::try_from(grace_s).unwrap_or(i64::MAX);
    let end = author
        .now
        .as_second()
        .saturating_add(if first { seconds } else { 0 });
    let end = drplan_api::Timestamp::from_second(end).unwrap_or(author.now);
    // These two end in their own way: with a phase or a condition, and without counting.
    let kind = served.info.kind.as_str();
    let own_way = !served.info.custom && matches!(kind, "Namespace" | "CustomResourceDefinition");
    let metadata = object::metadata(json);
    if first {
        metadata.insert("deletionTimestamp".to_owned(), json!(stamp(end)));
    }
    if !own_way {
        metadata.insert("deletionGracePeriodSeconds".to_owned(), json!(grace_s));
    }
    match kind {
        "Namespace" if own_way => json["status"]["phase"] = json!("Terminating"),
        _ if own_way && first => announce_end(json, author),
        _ if own_way => {}
        _ if first => generation::bump(json),
        _ => {}
    }
}

/// A definition that goes says so before its objects go.
fn announce_end(json: &mut Value, author: Author<'_>) {
    object::add_finalizer(json, CLEANUP);
    set_condition(
        json,
        "Terminating",
        true,
        (
            "InstanceDeletionPending",
            "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
        ),
        author.now,
    );
}
