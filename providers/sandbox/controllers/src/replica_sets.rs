//! ReplicaSets: as many pods as are wanted.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;

use crate::Ask;
use crate::Controller;
use crate::Key;
use crate::Turn;
use crate::Write;
use crate::bounds;
use crate::children::Children;
use crate::children::Kind;
use crate::children::PODS;
use crate::children::parents;
use crate::children::scopes;
use crate::condition::Times;
use crate::names::Names;
use crate::object::created;
use crate::object::delete;
use crate::object::is_deleting;
use crate::object::name;
use crate::object::number;
use crate::object::set_count;
use crate::object::status_write;
use crate::object::text;
use crate::selector;
use crate::template::available_at;
use crate::template::generated_pod;
use crate::template::is_active;
use crate::template::is_finished;
use crate::template::is_ready;

const REPLICA_SETS: Kind = ("apps", "ReplicaSet");

/// Makes and deletes the pods of ReplicaSets.
#[derive(Debug)]
pub(crate) struct ReplicaSets;

impl Controller for ReplicaSets {
    fn name(&self) -> &'static str {
        "replicasets"
    }

    fn watches(&self) -> &'static [Kind] {
        &[REPLICA_SETS, PODS]
    }

    fn user(&self) -> &'static str {
        "system:serviceaccount:kube-system:replicaset-controller"
    }

    fn turn(&self, ask: Ask<'_>) -> Turn {
        let mut turn = Turn::default();
        for (namespace, scope) in scopes(ask, REPLICA_SETS, PODS) {
            let sets = parents(ask.view, REPLICA_SETS, &namespace, &scope);
            if sets.is_empty() {
                continue;
            }
            let pods = Children::load(ask.view, PODS, &namespace);
            for set in sets {
                reconcile(ask, &set, &pods, &mut turn);
            }
        }
        turn
    }
}

fn reconcile(ask: Ask<'_>, set: &Value, pods: &Children, turn: &mut Turn) {
    let claimed = pods.claim(set, is_active, &mut turn.writes);
    if !claimed.settled {
        return;
    }
    let going = claimed.members.iter().filter(|pod| is_going(pod)).count();
    let active: Vec<_> = claimed
        .members
        .into_iter()
        .filter(|p| is_active(p))
        .collect();
    if !is_deleting(set) {
        scale(ask, set, &active, &mut turn.writes);
    }
    let (mut status, next) = status(set, &active, ask.now);
    status["terminatingReplicas"] = going.into();
    turn.writes.extend(status_write(set, status));
    if let (Some(next), Some(key)) = (next, Key::of(set)) {
        turn.again.push((key, next));
    }
}

/// Whether a pod is being deleted and has not ended yet.
fn is_going(pod: &Value) -> bool {
    is_deleting(pod) && !is_finished(pod)
}

fn wanted(set: &Value) -> usize {
    usize::try_from(number(&set["spec"]["replicas"], 1)).unwrap_or(0)
}

fn scale(ask: Ask<'_>, set: &Value, active: &[Arc<Value>], writes: &mut Vec<Write>) {
    let wanted = wanted(set);
    let granted = bounds::granted(wanted);
    if active.len() < granted {
        let mut names = Names::new(ask, set);
        for _ in (active.len()..granted).take(bounds::PODS_OF_A_TURN_MAX) {
            let name = names.next();
            writes.push(Write::Create(generated_pod(
                set,
                &set["spec"]["template"],
                &name,
            )));
        }
    } else if active.len() > wanted {
        let mut victims: Vec<_> = active.iter().collect();
        victims.sort_by_cached_key(|pod| dispensable(pod));
        let surplus = active.len() - wanted;
        writes.extend(victims.into_iter().take(surplus).filter_map(|p| delete(p)));
    }
    if bounds::is_bounded(wanted) {
        writes.extend(bounds::event(ask, set, "replicaset-controller"));
    }
}

/// Pods that are missed least come first: not placed, not running, not ready, youngest.
fn dispensable(pod: &Value) -> (bool, u8, bool, std::cmp::Reverse<Timestamp>, String) {
    let phase = match text(&pod["status"]["phase"]) {
        "Running" => 2,
        "Unknown" => 1,
        _ => 0,
    };
    (
        pod["spec"]["nodeName"].is_string(),
        phase,
        is_ready(pod),
        std::cmp::Reverse(created(pod)),
        name(pod).to_owned(),
    )
}

fn status(set: &Value, active: &[Arc<Value>], now: Timestamp) -> (Value, Option<Timestamp>) {
    let labels = &set["spec"]["template"]["metadata"]["labels"];
    let labelled = |pod: &&Arc<Value>| selector::has_all(labels, &pod["metadata"]["labels"]);
    let times: Vec<_> = active
        .iter()
        .filter_map(|pod| available_at(pod, &set["spec"]["minReadySeconds"]))
        .collect();
    let mut status = match &set["status"] {
        Value::Object(_) => set["status"].clone(),
        _ => json!({}),
    };
    status["replicas"] = active.len().into();
    status["observedGeneration"] = set["metadata"]["generation"].clone();
    let available = times.iter().filter(|at| **at <= now).count();
    set_count(
        &mut status,
        "fullyLabeledReplicas",
        active.iter().filter(labelled).count(),
    );
    set_count(&mut status, "readyReplicas", times.len());
    set_count(&mut status, "availableReplicas", available);
    bounds::tell(
        &mut status,
        bounds::is_bounded(wanted(set)),
        Times::Observed,
        now,
    );
    (status, times.into_iter().filter(|at| *at > now).min())
}
