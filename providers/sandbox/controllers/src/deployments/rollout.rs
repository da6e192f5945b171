//! How many replicas each ReplicaSet of a Deployment shall have next.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::Family;
use super::pods_of;
use super::recreates;
use crate::object::Round;
use crate::object::name;
use crate::object::number;
use crate::object::share;

/// How many pods there may be beyond those that are wanted.
pub(super) fn surge(deployment: &Value) -> i64 {
    bounds(deployment).0
}

/// How many of the wanted pods may be unavailable.
pub(super) fn tolerated(deployment: &Value) -> i64 {
    bounds(deployment).1
}

fn bounds(deployment: &Value) -> (i64, i64) {
    if recreates(deployment) {
        return (0, 0);
    }
    let total = number(&deployment["spec"]["replicas"], 1);
    let rolling = &deployment["spec"]["strategy"]["rollingUpdate"];
    let surge = share(&rolling["maxSurge"], "25%", total, Round::Up);
    let mut unavailable = share(&rolling["maxUnavailable"], "25%", total, Round::Down);
    if surge == 0 && unavailable == 0 {
        // Otherwise nothing could ever move.
        unavailable = 1;
    }
    (surge, unavailable.min(total.max(0)))
}

/// How many replicas a new ReplicaSet starts with.
pub(super) fn first_scale(family: &Family<'_>) -> i64 {
    if recreates(family.deployment) {
        let none = family.old.is_empty();
        return if none { family.wanted() } else { 0 };
    }
    room(family, 0)
}

fn specified<'s>(sets: impl Iterator<Item = &'s Arc<Value>>) -> i64 {
    sets.map(|set| scale(set)).sum()
}

fn scale(set: &Value) -> i64 {
    number(&set["spec"]["replicas"], 1)
}

/// How many replicas the new ReplicaSet may have now, which has so many.
fn room(family: &Family<'_>, present: i64) -> i64 {
    let wanted = family.wanted();
    let total = specified(family.old.iter()) + present;
    let most = wanted + surge(family.deployment);
    if total >= most {
        return present;
    }
    present + (most - total).min(wanted - present)
}

/// The scales that shall change, by the ReplicaSets' names.
pub(super) fn scales(family: &Family<'_>) -> BTreeMap<String, i64> {
    let mut scales = BTreeMap::new();
    let active: Vec<_> = family.all().filter(|set| scale(set) > 0).collect();
    if family.is_paused() {
        if let [only] = active.as_slice() {
            change(&mut scales, only, family.wanted());
        }
        return scales;
    }
    let Some(new) = &family.new else {
        return scales;
    };
    if recreates(family.deployment) {
        recreate(family, new, &mut scales);
    } else {
        roll(family, new, &mut scales);
    }
    scales
}

fn change(scales: &mut BTreeMap<String, i64>, set: &Value, to: i64) {
    if scale(set) != to {
        scales.insert(name(set).to_owned(), to);
    }
}

fn recreate(family: &Family<'_>, new: &Value, scales: &mut BTreeMap<String, i64>) {
    let old = specified(family.old.iter());
    for set in &family.old {
        change(scales, set, 0);
    }
    let there = scale(new) == family.wanted();
    if old == 0 && (there || !family.has_old_pods()) {
        change(scales, new, family.wanted());
    }
}

fn roll(family: &Family<'_>, new: &Value, scales: &mut BTreeMap<String, i64>) {
    let wanted = family.wanted();
    let present = scale(new);
    if present > wanted {
        change(scales, new, wanted);
        return;
    }
    let next = room(family, present);
    if next != present {
        change(scales, new, next);
        return;
    }
    let least = wanted - tolerated(family.deployment);
    let all = specified(family.all());
    let unready = present - number(&new["status"]["availableReplicas"], 0);
    let mut surplus = all - least - unready;
    if surplus <= 0 {
        return;
    }
    // Pods that do not serve go first: their going costs nothing.
    let mut left: Vec<(&Arc<Value>, i64)> = family.old.iter().map(|s| (s, scale(s))).collect();
    for (set, scale) in &mut left {
        let idle = *scale - number(&set["status"]["availableReplicas"], 0);
        let cut = idle.clamp(0, surplus.max(0));
        *scale -= cut;
        surplus -= cut;
    }
    let available = pods_of(family.all(), "availableReplicas");
    let mut spare = available - least;
    for (_, scale) in &mut left {
        let cut = (*scale).min(spare.max(0));
        *scale -= cut;
        spare -= cut;
    }
    for (set, scale) in left {
        change(scales, set, scale);
    }
}
