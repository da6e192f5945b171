//! What a journal calls done is so in the world, and what it calls finished is not begun again.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use drplan::apply::Event;
use drplan::apply::Outcome;
use drplan::plan::Do;
use drplan::plan::Plan;
use drplan_api::Address;

use super::super::life::Life;

pub(super) fn broken(life: &Life) -> Vec<String> {
    let mut out = undone(life);
    out.extend(begun_again(life));
    out
}

/// Steps that a journal calls done, and that the next plan wants to do.
fn undone(life: &Life) -> Vec<String> {
    let mut out = Vec::new();
    for (n, run) in life.runs.iter().enumerate() {
        let later = life.runs.iter().skip(n + 1).find_map(|r| r.plan.as_ref());
        let later = later.unwrap_or(&life.after);
        for line in &run.journal {
            if let Event::StepEnded {
                address,
                outcome: Outcome::Done | Outcome::AlreadyTrue,
                ..
            } = &line.record
                && wants_again(later, address)
            {
                out.push(format!("run {n}: `{address}` was done, and is to be done"));
            }
        }
    }
    out
}

/// Whether a plan wants to act on a goal. What only looks may see a fault; a guard is no goal.
fn wants_again(plan: &Plan, address: &Address) -> bool {
    let step = plan.step(address.as_str());
    step.is_some_and(|step| {
        matches!(step.what, Do::Act { .. } | Do::Conflict)
            && step.guards.is_empty()
            && step.kind != "http_check"
    })
}

/// Effects that begin after a journal had called them finished.
fn begun_again(life: &Life) -> Vec<String> {
    let mut out = Vec::new();
    let mut finished: BTreeMap<(Address, String, String), usize> = BTreeMap::new();
    for (n, run) in life.runs.iter().enumerate() {
        let mut begun: BTreeMap<(Address, usize), (String, String)> = BTreeMap::new();
        let guards: BTreeSet<&Address> = run
            .plan
            .iter()
            .flat_map(|plan| &plan.steps)
            .filter(|step| !step.guards.is_empty())
            .map(|step| &step.address)
            .collect();
        for line in &run.journal {
            match &line.record {
                Event::EffectStarted {
                    address,
                    effect,
                    verb,
                    object,
                    ..
                } if !guards.contains(address) => {
                    let what = (verb.clone(), object.clone());
                    let key = (address.clone(), what.0.clone(), what.1.clone());
                    if let Some(before) = finished.get(&key) {
                        out.push(format!(
                            "run {n}: `{address}` begins {verb} {object}, which run {before} finished"
                        ));
                    }
                    begun.insert((address.clone(), *effect), what);
                }
                Event::EffectFinished {
                    address, effect, ..
                } => {
                    if let Some((verb, object)) = begun.get(&(address.clone(), *effect)) {
                        let key = (address.clone(), verb.clone(), object.clone());
                        finished.insert(key, n);
                    }
                }
                _ => {}
            }
        }
    }
    out
}
