//! The exact commands by which a person goes on.

use std::collections::BTreeSet;
use std::time::Duration;

use drplan_api::Address;

use super::args::ApplyArgs;
use super::args::Cli;
use super::args::OnFailureArg;
use super::args::ProveArg;
use super::args::VarArgs;
use super::run::here;
use super::words::Words;
use crate::apply::Ending;
use crate::apply::Frontier;
use crate::apply::Outcome;
use crate::apply::Stop;
use crate::apply::Taken;
use crate::plan::Do;
use crate::plan::Plan;
use crate::plan::Step;
use crate::report::Exit;
use crate::report::Standing;
use crate::report::State;

/// How long a command waits for the lock of a run that has died: longer than a lock lives.
const AFTER_A_DEATH: &str = "2m";

/// Applies once more: the same file, or a new plan that is told the same.
pub(super) fn again(cli: &Cli, args: &ApplyArgs, taken: &Taken, plan: &Plan) -> Words {
    if let Some(words) = of_its_own(cli, plan) {
        return words.planned_with(&args.planning.vars, plan);
    }
    let mut words = Words::new(cli, &["apply"]);
    if let Some(path) = &args.plan {
        // The same plan may be applied again; what it rests on is decided. Its questions are not: an answer holds
        // for one run.
        words.word(path.display().to_string());
        signed_by(&mut words, args);
        words.files(&args.planning.vars);
    } else {
        decisions(&mut words, plan);
        words = words.planned_with(&args.planning.vars, plan);
    }
    if args.auto_approve {
        words.word("--auto-approve");
    }
    ordered(words, args, taken)
}

/// What a run that recovers nothing came from: it takes something back, or sets it going again.
fn of_its_own(cli: &Cli, plan: &Plan) -> Option<Words> {
    if let Some(run) = &plan.head.reverts {
        return Some(Words::new(cli, &["revert", "dns", run]));
    }
    plan.head.releases.then(|| {
        let mut words = Words::new(cli, &["release"]);
        words.all("--lost", &plan.head.lost);
        words
    })
}

/// Makes a plan file anew whose world has moved on; `None` if there is no such file.
pub(super) fn anew(cli: &Cli, args: &ApplyArgs, plan: &Plan) -> Option<Words> {
    let path = args.plan.as_ref()?;
    let mut words = Words::new(cli, &["plan"]);
    decisions(&mut words, plan);
    words.add("--out", path.display().to_string());
    Some(words.planned_with(&args.planning.vars, plan))
}

/// What the command that makes a plan anew cannot say; empty if it says all.
pub(super) fn unsaid(args: &ApplyArgs, plan: &Plan) -> String {
    let mut out = Vec::new();
    let others = &plan.head.given.others;
    if !others.is_empty() {
        let names = others.join("`, `");
        out.push(format!("plan with the same values for `{names}`"));
    }
    if args.signed_by.is_some() {
        let signing = "the new plan is not signed: `drplan plan --out FILE --sign KEY` makes one for `--signed-by`";
        out.push(signing.to_owned());
    }
    out.join("; ")
}

/// Goes on with a run: the same plan, nobody asked twice.
pub(super) fn resume(cli: &Cli, args: &ApplyArgs, taken: &Taken, plan: &Plan, run: &str) -> Words {
    let mut words = Words::new(cli, &["apply", "--resume", run]);
    signed_by(&mut words, args);
    words.all("--approve", &args.approve);
    // Its spec, which says where runs are kept, is read with the same values.
    ordered(words.applied_with(&args.planning.vars, plan), args, taken)
}

/// Where a run that somebody looks at stands, with the command by which that person goes on: the one that the run
/// has kept, if that fits. Empty if nobody can. `is_locked` says whether its lock lies there still.
pub(super) fn of_run(
    standing: Standing,
    cli: &Cli,
    (vars, plan): (&VarArgs, &Plan),
    is_locked: bool,
) -> Standing {
    let made = |command: &[&str]| Words::new(cli, command).vars(vars, plan).text();
    let run = standing.run.as_str();
    let kept = standing.frontier.next.as_str();
    let (next, is_kept) = match standing.state {
        State::Running => (String::new(), false),
        State::Paused { .. } => (made(&["resume", run]), false),
        State::Ended { .. } => (kept.to_owned(), true),
        State::Died if kept.is_empty() => (made(&["apply", "--resume", run]), false),
        State::Died => (kept.to_owned(), true),
    };
    // Only `apply` waits for a lock.
    let waits = is_locked && standing.state == State::Died && command_of(&next) == "apply";
    let from = match is_kept {
        true => standing.frontier.from.clone(),
        false => here(),
    };
    let frontier = Frontier {
        next: match waits {
            true => format!("{next} --lock-timeout {AFTER_A_DEATH}"),
            false => next,
        },
        from,
        ..standing.frontier
    };
    Standing {
        frontier,
        ..standing
    }
}

/// The command in a printed line: the first word behind the program, and behind the folder if that is named.
fn command_of(line: &str) -> &str {
    let words = line.strip_prefix("drplan ").unwrap_or(line);
    let words = match words.strip_prefix("--chdir ") {
        Some(words) => behind_a_word(words),
        None => words,
    };
    words.split(' ').next().unwrap_or_default()
}

/// What stands behind the first word, which may be quoted.
fn behind_a_word(text: &str) -> &str {
    let (mut chars, mut is_quoted) = (text.char_indices(), false);
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' => is_quoted = !is_quoted,
            '\\' if !is_quoted => drop(chars.next()),
            ' ' if !is_quoted => return &text[at + 1..],
            _ => {}
        }
    }
    ""
}

/// What a plan was told, so that a new one is told the same.
pub(super) fn decisions(words: &mut Words, plan: &Plan) {
    let head = &plan.head;
    words.all("--lost", &head.lost);
    if let Some(at) = &head.incident_at {
        words.add("--incident-at", at.to_string());
    }
    if let Some(partial) = &head.partial {
        words.all("--target", &partial.targets);
        words.all("--exclude", &partial.excludes);
        if let Some(stage) = partial.stop_before {
            words.add("--stop-before", stage.as_str());
        }
    }
    for forbidden in &head.policy.forbid {
        words.add("--forbid", forbidden.as_str());
    }
    if let Some(max) = head.policy.max_changes {
        words.add("--max-changes", max.to_string());
    }
    for (address, id) in &head.points {
        words.add("--point", format!("{address}={id}"));
    }
    for address in &head.redo {
        words.add("--redo", address.to_string());
    }
    for address in &head.accept {
        words.add("--accept", format!("{address}=overwrite"));
    }
}

/// Whose signature the plan must bear; a new plan has none yet.
fn signed_by(words: &mut Words, args: &ApplyArgs) {
    if let Some(key) = &args.signed_by {
        words.add("--signed-by", key.display().to_string());
    }
}

/// What a person ordered for the run. Its deadline counts anew.
fn ordered(mut words: Words, args: &ApplyArgs, taken: &Taken) -> Words {
    let orders = &args.orders;
    match orders.on_failure {
        OnFailureArg::Prune => {}
        OnFailureArg::Stop => words.add("--on-failure", "stop"),
        OnFailureArg::Pause => words.add("--on-failure", "pause"),
    }
    for (flag, steps) in [("--skip", &taken.skip), ("--by-hand", &taken.by_hand)] {
        for (address, why) in steps {
            words.add(flag, format!("{address}={why}"));
        }
    }
    words.all("--slots", &orders.slots);
    if orders.prove == ProveArg::Changed {
        words.add("--prove", "changed");
    }
    if let Some(deadline) = orders.deadline {
        words.add("--deadline", exactly(deadline));
    }
    if args.parallelism != ApplyArgs::PARALLELISM {
        words.add("--parallelism", args.parallelism.to_string());
    }
    words
}

/// A length of time as an option takes it, not rounded.
fn exactly(time: Duration) -> String {
    match time.subsec_nanos() {
        0 => format!("{}s", time.as_secs()),
        _ => format!("{}ms", time.as_millis()),
    }
}

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
    /// Makes its plan file anew, if it came with one.
    pub(super) anew: Option<Words>,
    /// Steps that the plan has decided so that it can never do them.
    pub(super) fated: BTreeSet<Address>,
    /// What must be said beside a command that plans anew.
    pub(super) unsaid: String,
    /// Questions that were answered with no before the run went on.
    pub(super) refused: BTreeSet<Address>,
    /// Whether there was somebody to ask: who did not answer is asked again.
    pub(super) can_ask: bool,
}

impl After {
    /// Whether nothing failed but what the plan has decided so.
    fn is_fated(&self, ending: &Ending) -> bool {
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
        let waits = !ending.frontier.waiting.is_empty();
        !waits && failed().next().is_some() && failed().all(|address| self.fated.contains(address))
    }

    /// Whether a command of these begins with a new plan, which must be told all once more.
    pub(super) fn plans_anew(&self, next: &str) -> bool {
        let goes_on = [&self.resume, &self.status].map(Words::text);
        !next.is_empty() && !goes_on.iter().any(|words| next.starts_with(words.as_str()))
    }

    /// The command that fits: what stopped, waits or failed goes on with the same run, so that nothing is done and
    /// nobody asked twice; what moved, or could not be planned, is planned anew; and what somebody else has taken over
    /// is looked at. Empty if nothing is left but what a person left out.
    pub(super) fn next(&self, ending: &Ending, exit: Exit) -> String {
        if exit == Exit::Ok {
            return String::new();
        }
        if exit == Exit::Locked {
            return self.status.text();
        }
        let has_moved = ending
            .outcomes
            .values()
            .any(|outcome| matches!(outcome, Outcome::Moved { .. }));
        // The same plan would only be refused again, and never does what it could not do.
        let is_over = has_moved || self.is_fated(ending);
        if let Some(anew) = self.anew.as_ref().filter(|_| is_over) {
            return anew.text();
        }
        if is_left_out_alone(ending) {
            // What a person left out is done when that person says so.
            return String::new();
        }
        let is_resumed = goes_on(exit) && !is_over;
        let mut words = match is_resumed {
            true => self.resume.clone(),
            false => self.again.clone(),
        };
        // Who said no, or has not answered yet, is asked again, not overruled. Only where nobody can be asked
        // does the command line answer, and not because somebody stopped the run. A new run asks anew.
        if is_resumed && !self.can_ask && ending.stopped == Stop::No {
            let waiting = ending.frontier.waiting.keys();
            let is_open =
                |gate: &&Address| !self.refused.contains(*gate) && !is_refused(ending, gate);
            for gate in waiting.filter(is_open) {
                words.add("--approve", gate.as_str());
            }
        }
        let done = ending.outcomes.iter().filter(|(_, o)| **o == Outcome::Done);
        // What was done again is not asked for once more.
        done.for_each(|(address, _)| words.without("--redo", address.as_str()));
        words.text()
    }
}

/// Steps whose outcome stands in the plan: what is in the way, cannot be told or done, and checks of what was known.
pub(super) fn fated(plan: &Plan) -> BTreeSet<Address> {
    let is_fated = |step: &&Step| match &step.what {
        Do::Conflict | Do::Blocked { .. } => true,
        Do::Check { asserts, .. } => asserts.iter().all(|(holds, _)| holds.is_boolean()),
        _ => false,
    };
    let steps = plan.steps.iter().filter(is_fated);
    steps.map(|step| step.address.clone()).collect()
}

/// Whether all that is not done is what a person left out, and what waits for that.
pub(super) fn is_left_out_alone(ending: &Ending) -> bool {
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
    use std::ffi::OsString;

    use super::*;
    use crate::cli::args::Command;
    use crate::plan::Given;
    use crate::tests::memory::Case;

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
        }
    }

    fn failed() -> Outcome {
        Outcome::Failed {
            because: "no".to_owned(),
        }
    }

    #[test]
    fn what_was_done_again_is_not_asked_for_once_more_and_its_namesake_is() {
        let after = after(&["drplan", "apply", "--redo", "a.b", "--redo", "a.bc"]);
        let ending = ending(&[("a.b", Outcome::Done), ("a.bc", failed())]);
        let next = after.next(&ending, Exit::Stale);
        assert_eq!(next, "drplan apply --redo a.bc");
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
            let said = after.next(&ending(&[("a.b", outcome)]), exit);
            assert_eq!(said, next, "{exit:?}");
        }
    }

    #[test]
    fn a_folder_is_named_as_the_person_named_it() {
        for (argv, said) in [
            (vec!["drplan", "status"], "drplan status r"),
            (
                vec!["drplan", "status", "--chdir", "."],
                "drplan --chdir . status r",
            ),
            (
                vec!["drplan", "--chdir", "a b", "status"],
                "drplan --chdir 'a b' status r",
            ),
        ] {
            let argv = argv.into_iter().map(OsString::from).collect();
            let cli = Cli::read(argv).expect("arguments");
            assert_eq!(Words::new(&cli, &["status", "r"]).text(), said);
        }
    }

    #[test]
    fn an_answer_to_an_instance_is_quoted_for_the_shell() {
        let mut ending = ending(&[]);
        let gate = Address::new("approval.go[\"a b\"]");
        ending.frontier.waiting = BTreeMap::from([(gate, "go?".to_owned())]);
        let next = after(&["drplan", "apply"]).next(&ending, Exit::Waiting);
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
        let next = after(&["drplan", "apply"]).next(&ending, Exit::Stopped);
        assert_eq!(next, "drplan apply --resume r");
    }

    #[test]
    fn what_the_plan_could_not_do_is_planned_anew() {
        let anew = After {
            anew: Some(words(&["drplan", "plan", "--out", "p"])),
            fated: [Address::new("a.b")].into(),
            ..after(&["drplan", "apply", "p"])
        };
        for exit in [Exit::Conflict, Exit::Incomplete, Exit::Partial] {
            let next = anew.next(&ending(&[("a.b", failed())]), exit);
            assert_eq!(next, "drplan plan --out p", "{exit:?}");
            // What failed beside it goes on first.
            let next = anew.next(&ending(&[("a.b", failed()), ("a.c", failed())]), exit);
            assert_eq!(next, "drplan apply --resume r", "{exit:?}");
        }
    }

    #[test]
    fn a_new_run_answers_no_question() {
        let mut ending = ending(&[("a.b", failed())]);
        ending.frontier.waiting = [(Address::new("approval.go"), "go?".to_owned())].into();
        let after = after(&["drplan", "apply"]);
        assert_eq!(after.next(&ending, Exit::Stale), "drplan apply");
        assert_eq!(
            after.next(&ending, Exit::Partial),
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
        let next = before.next(&ending, Exit::Waiting);
        assert_eq!(next, "drplan apply --resume r --approve approval.silent");
    }

    /// Where the run `r` stands, with the command that it has kept.
    fn standing(state: State, kept: &str) -> Standing {
        Standing {
            run: "r".to_owned(),
            recovery: "shop".to_owned(),
            state,
            began_at: None,
            last_at: None,
            seconds: 0,
            frontier: Frontier {
                next: kept.to_owned(),
                from: "/theirs".to_owned(),
                ..Frontier::default()
            },
            running: BTreeMap::new(),
        }
    }

    #[tokio::test]
    async fn who_goes_on_after_a_death_waits_for_the_lock_that_lies_there() {
        let plan = Case::new("").plan().await;
        let argv = ["drplan", "--chdir", "/spec", "status"];
        let cli = Cli::read(argv.map(OsString::from).to_vec()).expect("arguments");
        let next = |state, kept: &str, is_locked| {
            let told = (&VarArgs::default(), &plan);
            let standing = of_run(standing(state, kept), &cli, told, is_locked);
            (standing.frontier.next, standing.frontier.from)
        };
        let theirs = |next: &str| (next.to_owned(), "/theirs".to_owned());
        let ours = |next: &str| (next.to_owned(), here());
        let plain = "drplan --chdir /spec apply --resume r";
        assert_eq!(next(State::Died, "", false), ours(plain));
        assert_eq!(
            next(State::Died, "drplan apply --resume r --skip a.b=c", true),
            theirs("drplan apply --resume r --skip a.b=c --lock-timeout 2m")
        );
        for line in ["drplan release", "drplan --chdir 'an apply' release"] {
            assert_eq!(next(State::Died, line, true), theirs(line));
        }
        assert_eq!(next(State::Running, "drplan kept", true), ours(""));
        let paused = State::Paused {
            because: "somebody wished it".to_owned(),
        };
        assert_eq!(
            next(paused, "drplan kept", true),
            ours("drplan --chdir /spec resume r")
        );
        let ended = State::Ended { exit_code: 4 };
        assert_eq!(
            next(ended, "drplan plan --out p", true),
            theirs("drplan plan --out p")
        );
    }

    #[test]
    fn the_command_of_a_line_is_not_taken_from_a_folder_or_a_reason() {
        for (line, command) in [
            ("drplan apply --resume r", "apply"),
            ("drplan --chdir 'an apply' release", "release"),
            (r"drplan --chdir 'it'\''s an' apply", "apply"),
            ("drplan --chdir x revert dns r", "revert"),
            ("", ""),
        ] {
            assert_eq!(command_of(line), command, "{line}");
        }
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
            after.next(ending, exit)
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

    #[tokio::test]
    async fn a_new_plan_for_a_resumed_run_is_given_what_the_first_was_and_what_is_unsaid_is_named()
    {
        let mut plan = Case::new("").plan().await;
        plan.head.variables = BTreeMap::from([("region".to_owned(), String::new())]);
        plan.head.given = Given {
            files: vec!["site.hcl".to_owned()],
            values: vec!["region=eu-2".to_owned()],
            others: vec!["key".to_owned()],
        };
        let line = "drplan apply --resume r --signed-by k --skip a.b=now";
        let argv = line.split(' ').map(OsString::from).collect();
        let cli = Cli::read(argv).expect("arguments");
        let Command::Apply(args) = &cli.command else {
            panic!("another command");
        };
        // Before it was resumed, somebody said the same of another step.
        let taken = Taken {
            skip: ["a.b", "a.c"]
                .map(|a| (Address::new(a), "now".to_owned()))
                .into(),
            ..Taken::default()
        };
        assert_eq!(
            again(&cli, args, &taken, &plan).text(),
            "drplan apply --var-file site.hcl --var region=eu-2 --skip a.b=now --skip a.c=now"
        );
        let unsaid = unsaid(args, &plan);
        assert!(unsaid.contains("the same values for `key`"), "{unsaid}");
        assert!(unsaid.contains("--sign KEY"), "{unsaid}");
    }

    #[tokio::test]
    async fn how_many_steps_may_run_at_once_is_said_again_where_a_person_said_it() {
        let plan = Case::new("").plan().await;
        for (line, tail) in [
            ("drplan apply", ""),
            ("drplan apply --parallelism 2", " --parallelism 2"),
        ] {
            let argv = line.split(' ').map(OsString::from).collect();
            let cli = Cli::read(argv).expect("arguments");
            let Command::Apply(args) = &cli.command else {
                panic!("another command");
            };
            let said = resume(&cli, args, &Taken::default(), &plan, "r").text();
            assert_eq!(said, format!("drplan apply --resume r{tail}"));
        }
    }
}
