//! DNS is not changed before everything that speaks for it has ended well in the same run: checks,
//! HTTP checks and whoever guards the record.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use drplan::apply::Event;
use drplan::apply::Outcome;
use drplan::plan::Do;
use drplan::plan::Plan;
use drplan_api::Address;

use super::super::life::Life;
use super::super::trace::Asked;
use super::super::trace::What;
use super::is_good;

/// The kind of records.
const RECORD: &str = "route53_record";

pub(super) fn broken(life: &Life) -> Vec<String> {
    let mut out = Vec::new();
    let mut ended: BTreeMap<Address, Outcome> = BTreeMap::new();
    let mut needed = BTreeSet::new();
    for entry in &life.trace {
        match &entry.what {
            What::Began => {
                ended.clear();
                let plan = life.runs.get(entry.run).and_then(|run| run.plan.as_ref());
                needed = plan.map(|plan| speaks(plan)).unwrap_or_default();
            }
            What::Event(Event::StepEnded {
                address, outcome, ..
            }) => {
                ended.insert(address.clone(), outcome.clone());
            }
            What::Came(asked) if changes_records(asked) => {
                let well = |a: &Address| ended.get(a).is_some_and(is_good);
                let missing: Vec<&str> = needed
                    .iter()
                    .filter(|a| !well(a))
                    .map(Address::as_str)
                    .collect();
                if !missing.is_empty() {
                    out.push(format!(
                        "run {}: DNS is changed at {} before {}",
                        entry.run,
                        entry.at,
                        missing.join(", ")
                    ));
                }
            }
            _ => {}
        }
    }
    out
}

pub(super) fn changes_records(asked: &Asked) -> bool {
    let path = asked.target.split('?').next().unwrap_or_default();
    asked.method == "POST" && path.trim_end_matches('/').ends_with("/rrset")
}

/// What must have ended well before any record is changed, worked out without the plan's barriers.
fn speaks(plan: &Plan) -> BTreeSet<Address> {
    let is_record = |i: usize| plan.steps[i].kind == RECORD;
    let mut behind: BTreeSet<usize> = (0..plan.steps.len()).filter(|i| is_record(*i)).collect();
    let records: BTreeSet<&Address> = behind.iter().map(|i| &plan.steps[*i].address).collect();
    loop {
        let next = plan.edges.iter().filter(|e| behind.contains(&e.before));
        let next: Vec<usize> = next
            .map(|e| e.after)
            .filter(|i| !behind.contains(i))
            .collect();
        if next.is_empty() {
            break;
        }
        behind.extend(next);
    }
    let steps = plan.steps.iter().enumerate();
    steps
        .filter(|(i, step)| {
            let asserts = match &step.what {
                Do::Check { warning, .. } => !warning,
                Do::Idle => false,
                _ => step.kind == "http_check" && !step.best_effort,
            };
            let guards = step.guards.iter().any(|a| records.contains(a));
            (asserts && !behind.contains(i)) || (guards && step.what != Do::Idle)
        })
        .map(|(_, step)| step.address.clone())
        .collect()
}
