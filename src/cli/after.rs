//! Which command a person goes on with after a run.

use std::collections::BTreeSet;

use drplan_api::Address;
use drplan_api::Json;

use super::words::Words;
use crate::apply::Ending;
use crate::apply::Outcome;
use crate::apply::Stop;
use crate::plan::Do;
use crate::plan::Plan;
use crate::plan::Step;
use crate::report::Exit;

/// The commands by which a person may go on after a run.
pub(super) struct After {
    /// Applies once more.
    pub(super) again: Words,
    /// Goes on with the run.
    pub(super) resume: Words,
    /// Shows what somebody else makes of it.
    pub(super) status: Words,
    /// Tells what the run did.
    pub(super) report: Words,
    /// Applies once more, and does what was left out: for a person to decide, never the way on.
    pub(super) left_out: Words,
    /// Plans anew, if `again` does not: it goes on with the run, or names a plan file.
    pub(super) anew: Option<Words>,
    /// Whether the run came with a plan file.
    pub(super) has_file: bool,
    /// Whether something was done again that the plan does again.
    pub(super) has_redone: bool,
    /// Steps that the plan has decided so that it can never do them.
    pub(super) fated: BTreeSet<Address>,
    /// What must be said beside a command that plans anew.
    pub(super) unsaid: String,
    /// Questions that were answered with no before the run went on.
    pub(super) refused: BTreeSet<Address>,
    /// Whether there was somebody to ask: who did not answer is asked again.
    pub(super) can_ask: bool,
}

/// A command by which a person goes on.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Way {
    /// Empty if there is none.
    pub(super) command: String,
    /// Whether it begins with a new plan, which must be told all once more.
    pub(super) plans_anew: bool,
}

impl Way {
    fn of(words: &Words, plans_anew: bool) -> Self {
        Self {
            command: words.text(),
            plans_anew,
        }
    }
}

impl After {
    /// Takes out of the commands what has been done again: it is not asked for once more.
    pub(super) fn without_redone<'a>(
        mut self,
        redone: impl IntoIterator<Item = &'a Address>,
    ) -> Self {
        for address in redone {
            let commands = [&mut self.again, &mut self.left_out].into_iter();
            for words in commands.chain(&mut self.anew) {
                words.without("--redo", address.as_str());
            }
            self.has_redone = true;
        }
        self
    }

    /// The command that fits: what stopped, waits or failed goes on with the same run, so that nothing is done and
    /// nobody asked twice; what moved, or could not be planned, is planned anew; and what somebody else has taken over
    /// is looked at. None if nothing is left but what a person left out.
    pub(super) fn next(&self, ending: &Ending, exit: Exit) -> Way {
        if exit == Exit::Ok {
            return Way::default();
        }
        if exit == Exit::Locked {
            return Way::of(&self.status, false);
        }
        let has_moved = ending
            .outcomes
            .values()
            .any(|outcome| matches!(outcome, Outcome::Moved { .. }));
        // The same plan would only be refused again, and never does what it could not do.
        let is_over = has_moved || self.is_fated(ending, exit);
        if let Some(anew) = self.anew.as_ref().filter(|_| is_over) {
            return Way::of(anew, true);
        }
        if is_left_out_alone(ending) {
            // What a person left out is done when that person says so.
            return Way::default();
        }
        if is_over || !goes_on(exit) {
            return Way::of(&self.again, self.anew.is_none());
        }
        Way::of(&self.answered(ending), false)
    }

    /// The command that does what a person left out, if nothing else is left.
    pub(super) fn left_out(&self, ending: &Ending) -> Option<Way> {
        if !is_left_out_alone(ending) {
            return None;
        }
        let is_stuck = |(address, outcome): (&Address, &Outcome)| {
            matches!(outcome, Outcome::Skipped { .. }) && self.fated.contains(address)
        };
        // The file says that it can never be done, or does again what has been.
        let is_spent = self.has_redone || ending.outcomes.iter().any(is_stuck);
        Some(
            match self.anew.as_ref().filter(|_| self.has_file && is_spent) {
                Some(anew) => Way::of(anew, true),
                None => Way::of(&self.left_out, !self.has_file),
            },
        )
    }

    /// Whether nothing failed but what the plan has decided so. A run that was cut short by something else goes on.
    fn is_fated(&self, ending: &Ending, exit: Exit) -> bool {
        let failed = || {
            let outcomes = ending.outcomes.iter();
            let failed = outcomes.filter(|(_, outcome)| {
                matches!(
                    outcome,
                    Outcome::Failed { .. } | Outcome::Refuted { warning: false, .. }
                )
            });
            failed.map(|(address, _)| address)
        };
        let is_cut = matches!(exit, Exit::Stopped | Exit::Killed | Exit::Deadline)
            || ending.broken.is_some();
        let waits = !ending.frontier.waiting.is_empty();
        !is_cut
            && !waits
            && failed().next().is_some()
            && failed().all(|address| self.fated.contains(address))
    }

    /// Goes on with the run. Who said no, or has not answered yet, is asked again, not overruled: what was given for
    /// other words is given no more. Only where nobody can be asked does the command line answer, and not because
    /// somebody stopped the run.
    fn answered(&self, ending: &Ending) -> Words {
        let mut words = self.resume.clone();
        let waiting = ending.frontier.waiting.keys();
        for gate in waiting.clone() {
            words.without("--approve", gate.as_str());
        }
        if self.can_ask || ending.stopped != Stop::No {
            return words;
        }
        let is_open = |gate: &&Address| !self.refused.contains(*gate) && !is_refused(ending, gate);
        for gate in waiting.filter(is_open) {
            words.add("--approve", gate.as_str());
        }
        words
    }
}

/// Steps whose outcome stands in the plan: what is in the way, cannot be told or done, and checks that are known not to
/// hold.
pub(super) fn fated(plan: &Plan) -> BTreeSet<Address> {
    let is_fated = |step: &&Step| match &step.what {
        Do::Conflict | Do::Blocked { .. } => true,
        Do::Check { asserts, .. } => asserts.iter().any(|(holds, _)| *holds == Json::Bool(false)),
        _ => false,
    };
    let steps = plan.steps.iter().filter(is_fated);
    steps.map(|step| step.address.clone()).collect()
}

/// Whether all that is not done is what a person left out, and what waits for that.
fn is_left_out_alone(ending: &Ending) -> bool {
    let mut outcomes = ending.outcomes.values();
    let is_skipped = |outcome: &Outcome| matches!(outcome, Outcome::Skipped { .. });
    let frontier = &ending.frontier;
    // Of a run that was stopped, what has not begun has no outcome yet.
    let is_whole = frontier.not_started.is_empty() && frontier.running.is_empty();
    is_whole
        && outcomes.clone().any(is_skipped)
        && outcomes.all(|outcome| outcome.is_good() || matches!(outcome, Outcome::Blocked { .. }))
}

/// Whether a person answered a gate with no.
fn is_refused(ending: &Ending, gate: &Address) -> bool {
    let outcome = ending.outcomes.get(gate);
    matches!(
        outcome,
        Some(Outcome::Waiting {
            refused: Some(_),
            ..
        })
    )
}

/// Whether a run goes on with the plan that it has.
fn goes_on(exit: Exit) -> bool {
    matches!(
        exit,
        Exit::Stopped
            | Exit::Killed
            | Exit::Deadline
            | Exit::Waiting
            | Exit::Partial
            | Exit::CheckFailed
            | Exit::Conflict
            | Exit::Incomplete
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::apply::Frontier;
    use crate::apply::JournalError;

    fn words(text: &[&str]) -> Words {
        let (program, rest) = text.split_first().expect("a program");
        assert_eq!(*program, "drplan");
        Words::beside(None, rest)
    }

    fn after(again: &[&str]) -> After {
        After {
            again: words(again),
            resume: words(&["drplan", "apply", "--resume", "r"]),
            status: words(&["drplan", "status", "r"]),
            report: words(&["drplan", "report", "r"]),
            left_out: words(&["drplan", "apply", "--now"]),
            anew: None,
            has_file: false,
            has_redone: false,
            fated: BTreeSet::new(),
            refused: BTreeSet::new(),
            unsaid: String::new(),
            can_ask: false,
        }
    }

    fn ending(outcomes: &[(&str, Outcome)]) -> Ending {
        let outcomes = outcomes.iter();
        Ending {
            outcomes: outcomes
                .map(|(address, outcome)| (Address::new(*address), outcome.clone()))
                .collect(),
            frontier: Frontier::default(),
            stopped: Stop::No,
            cut: None,
            events: 0,
            head: String::new(),
            broken: None,
            to_redo: BTreeSet::new(),
        }
    }

    fn failed() -> Outcome {
        Outcome::Failed {
            because: "no".to_owned(),
        }
    }

    #[test]
    fn what_was_done_again_is_not_asked_for_once_more_and_its_namesake_is() {
        let both = words(&["drplan", "apply", "--redo", "a.b", "--redo", "a.bc"]);
        let all = After {
            again: both.clone(),
            left_out: both.clone(),
            anew: Some(both),
            ..after(&["drplan", "apply"])
        };
        let after = all.without_redone(&[Address::new("a.b")]);
        for words in [
            Some(&after.again),
            Some(&after.left_out),
            after.anew.as_ref(),
        ] {
            let said = words.map(Words::text);
            assert_eq!(said.as_deref(), Some("drplan apply --redo a.bc"));
        }
    }

    #[test]
    fn the_command_fits_how_the_run_ended() {
        let after = after(&["drplan", "apply"]);
        let moved = Outcome::Moved {
            because: "it moved".to_owned(),
        };
        let skipped = Outcome::Skipped {
            because: "later".to_owned(),
        };
        for (exit, outcome, next) in [
            (Exit::Ok, Outcome::Done, ""),
            (Exit::Locked, Outcome::Stopped, "drplan status r"),
            (Exit::Stopped, Outcome::Stopped, "drplan apply --resume r"),
            (Exit::Stopped, moved.clone(), "drplan apply"),
            (Exit::Stale, moved, "drplan apply"),
            (Exit::Partial, failed(), "drplan apply --resume r"),
            (Exit::Partial, skipped, ""),
        ] {
            let said = after.next(&ending(&[("a.b", outcome)]), exit).command;
            assert_eq!(said, next, "{exit:?}");
        }
    }

    #[test]
    fn an_answer_to_an_instance_is_quoted_for_the_shell() {
        let mut ending = ending(&[]);
        let gate = Address::new("approval.go[\"a b\"]");
        ending.frontier.waiting = BTreeMap::from([(gate, "go?".to_owned())]);
        let next = after(&["drplan", "apply"])
            .next(&ending, Exit::Waiting)
            .command;
        assert_eq!(
            next,
            "drplan apply --resume r --approve 'approval.go[\"a b\"]'"
        );
    }

    #[test]
    fn a_run_that_was_stopped_behind_a_step_that_was_left_out_goes_on() {
        let skipped = Outcome::Skipped {
            because: "later".to_owned(),
        };
        let mut ending = ending(&[("a.b", skipped)]);
        ending.frontier.not_started = vec![Address::new("a.c")];
        let next = after(&["drplan", "apply"])
            .next(&ending, Exit::Stopped)
            .command;
        assert_eq!(next, "drplan apply --resume r");
    }

    #[test]
    fn what_the_plan_could_not_do_is_planned_anew_and_what_was_cut_short_beside_it_goes_on() {
        let fated = After {
            anew: Some(words(&["drplan", "plan", "--out", "p"])),
            fated: [Address::new("a.b")].into(),
            ..after(&["drplan", "apply", "p"])
        };
        let anew = Way {
            command: "drplan plan --out p".to_owned(),
            plans_anew: true,
        };
        let resume = Way {
            command: "drplan apply --resume r".to_owned(),
            plans_anew: false,
        };
        for exit in [Exit::Conflict, Exit::Incomplete, Exit::Partial] {
            let mut alone = ending(&[("a.b", failed())]);
            assert_eq!(fated.next(&alone, exit), anew, "{exit:?}");
            // What could not be written down goes on first, and so does what failed beside it.
            alone.broken = Some(JournalError::new("write", "a journal", "full"));
            assert_eq!(fated.next(&alone, exit), resume, "{exit:?}");
            let both = ending(&[("a.b", failed()), ("a.c", failed())]);
            assert_eq!(fated.next(&both, exit), resume, "{exit:?}");
        }
        for exit in [Exit::Stopped, Exit::Killed, Exit::Deadline] {
            let next = fated.next(&ending(&[("a.b", failed())]), exit);
            assert_eq!(next, resume, "{exit:?}");
        }
    }

    #[test]
    fn what_was_left_out_is_planned_anew_where_the_plan_file_can_never_do_it() {
        let skipped = Outcome::Skipped {
            because: "later".to_owned(),
        };
        let left_out = |has_file, has_redone, address| {
            let after = After {
                has_redone,
                anew: Some(words(&["drplan", "plan", "--out", "p"])),
                fated: [Address::new("a.b")].into(),
                has_file,
                ..after(&["drplan", "apply", "p"])
            };
            let way = after.left_out(&ending(&[(address, skipped.clone())]));
            way.map(|way| (way.command, way.plans_anew))
        };
        let said = |command: &str, plans_anew| Some((command.to_owned(), plans_anew));
        let (anew, same) = ("drplan plan --out p", "drplan apply --now");
        assert_eq!(left_out(true, false, "a.b"), said(anew, true));
        assert_eq!(left_out(true, false, "a.c"), said(same, false));
        // The file would do again what has been.
        assert_eq!(left_out(true, true, "a.c"), said(anew, true));
        assert_eq!(left_out(false, true, "a.b"), said(same, true));
    }

    #[test]
    fn a_new_run_answers_no_question() {
        let mut ending = ending(&[("a.b", failed())]);
        ending.frontier.waiting = [(Address::new("approval.go"), "go?".to_owned())].into();
        let after = after(&["drplan", "apply"]);
        assert_eq!(after.next(&ending, Exit::Stale).command, "drplan apply");
        assert_eq!(
            after.next(&ending, Exit::Partial).command,
            "drplan apply --resume r --approve approval.go"
        );
    }

    #[test]
    fn an_answer_of_no_is_not_overruled_by_the_next_command() {
        let gate = |name: &str| (Address::new(name), "go?".to_owned());
        let mut ending = ending(&[(
            "approval.no",
            Outcome::Waiting {
                ask: "go?".to_owned(),
                refused: Some("the terminal".to_owned()),
            },
        )]);
        let all = ["approval.no", "approval.no_before", "approval.silent"];
        ending.frontier.waiting = all.map(gate).into();
        let before = After {
            refused: [Address::new("approval.no_before")].into(),
            ..after(&["drplan", "apply"])
        };
        let next = before.next(&ending, Exit::Waiting).command;
        assert_eq!(next, "drplan apply --resume r --approve approval.silent");
    }

    #[test]
    fn an_answer_that_did_not_count_is_not_given_again() {
        let mut ending = ending(&[]);
        ending.frontier.waiting = BTreeMap::from([(Address::new("approval.go"), "go?".to_owned())]);
        let resume = ["drplan", "apply", "--resume", "r"];
        let given = ["--approve", "approval.go", "--approve", "approval.later"];
        let said = |can_ask, refused: &[&str]| {
            let after = After {
                resume: words(&[&resume[..], &given[..]].concat()),
                refused: refused.iter().map(|gate| Address::new(*gate)).collect(),
                can_ask,
                ..after(&["drplan", "apply"])
            };
            after.next(&ending, Exit::Waiting).command
        };
        let others = "drplan apply --resume r --approve approval.later";
        assert_eq!(said(true, &[]), others);
        assert_eq!(said(false, &["approval.go"]), others);
        assert_eq!(said(false, &[]), format!("{others} --approve approval.go"));
    }

    #[test]
    fn a_question_that_comes_again_by_itself_is_not_answered_by_the_command() {
        let mut ending = ending(&[]);
        ending.frontier.waiting = BTreeMap::from([(Address::new("approval.go"), "go?".to_owned())]);
        let said = |can_ask, ending: &Ending, exit| {
            let after = After {
                can_ask,
                ..after(&["drplan", "apply"])
            };
            after.next(ending, exit).command
        };
        let plain = "drplan apply --resume r";
        assert_eq!(said(true, &ending, Exit::Waiting), plain);
        ending.stopped = Stop::Drain;
        assert_eq!(said(true, &ending, Exit::Stopped), plain);
        assert_eq!(said(false, &ending, Exit::Stopped), plain);
        ending.stopped = Stop::No;
        assert_eq!(
            said(false, &ending, Exit::Waiting),
            "drplan apply --resume r --approve approval.go"
        );
    }
}
