//! What a journal calls done is so in the world, and what it calls finished is not begun again.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use drplan::apply::Event;
use drplan::apply::Outcome;
use drplan::plan::Do;
use drplan::plan::Plan;
use drplan_api::Address;

use super::super::life::Life;
use super::owner::COMMAND;

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
                outcome: Outcome::Done | Outcome::AlreadyTrue | Outcome::NotNeeded,
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

/// Effects that begin after a journal had called them finished. Guards act in each run, and of a command
/// its check has the last word, whatever its exit code was.
fn begun_again(life: &Life) -> Vec<String> {
    let mut out = Vec::new();
    let mut finished: BTreeMap<(Address, String, String), usize> = BTreeMap::new();
    for (n, run) in life.runs.iter().enumerate() {
        let mut begun: BTreeMap<(Address, usize), (String, String)> = BTreeMap::new();
        let exempt: BTreeSet<&Address> = run
            .plan
            .iter()
            .flat_map(|plan| &plan.steps)
            .filter(|step| !step.guards.is_empty() || step.kind == COMMAND)
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
                } if !exempt.contains(address) => {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::hand_made::acting;
    use super::super::hand_made::effect;
    use super::super::hand_made::ended;
    use super::super::hand_made::life;
    use super::super::hand_made::life_of;
    use super::super::hand_made::plan;
    use super::super::hand_made::step;
    use super::*;
    use crate::simulate::entry::What;

    const NAME: &str = "kubernetes_manifest.a";

    fn acts() -> Plan {
        plan([acting(NAME, json!({}))], &[])
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_done_is_not_to_be_done_again() {
        let mut life = life(acts(), [ended(NAME, Outcome::Done)]);
        assert_eq!(broken(&life).len(), 1);
        let done = step(NAME, json!({ "do": "nothing" }));
        life.after = std::sync::Arc::new(plan([done], &[]));
        assert!(broken(&life).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_run_finished_another_does_not_begin() {
        let finished = What::Event(Event::EffectFinished {
            address: Address::new(NAME),
            effect: 0,
            found: false,
        });
        let runs = || vec![(0, acts()), (0, acts())];
        let begun = [(0, 1, effect(NAME, 1)), (1, 1, effect(NAME, 1))];
        assert!(broken(&life_of(runs(), begun.clone())).is_empty());
        let [first, second] = begun;
        assert_eq!(
            broken(&life_of(runs(), [first, (0, 1, finished), second])).len(),
            1
        );
    }
}
