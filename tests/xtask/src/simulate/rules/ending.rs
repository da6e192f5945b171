//! How lives end: complete, and like the one in which nothing went wrong.

use std::collections::BTreeSet;

use drplan::apply::Event;
use drplan::apply::Outcome;
use drplan::plan::Do;
use drplan::plan::Step;
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
    if life.is_complete() && !life.left.is_empty() {
        out.push(format!(
            "it is complete, and a second plan has: {}",
            life.left.join("; ")
        ));
    }
    out
}

fn last_words(life: &Life) -> String {
    let last = life.runs.last();
    let Some((run, end)) = last.and_then(|run| Some((run, run.end.as_ref()?))) else {
        return "cut off".to_owned();
    };
    let bad = end.outcomes.iter().filter(|(a, o)| !run.is_good(a, o));
    let bad = bad.filter(|(_, o)| !matches!(o, Outcome::Blocked { .. }));
    let bad: Vec<String> = bad
        .map(|(a, o)| format!("{a} {}: {}", o.word(), o.because().unwrap_or_default()))
        .collect();
    format!("exit code {}, {}", end.exit.code(), bad.join("; "))
}

impl Run {
    fn step(&self, address: &Address) -> Option<&Step> {
        self.plan.as_ref()?.step(address.as_str())
    }

    fn is_good(&self, address: &Address, outcome: &Outcome) -> bool {
        let step = self.step(address);
        step.is_some_and(|step| is_good(step, outcome))
    }
}

/// Compares a verdict with the outcomes, and the outcomes with the journal.
fn of_run(run: &Run, end: &End) -> Vec<String> {
    let mut out = Vec::new();
    let mut bad = Vec::new();
    let steps = run.plan.iter().flat_map(|plan| &plan.steps);
    for step in steps.filter(|s| !matches!(s.what, Do::Barrier | Do::Idle)) {
        let outcome = end.outcomes.get(&step.address);
        if !outcome.is_some_and(|outcome| is_good(step, outcome)) {
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
        } if run.is_good(address, outcome) => Some(address.clone()),
        _ => None,
    };
    let written: BTreeSet<Address> = run.journal.iter().filter_map(|l| good(&l.record)).collect();
    let said = end.outcomes.iter().filter(|(a, o)| run.is_good(a, o));
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::super::hand_made::acting;
    use super::super::hand_made::ended;
    use super::super::hand_made::failed;
    use super::super::hand_made::life;
    use super::super::hand_made::plan;
    use super::*;

    const NAME: &str = "velero_restore.a";

    /// A life of one step that ended so, and of which the engine says that it is complete.
    fn complete(outcome: &Outcome, best_effort: bool) -> Life {
        let mut step = acting(NAME, json!({}));
        step.best_effort = best_effort;
        let mut life = life(plan([step], &[]), [ended(NAME, outcome.clone())]);
        let is_done = *outcome == Outcome::Done;
        life.runs[0].end = Some(End {
            exit: if best_effort && !is_done {
                Exit::Partial
            } else {
                Exit::Ok
            },
            outcomes: BTreeMap::from([(Address::new(NAME), outcome.clone())]),
            without: Some(Vec::new()),
        });
        life
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_done_may_pass_and_what_is_only_passed_over_may_not() {
        assert_eq!(verdicts(&complete(&Outcome::Done, false)), [""; 0]);
        let skipped = Outcome::Skipped {
            because: String::new(),
        };
        for outcome in [Outcome::Passed, skipped, failed()] {
            let hows = verdicts(&complete(&outcome, false));
            assert_eq!(hows.len(), 2, "{outcome:?}: {hows:?}");
        }
        assert_eq!(verdicts(&complete(&failed(), true)), [""; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_engine_calls_done_stands_in_the_journal() {
        let mut life = complete(&Outcome::Done, false);
        life.runs[0].journal.clear();
        assert_eq!(verdicts(&life).len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_life_that_never_becomes_complete_is_seen_and_so_is_what_is_left() {
        let mut life = complete(&Outcome::Done, false);
        life.left.push("a.a: it is not there".to_owned());
        assert_eq!(verdicts(&life).len(), 1);
        life.left.clear();
        life.runs[0].end = None;
        assert_eq!(verdicts(&life).len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn every_life_ends_like_the_undisturbed_one() {
        let life = complete(&Outcome::Done, false);
        let line = |text: &str| State::from([("a".to_owned(), vec![text.to_owned()])]);
        assert!(states(&life, Some(&life.state)).is_empty());
        assert_eq!(states(&life, Some(&line("1"))).len(), 1);
    }
}
