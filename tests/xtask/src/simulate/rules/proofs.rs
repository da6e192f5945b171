//! What is called done is proven: its evidence holds, and the world was asked after the last change.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use drplan::apply::Event;
use drplan::apply::Outcome;
use drplan::plan::Do;
use drplan::plan::Plan;
use drplan::plan::Step;
use drplan_api::Address;
use drplan_api::Evidence;

use super::super::entry::Asked;
use super::super::entry::Entry;
use super::super::entry::What;
use super::super::life::Life;
use super::owner::may_send;

pub(super) fn broken(life: &Life) -> Vec<String> {
    let mut out = Vec::new();
    for (n, run) in life.runs.iter().enumerate() {
        if let Some(plan) = &run.plan {
            let trace: Vec<&Entry> = life.trace.iter().filter(|e| e.run == n).collect();
            let hows = of_run(plan, &trace).into_iter();
            out.extend(hows.map(|how| format!("run {n}: {how}")));
        }
    }
    out
}

fn of_run(plan: &Plan, trace: &[&Entry]) -> Vec<String> {
    let before = plan.before();
    let steps = plan.steps.iter().enumerate();
    let index: BTreeMap<&Address, usize> = steps.map(|(i, step)| (&step.address, i)).collect();
    // Steps that acted, and those behind one that did.
    let mut acted = vec![false; plan.steps.len()];
    // Those that began something since the run last began or went on, however they ended.
    let mut began = BTreeSet::new();
    let mut out = Vec::new();
    for (at, entry) in trace.iter().enumerate() {
        match &entry.what {
            What::Event(Event::RunStarted { .. } | Event::RunResumed { .. }) => began.clear(),
            What::Event(Event::EffectStarted { address, .. }) => drop(began.insert(address)),
            _ => {}
        }
        let What::Event(Event::StepEnded {
            address,
            outcome,
            evidence,
            ..
        }) = &entry.what
        else {
            continue;
        };
        let Some(&i) = index.get(address) else {
            continue;
        };
        let step = &plan.steps[i];
        let behind = before[i].iter().any(|&b| acted[b]);
        acted[i] = *outcome == Outcome::Done || began.contains(address) || behind;
        match outcome {
            Outcome::Passed if behind && step.what == Do::Nothing && !address.is_data() => {
                out.push(format!(
                    "`{address}` is not looked at after what acted before it"
                ));
            }
            Outcome::Done | Outcome::AlreadyTrue => {
                out.extend(unproven(step, evidence));
                out.extend(unread(step, &trace[..at]));
            }
            _ => {}
        }
    }
    out
}

/// What is wrong with the evidence of a step that ended well. Neither a person's answer nor data that
/// were read have any.
fn unproven(step: &Step, evidence: &[Evidence]) -> Option<String> {
    let address = &step.address;
    if let Some(false_claim) = evidence.iter().find(|e| !e.holds) {
        return Some(format!(
            "`{address}` is done, but not so: {}",
            false_claim.claim
        ));
    }
    let has_none = matches!(
        step.what,
        Do::Gate { .. } | Do::Read | Do::Barrier | Do::Idle
    );
    (evidence.is_empty() && !has_none)
        .then(|| format!("`{address}` is done, and nothing proves it"))
}

/// That nobody read again what a step had changed before it ended.
fn unread(step: &Step, trace: &[&Entry]) -> Option<String> {
    let ours = |asked: &Asked| asked.is_our_change() && may_send(step, asked);
    let stamped = |asked: &Asked| asked.by.is_some() || asked.changes_records();
    let last = trace.iter().rposition(|entry| match &entry.what {
        What::Left(asked, _) | What::Lost(asked, _) => stamped(asked) && ours(asked),
        _ => false,
    })?;
    let (What::Left(changed, _) | What::Lost(changed, _)) = &trace[last].what else {
        return None;
    };
    let read = trace[last..].iter().any(|entry| match &entry.what {
        What::Left(asked, status) => {
            asked.method == "GET" && *status < 300 && reads(asked, changed)
        }
        _ => false,
    });
    let path = changed.path();
    (!read).then(|| format!("`{}` is done, and nobody read {path} again", step.address))
}

/// Whether a request reads what another changed, or a list that it stands in.
fn reads(asked: &Asked, changed: &Asked) -> bool {
    asked.host == changed.host && resource(asked.path()) == resource(changed.path())
}

/// What sort of thing a path is about: `deployments`, `rrset`.
fn resource(path: &str) -> &str {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let rest = match parts.first() {
        Some(&"api") => parts.get(2..),
        Some(&"apis") => parts.get(3..),
        _ => return parts.last().copied().unwrap_or_default(),
    };
    match rest.unwrap_or_default() {
        ["namespaces", _, resource, ..] | [resource, ..] => resource,
        [] => "",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::hand_made::acting;
    use super::super::hand_made::asked;
    use super::super::hand_made::began;
    use super::super::hand_made::ended;
    use super::super::hand_made::ended_with;
    use super::super::hand_made::life;
    use super::super::hand_made::of_step;
    use super::super::hand_made::plan;
    use super::super::hand_made::step;
    use super::*;

    const PATH: &str = "/apis/apps/v1/namespaces/web/deployments/front?fieldManager=drplan";

    fn one() -> Plan {
        plan([acting("kubernetes_manifest.a", json!({}))], &[])
    }

    fn done(evidence: &[bool]) -> What {
        ended_with("kubernetes_manifest.a", Outcome::Done, evidence)
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_is_not_done_without_evidence_that_holds() {
        assert!(broken(&life(one(), [done(&[true])])).is_empty());
        assert_eq!(broken(&life(one(), [done(&[])])).len(), 1);
        assert_eq!(broken(&life(one(), [done(&[true, false])])).len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_changed_is_read_again_before_it_is_done() {
        let write = || {
            let asked = asked("PATCH", PATH);
            What::Left(of_step(asked, "kubernetes_manifest.a"), 200)
        };
        let list = || What::Left(asked("GET", "/apis/apps/v1/deployments?limit=500"), 200);
        assert!(broken(&life(one(), [write(), list(), done(&[true])])).is_empty());
        assert_eq!(
            broken(&life(one(), [list(), write(), done(&[true])])).len(),
            1
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_true_is_looked_at_again_behind_what_acted() {
        let steps = || {
            let quiet = step("b.b", json!({ "do": "nothing" }));
            plan([acting("a.a", json!({})), quiet], &[(0, 1)])
        };
        let passed = || ended("b.b", Outcome::Passed);
        let idle = [ended("a.a", Outcome::AlreadyTrue), passed()];
        assert!(broken(&life(steps(), idle)).is_empty());
        let acted = [began("a.a"), ended("a.a", Outcome::Done), passed()];
        assert_eq!(broken(&life(steps(), acted)).len(), 1);
    }

    #[test]
    fn a_path_tells_what_sort_of_thing_it_is_about() {
        assert_eq!(resource("/api/v1/namespaces/web"), "namespaces");
        assert_eq!(resource("/api/v1/namespaces/web/services/a"), "services");
        assert_eq!(resource("/apis/apps/v1/deployments"), "deployments");
        assert_eq!(resource("/2013-04-01/hostedzone/Z/rrset"), "rrset");
    }
}
