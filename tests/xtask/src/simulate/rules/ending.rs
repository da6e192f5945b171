//! How lives end: complete, and like the one in which nothing went wrong.

use std::collections::BTreeSet;

use drplan::apply::Event;
use drplan::apply::Outcome;
use drplan::plan::Do;
use drplan::report::Exit;
use drplan_api::Address;

use super::super::canonical::State;
use super::super::canonical::differences;
use super::super::life::End;
use super::super::life::Life;
use super::super::life::Run;
use super::is_good;

/// How many differences of the world are told.
const DIFFERENCES_TOLD: usize = 8;

/// A verdict that is better than what happened, and a life that never becomes complete.
pub(super) fn verdicts(life: &Life) -> Vec<String> {
    let mut out = Vec::new();
    for (n, run) in life.runs.iter().enumerate() {
        if let Some(end) = &run.end {
            out.extend(
                of_run(run, end)
                    .into_iter()
                    .map(|how| format!("run {n}: {how}")),
            );
        }
    }
    if !life.is_complete() {
        out.push(format!(
            "after {} runs it is not complete; the last run: {}",
            life.runs.len(),
            last_words(life)
        ));
    }
    if !life.left.is_empty() {
        out.push(format!(
            "it is complete, and a second plan has: {}",
            life.left.join("; ")
        ));
    }
    out
}

fn last_words(life: &Life) -> String {
    let Some(end) = life.runs.last().and_then(|run| run.end.as_ref()) else {
        return "cut off".to_owned();
    };
    let bad = end.outcomes.iter().filter(|(_, o)| !is_good(o));
    let bad = bad.filter(|(_, o)| !matches!(o, Outcome::Blocked { .. }));
    let bad: Vec<String> = bad
        .map(|(a, o)| format!("{a} {}: {}", o.word(), o.because().unwrap_or_default()))
        .collect();
    format!("exit code {}, {}", end.exit.code(), bad.join("; "))
}

/// Compares a verdict with the outcomes, and the outcomes with the journal.
fn of_run(run: &Run, end: &End) -> Vec<String> {
    let mut out = Vec::new();
    let mut bad = Vec::new();
    let steps = run.plan.iter().flat_map(|plan| &plan.steps);
    for step in steps.filter(|s| !matches!(s.what, Do::Barrier | Do::Idle)) {
        if !end.outcomes.get(&step.address).is_some_and(is_good) {
            bad.push((&step.address, step.best_effort));
        }
    }
    let names: Vec<&str> = bad.iter().map(|(a, _)| a.as_str()).collect();
    if end.exit == Exit::Ok && !bad.is_empty() {
        out.push(format!("it passes without {}", names.join(", ")));
    }
    if end.without.is_some() && bad.iter().any(|(_, best_effort)| !best_effort) {
        out.push(format!(
            "it counts as complete without {}",
            names.join(", ")
        ));
    }
    let good = |event: &Event| match event {
        Event::StepEnded {
            address, outcome, ..
        } if is_good(outcome) => Some(address.clone()),
        _ => None,
    };
    let written: BTreeSet<Address> = run.journal.iter().filter_map(|l| good(&l.record)).collect();
    let said = end.outcomes.iter().filter(|(_, o)| is_good(o));
    let more: Vec<&str> = said
        .filter(|(a, _)| !written.contains(*a))
        .map(|(a, _)| a.as_str())
        .collect();
    if !more.is_empty() {
        out.push(format!("the journal does not have {}", more.join(", ")));
    }
    out
}

/// What differs from the end of an undisturbed life.
pub(super) fn states(life: &Life, wanted: Option<&State>) -> Vec<String> {
    let Some(wanted) = wanted.filter(|_| life.is_complete()) else {
        return Vec::new();
    };
    let mut all = differences(wanted, &life.state);
    let count = all.len();
    if count > DIFFERENCES_TOLD {
        all.truncate(DIFFERENCES_TOLD);
        all.push(format!("and {} more", count - DIFFERENCES_TOLD));
    }
    all
}
