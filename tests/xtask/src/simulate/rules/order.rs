//! No step begins before everything that it waits for has ended well, best effort excepted.

use std::collections::BTreeMap;

use drplan::apply::Event;
use drplan_api::Address;

use super::super::life::Life;
use super::super::life::Run;
use super::super::trace::What;
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
    let index: BTreeMap<&Address, usize> = plan
        .steps
        .iter()
        .enumerate()
        .map(|(i, step)| (&step.address, i))
        .collect();
    let mut well = vec![false; plan.steps.len()];
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
                    well[i] = is_good(outcome);
                }
            }
            Event::StepStarted { address, .. } | Event::GateOpened { address, .. } => {
                let waits = index.get(address).map(|&i| before[i].as_slice());
                let open = waits.unwrap_or_default().iter();
                let open = open.filter(|&&b| !well[b] && !plan.steps[b].best_effort);
                out.extend(open.map(|&b| {
                    let name = &plan.steps[b].address;
                    format!("run {n}: `{address}` begins, and `{name}` did not end well")
                }));
            }
            _ => {}
        }
    }
    out
}
