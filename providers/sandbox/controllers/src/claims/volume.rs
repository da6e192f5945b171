//! The phases of a volume.

use serde_json::Value;
use serde_json::json;

use super::CLAIMS;
use super::PROVISIONED_BY;
use super::claim_of;
use crate::Ask;
use crate::Turn;
use crate::object::annotation;
use crate::object::delete;
use crate::object::name;
use crate::object::stamp;
use crate::object::status_write;
use crate::object::text;
use crate::object::uid;

pub(super) fn reconcile(ask: Ask<'_>, volume: &Value, turn: &mut Turn) {
    let Some(phase) = phase(ask, volume) else {
        return;
    };
    if volume["status"]["phase"] != phase {
        let status = json!({"phase": phase, "lastPhaseTransitionTime": stamp(ask.now)});
        turn.writes.extend(status_write(volume, status));
        return;
    }
    let driver = annotation(volume, PROVISIONED_BY);
    let reclaimed = phase == "Released"
        && volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
        && !driver.is_empty()
        && !ask.settings.missing_provisioners.contains(driver);
    if reclaimed {
        turn.writes.extend(delete(volume));
    }
}

/// `None` while its claim has still to take it.
fn phase(ask: Ask<'_>, volume: &Value) -> Option<&'static str> {
    let wanted = text(&volume["spec"]["claimRef"]["uid"]);
    let Some(key) = claim_of(volume).filter(|_| !wanted.is_empty()) else {
        return Some("Available");
    };
    let space = key.namespace.as_deref();
    let claim = ask.view.get(CLAIMS.0, CLAIMS.1, space, &key.name);
    let Some(claim) = claim.filter(|claim| uid(claim) == wanted) else {
        return Some("Released");
    };
    match text(&claim["spec"]["volumeName"]) {
        "" => None,
        taken if taken == name(volume) => Some("Bound"),
        _ => Some("Released"),
    }
}
