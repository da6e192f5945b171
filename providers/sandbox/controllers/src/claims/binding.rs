//! How a claim comes to its volume.

use std::sync::Arc;

use serde_json::Value;
use serde_json::json;

use super::BIND_COMPLETED;
use super::BOUND_BY_CONTROLLER;
use super::CLASSES;
use super::VOLUMES;
use super::Volumes;
use super::names_claim;
use super::provision;
use crate::Ask;
use crate::Key;
use crate::Turn;
use crate::Write;
use crate::object::annotation;
use crate::object::items;
use crate::object::name;
use crate::object::namespace;
use crate::object::set_annotation;
use crate::object::status_write;
use crate::object::text;
use crate::object::uid;
use crate::selector;
use crate::selector::quantity;

pub(super) fn reconcile(
    ask: Ask<'_>,
    key: &Key,
    claim: &Value,
    volumes: &mut Volumes,
    turn: &mut Turn,
) {
    match text(&claim["spec"]["volumeName"]) {
        "" => unbound(ask, key, claim, volumes, turn),
        volume => named(ask, claim, volume, volumes, turn),
    }
}

/// A claim that names its volume: bound, or to be bound to that one alone.
fn named(ask: Ask<'_>, claim: &Value, volume: &str, volumes: &mut Volumes, turn: &mut Turn) {
    let was_bound = !annotation(claim, BIND_COMPLETED).is_empty();
    let without_volume = if was_bound { "Lost" } else { "Pending" };
    let Some(volume) = ask.view.get(VOLUMES.0, VOLUMES.1, None, volume) else {
        turn.writes.extend(waiting(claim, without_volume));
        return;
    };
    let reference = &volume["spec"]["claimRef"];
    let theirs = text(&reference["uid"]);
    if reference.is_null() || names_claim(&volume, claim) && theirs.is_empty() {
        take(claim, &volume, volumes, turn);
    } else if names_claim(&volume, claim) && theirs == uid(claim) {
        if was_bound {
            turn.writes.extend(bound(claim, &volume));
        } else {
            let mut claim = claim.clone();
            set_annotation(&mut claim, BIND_COMPLETED, "yes");
            turn.writes.push(Write::Update(claim));
        }
    } else {
        turn.writes.extend(waiting(claim, without_volume));
    }
}

/// The status of a claim without a volume.
fn waiting(claim: &Value, phase: &str) -> Option<Write> {
    status_write(claim, json!({"phase": phase}))
}

fn bound(claim: &Value, volume: &Value) -> Option<Write> {
    let mut status = match &claim["status"] {
        Value::Object(_) => claim["status"].clone(),
        _ => json!({}),
    };
    status["phase"] = "Bound".into();
    status["accessModes"] = volume["spec"]["accessModes"].clone();
    status["capacity"] = volume["spec"]["capacity"].clone();
    status_write(claim, status)
}

/// Writes into a volume whose it is.
fn take(claim: &Value, volume: &Value, volumes: &mut Volumes, turn: &mut Turn) {
    if !volumes.taken.insert(name(volume).to_owned()) {
        return;
    }
    let mut taken = volume.clone();
    if !taken["spec"]["claimRef"].is_object() {
        set_annotation(&mut taken, BOUND_BY_CONTROLLER, "yes");
    }
    taken["spec"]["claimRef"] = reference(claim);
    turn.writes.push(Write::Update(taken));
}

/// How a volume names its claim.
pub(super) fn reference(claim: &Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": namespace(claim),
        "name": name(claim),
        "uid": uid(claim),
        "resourceVersion": claim["metadata"]["resourceVersion"],
    })
}

fn unbound(ask: Ask<'_>, key: &Key, claim: &Value, volumes: &mut Volumes, turn: &mut Turn) {
    if let Some(volume) = destined(ask, key, claim, volumes) {
        if text(&volume["spec"]["claimRef"]["uid"]).is_empty() {
            take(claim, &volume, volumes, turn);
            return;
        }
        let mut claim = claim.clone();
        claim["spec"]["volumeName"] = name(&volume).into();
        set_annotation(&mut claim, BIND_COMPLETED, "yes");
        set_annotation(&mut claim, BOUND_BY_CONTROLLER, "yes");
        turn.writes.push(Write::Update(claim));
        return;
    }
    let Some(class) = claim["spec"]["storageClassName"].as_str() else {
        match default_class(ask) {
            Some(class) => {
                let mut claim = claim.clone();
                claim["spec"]["storageClassName"] = class.into();
                turn.writes.push(Write::Update(claim));
            }
            None => turn.writes.extend(waiting(claim, "Pending")),
        }
        return;
    };
    let class = ask.view.get(CLASSES.0, CLASSES.1, None, class);
    let waits = class.as_ref().is_some_and(|class| {
        class["volumeBindingMode"] == "WaitForFirstConsumer"
            && annotation(claim, crate::pods::SELECTED_NODE).is_empty()
    });
    if waits {
        turn.writes.extend(waiting(claim, "Pending"));
        return;
    }
    if let Some(volume) = fitting(ask, claim, volumes) {
        take(claim, &volume, volumes, turn);
        return;
    }
    let provisioned = class.is_some_and(|class| provision::go_on(ask, key, claim, &class, turn));
    if !provisioned {
        turn.writes.extend(waiting(claim, "Pending"));
    }
}

/// The volume that somebody kept for a claim.
fn destined(ask: Ask<'_>, key: &Key, claim: &Value, volumes: &mut Volumes) -> Option<Arc<Value>> {
    let names = volumes.index(ask).by_claim.get(key)?;
    names.iter().find_map(|volume| {
        let volume = ask.view.get(VOLUMES.0, VOLUMES.1, None, volume)?;
        let theirs = text(&volume["spec"]["claimRef"]["uid"]);
        (theirs.is_empty() || theirs == uid(claim)).then_some(volume)
    })
}

/// The smallest free volume that has all that a claim asks for.
fn fitting(ask: Ask<'_>, claim: &Value, volumes: &mut Volumes) -> Option<Arc<Value>> {
    let spec = &claim["spec"];
    let class = text(&spec["storageClassName"]).to_owned();
    let taken = volumes.taken.clone();
    let free = volumes.index(ask).free.get(&class)?;
    let wanted = quantity(&spec["resources"]["requests"]["storage"]);
    let mode = |v: &Value| v["volumeMode"].as_str().unwrap_or("Filesystem").to_owned();
    free.iter()
        .filter(|volume| {
            let given = &volume["spec"];
            let modes = items(&given["accessModes"]);
            let selected = spec["selector"].is_null()
                || selector::matches(&spec["selector"], &volume["metadata"]["labels"]);
            !taken.contains(name(volume))
                && selected
                && mode(given) == mode(spec)
                && quantity(&given["capacity"]["storage"]) >= wanted
                && items(&spec["accessModes"])
                    .iter()
                    .all(|m| modes.contains(m))
        })
        .min_by_key(|volume| {
            let size = quantity(&volume["spec"]["capacity"]["storage"]);
            (size, name(volume).to_owned())
        })
        .cloned()
}

/// The newest of the classes that call themselves the default.
fn default_class(ask: Ask<'_>) -> Option<String> {
    const DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";
    ask.view
        .list(CLASSES.0, CLASSES.1)
        .iter()
        .filter(|class| annotation(class, DEFAULT) == "true")
        .max_by_key(|class| {
            let made = text(&class["metadata"]["creationTimestamp"]);
            (made.to_owned(), std::cmp::Reverse(name(class).to_owned()))
        })
        .map(|class| name(class).to_owned())
}
