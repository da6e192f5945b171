//! No step begins before everything that it waits for has ended well. What is only best effort may have
//! ended badly, but it must have ended, and what blocked it still counts.

use std::collections::BTreeMap;

use drplan::apply::Event;
use drplan::apply::Outcome;
use drplan::plan::Plan;
use drplan_api::Address;

use super::super::entry::What;
use super::super::life::Life;
use super::super::life::Run;
use super::is_good;

pub(super) fn broken(life: &Life) -> Vec<String> {
    let runs = life.runs.iter().enumerate();
    runs.flat_map(|(n, run)| of_run(life, n, run)).collect()
}

fn of_run(life: &Life, n: usize, run: &Run) -> Vec<String> {
    let Some(plan) = &run.plan else {
        return Vec::new();
    };
    let before = plan.before();
    let steps = plan.steps.iter().enumerate();
    let index: BTreeMap<&Address, usize> = steps.map(|(i, step)| (&step.address, i)).collect();
    let mut open = vec![false; plan.steps.len()];
    let mut out = Vec::new();
    for entry in life.trace.iter().filter(|entry| entry.run == n) {
        let What::Event(event) = &entry.what else {
            continue;
        };
        match event {
            Event::StepEnded {
                address, outcome, ..
            } => {
                if let Some(&i) = index.get(address) {
                    open[i] = lets_go_on(plan, i, outcome);
                }
            }
            Event::StepStarted { address, .. }
            | Event::GateOpened { address, .. }
            | Event::EffectStarted { address, .. } => {
                let waits = index.get(address).map(|&i| before[i].as_slice());
                let closed = waits.unwrap_or_default().iter().filter(|&&b| !open[b]);
                out.extend(closed.map(|&b| {
                    let name = &plan.steps[b].address;
                    format!("run {n}: `{address}` begins, and `{name}` did not end well")
                }));
            }
            _ => {}
        }
    }
    out.dedup();
    out
}

/// Whether what waits for a step may go on after it ended so.
fn lets_go_on(plan: &Plan, i: usize, outcome: &Outcome) -> bool {
    let step = &plan.steps[i];
    if !step.best_effort {
        return is_good(step, outcome);
    }
    match outcome {
        // Best effort pardons the step, not the critical one that blocked it.
        Outcome::Blocked { by } => plan.step(by.as_str()).is_some_and(|root| root.best_effort),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::hand_made::acting;
    use super::super::hand_made::began;
    use super::super::hand_made::ended;
    use super::super::hand_made::failed;
    use super::super::hand_made::life;
    use super::super::hand_made::plan;
    use super::*;

    fn two(best_effort: bool) -> Plan {
        let mut first = acting("a.a", json!({}));
        first.best_effort = best_effort;
        plan([first, acting("b.b", json!({}))], &[(0, 1)])
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_that_begins_after_a_failure_is_seen() {
        let good = [began("a.a"), ended("a.a", Outcome::Done), began("b.b")];
        assert!(broken(&life(two(false), good)).is_empty());
        let bad = [began("a.a"), ended("a.a", failed()), began("b.b")];
        assert_eq!(broken(&life(two(false), bad)).len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn best_effort_must_have_ended_too() {
        let good = [began("a.a"), ended("a.a", failed()), began("b.b")];
        assert!(broken(&life(two(true), good)).is_empty());
        let early = [began("a.a"), began("b.b"), ended("a.a", failed())];
        assert_eq!(broken(&life(two(true), early)).len(), 1);
    }
}
