//! What happened, folded from outcomes: the verdict and its exit code; and from plan and journal: the
//! report of a run. Pure.

mod build;
mod clock;
mod course;
mod evidence;
mod fold;
mod outside;
#[cfg(test)]
mod tests;

pub mod data;

mod standing;

use std::collections::BTreeMap;

use drplan_api::Address;

use crate::apply::Cut;
use crate::apply::Outcome;
use crate::apply::Stop;
use crate::plan::Do;
use crate::plan::Plan;
use crate::plan::Step;

pub use build::REHEARSAL;
pub use build::report;
pub use data::Report;
pub use data::Verdict;
pub use evidence::Bundle;
pub use evidence::Kept;
pub use evidence::Verified;
pub use evidence::verify;
pub use fold::EffectTrack;
pub use fold::Illegal;
pub use fold::RetryTrack;
pub use fold::Run;
pub use fold::Track;
pub use fold::fold;
pub use standing::Standing;
pub use standing::State;

/// Exit codes, one table for all commands; `docs/exit-codes.md` says the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// All is well.
    Ok = 0,
    /// An error.
    Error = 1,
    /// `plan --detailed-exitcode`: there is something to do.
    Changes = 2,
    /// A check failed.
    CheckFailed = 3,
    /// A step is stale: the world moved since the plan.
    Stale = 4,
    /// Another apply holds the lock.
    Locked = 5,
    /// Some steps failed, others are done.
    Partial = 6,
    /// Stopped by a signal, orderly.
    Stopped = 7,
    /// A gate waits for a person.
    Waiting = 8,
    /// Refused before the start.
    Refused = 9,
    /// A deadline was missed.
    Deadline = 10,
    /// A conflict needs a person.
    Conflict = 11,
    /// The plan is incomplete: something is unreadable or cannot be done.
    Incomplete = 12,
    /// The command line is wrong.
    Usage = 64,
    /// A second signal.
    Killed = 130,
}

impl Exit {
    /// All codes with their meaning, for the reference page.
    pub const ALL: [(Self, &'static str); 15] = [
        (
            Self::Ok,
            "all is well; for `plan`, also when there is something to do",
        ),
        (
            Self::Error,
            "the spec, a file or the world has an error; nothing was changed unless the output says so",
        ),
        (
            Self::Changes,
            "`plan --detailed-exitcode`: there is something to do",
        ),
        (Self::CheckFailed, "a check does not hold"),
        (
            Self::Stale,
            "the world moved since the plan: the named steps and what waits for them were refused",
        ),
        (
            Self::Locked,
            "another apply of this recovery runs, or took this run over",
        ),
        (
            Self::Partial,
            "some steps failed or were skipped, or the journal could not be written any more; the frontier says what is done and what is not",
        ),
        (
            Self::Stopped,
            "stopped by a signal; what ran ended or is left at a safe point",
        ),
        (
            Self::Waiting,
            "a gate waits for a person: nobody answered, or the answer was no",
        ),
        (
            Self::Refused,
            "refused before the start: a safety rule, a limit of the plan, a hypothetical plan, a missing confirmation or a missing secret",
        ),
        (Self::Deadline, "a deadline of the run was missed"),
        (
            Self::Conflict,
            "something that did not come from this recovery is in the way; a person must decide",
        ),
        (
            Self::Incomplete,
            "the plan is incomplete because something is unreadable or cannot be done; it is still printed and saved",
        ),
        (Self::Usage, "the command line is wrong"),
        (
            Self::Killed,
            "a second signal, or SIGTERM and `DRPLAN_GRACE` was over: what ran was left at a safe point, or at once with a third",
        ),
    ];

    /// The number.
    pub fn code(self) -> u8 {
        self as u8
    }
}

/// The verdict of a run. What was refused before it began outweighs what happened later.
pub fn verdict(
    plan: &Plan,
    outcomes: &BTreeMap<Address, Outcome>,
    stopped: Stop,
    cut: Option<&Cut>,
) -> Exit {
    let any = |test: fn(&Outcome) -> bool| outcomes.values().any(test);
    let planned = |test: fn(&Do) -> bool| plan.steps.iter().any(|s| test(&s.what));
    if let Some(Cut::LockLost(_)) = cut {
        return Exit::Locked;
    }
    if any(|o| matches!(o, Outcome::Moved { .. })) {
        return Exit::Stale;
    }
    match (cut, stopped) {
        (Some(Cut::LockLost(_)), _) => return Exit::Locked,
        (Some(Cut::Deadline), _) => return Exit::Deadline,
        (Some(Cut::Failure(_)), _) | (None, Stop::No) => {}
        (None, Stop::Drain) => return Exit::Stopped,
        (None, Stop::Cancel) => return Exit::Killed,
    }
    if planned(|d| *d == Do::Conflict) {
        return Exit::Conflict;
    }
    if planned(|d| matches!(d, Do::Blocked { unreadable: true })) {
        return Exit::Incomplete;
    }
    if any(|o| matches!(o, Outcome::Failed { .. })) {
        return Exit::Partial;
    }
    if any(|o| matches!(o, Outcome::Refuted { warning: false, .. })) {
        return Exit::CheckFailed;
    }
    if any(|o| matches!(o, Outcome::Waiting { .. })) {
        return Exit::Waiting;
    }
    // What nobody asked to stop, and stopped, is no pass either.
    if any(|o| matches!(o, Outcome::Stopped)) {
        return Exit::Stopped;
    }
    // What somebody left out is no pass, however well the rest went.
    if any(|o| matches!(o, Outcome::Skipped { .. })) {
        return Exit::Partial;
    }
    Exit::Ok
}

/// The best-effort steps that did not end well, if everything else did: then the recovery is complete
/// without them. `None` if anything critical is missing.
pub fn done_without(plan: &Plan, outcomes: &BTreeMap<Address, Outcome>) -> Option<Vec<Address>> {
    let acts = |s: &&Step| !matches!(s.what, Do::Barrier | Do::Idle);
    let skipped = |o: &Outcome| matches!(o, Outcome::Skipped { .. });
    let well = |s: &Step| {
        let outcome = outcomes.get(&s.address);
        outcome.is_some_and(|o| o.is_good() && !skipped(o))
    };
    let missing: Vec<&Step> = plan
        .steps
        .iter()
        .filter(acts)
        .filter(|s| !well(s))
        .collect();
    missing
        .iter()
        .all(|s| s.best_effort)
        .then(|| missing.iter().map(|s| s.address.clone()).collect())
}

/// The exit code of a plan.
pub fn plan_verdict(plan: &Plan, detailed: bool) -> Exit {
    let any = |test: fn(&Do) -> bool| plan.steps.iter().any(|s| test(&s.what));
    if any(|d| *d == Do::Conflict) {
        Exit::Conflict
    } else if any(|d| matches!(d, Do::Blocked { .. })) {
        Exit::Incomplete
    } else if detailed && !plan.is_empty() {
        Exit::Changes
    } else {
        Exit::Ok
    }
}
