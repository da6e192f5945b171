//! The exact commands by which a person goes on.

use std::path::Path;

use drplan_api::Address;

use super::args::ApplyArgs;
use super::args::Cli;
use super::args::OnFailureArg;
use super::args::ProveArg;
use super::args::VarArgs;
use crate::apply::Cut;
use crate::apply::Ending;
use crate::apply::Outcome;
use crate::plan::Plan;
use crate::report::Exit;
use crate::report::Standing;
use crate::report::State;

/// How long a command waits for the lock of a run that has died: longer than a lock lives.
const AFTER_A_DEATH: &str = "2m";

/// A command, word by word: a shell reads its text as it is meant.
#[derive(Clone, Debug)]
pub(super) struct Words(Vec<String>);

impl Words {
    /// Begins a command for the folder of the spec, and names that as the person did.
    pub(super) fn new(cli: &Cli, command: &[&str]) -> Self {
        let is_named = cli.is_chdir_given || cli.chdir != Path::new(".");
        Self::beside(Some(&*cli.chdir).filter(|_| is_named), command)
    }

    /// Begins a command for a folder, or for the one where it is typed.
    pub(super) fn beside(dir: Option<&Path>, command: &[&str]) -> Self {
        let mut words = Self(vec!["drplan".to_owned()]);
        if let Some(dir) = dir {
            words.add("--chdir", dir.display().to_string());
        }
        words.0.extend(command.iter().map(|&word| word.to_owned()));
        words
    }

    /// Adds an option with its value.
    pub(super) fn add(&mut self, flag: &str, value: impl Into<String>) {
        self.0.extend([flag.to_owned(), value.into()]);
    }

    /// Adds more words.
    pub(super) fn and(mut self, words: Vec<String>) -> Self {
        self.0.extend(words);
        self
    }

    /// Adds one option for each value.
    pub(super) fn all<'a>(&mut self, flag: &str, values: impl IntoIterator<Item = &'a String>) {
        for value in values {
            self.add(flag, value);
        }
    }

    /// Takes an option with this value away.
    fn without(&mut self, flag: &str, value: &str) {
        let found = self
            .0
            .windows(2)
            .position(|w| w[0] == flag && w[1] == value);
        if let Some(at) = found {
            self.0.drain(at..at + 2);
        }
    }

    /// Names the files of values again.
    pub(super) fn files(&mut self, vars: &VarArgs) {
        for file in &vars.var_files {
            self.add("--var-file", file.display().to_string());
        }
    }

    /// Gives the values of variables again: files, and what a plan shows anyway. A sensitive value must
    /// not be shown.
    pub(super) fn vars(mut self, vars: &VarArgs, plan: &Plan) -> Self {
        self.files(vars);
        for pair in &vars.vars {
            let name = pair.split('=').next().unwrap_or_default();
            if plan.head.variables.contains_key(name) {
                self.add("--var", pair);
            }
        }
        self
    }

    /// As a shell needs it.
    pub(super) fn text(&self) -> String {
        drplan_api::shell::joined(&self.0)
    }
}

/// Applies once more: the same file, or a new plan that is told the same.
pub(super) fn again(cli: &Cli, args: &ApplyArgs, plan: &Plan) -> Words {
    if let Some(words) = of_its_own(cli, plan) {
        return words.vars(&args.planning.vars, plan);
    }
    let mut words = Words::new(cli, &["apply"]);
    if let Some(path) = &args.plan {
        // The same plan may be applied again; what it rests on is decided.
        words.0.push(path.display().to_string());
        of_the_plan(&mut words, args);
        words.files(&args.planning.vars);
    } else {
        decisions(&mut words, plan);
        words = words.vars(&args.planning.vars, plan);
    }
    if args.auto_approve {
        words.0.push("--auto-approve".to_owned());
    }
    ordered(words, args)
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
    Some(words.vars(&args.planning.vars, plan))
}

/// Goes on with a run: the same plan, nobody asked twice.
pub(super) fn resume(cli: &Cli, args: &ApplyArgs, plan: &Plan, run: &str) -> Words {
    let mut words = Words::new(cli, &["apply", "--resume", run]);
    of_the_plan(&mut words, args);
    ordered(words.vars(&args.planning.vars, plan), args)
}

/// Goes on with a run that somebody looks at: by the command that it has kept, if it has. Empty if nobody can.
/// `is_locked` says whether its lock lies there still.
pub(super) fn of_run(standing: &Standing, cli: &Cli, is_locked: bool) -> String {
    let run = standing.run.as_str();
    let kept = standing.frontier.next.clone();
    match standing.state {
        State::Running => String::new(),
        State::Paused { .. } => Words::new(cli, &["resume", run]).text(),
        State::Ended { .. } => kept,
        State::Died => {
            let plain = || Words::new(cli, &["apply", "--resume", run]).text();
            let next = Some(kept).filter(|kept| !kept.is_empty());
            let next = next.unwrap_or_else(plain);
            // Only `apply` waits for a lock.
            let is_apply = next.split(' ').any(|word| word == "apply");
            match is_locked && is_apply {
                true => format!("{next} --lock-timeout {AFTER_A_DEATH}"),
                false => next,
            }
        }
    }
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

/// Whose signature the plan must bear, and which of its questions have an answer; a new plan has neither yet.
fn of_the_plan(words: &mut Words, args: &ApplyArgs) {
    if let Some(key) = &args.signed_by {
        words.add("--signed-by", key.display().to_string());
    }
    words.all("--approve", &args.approve);
}

/// What a person ordered for the run, but for its deadline, which is over or counts anew.
fn ordered(mut words: Words, args: &ApplyArgs) -> Words {
    let orders = &args.orders;
    match orders.on_failure {
        OnFailureArg::Prune => {}
        OnFailureArg::Stop => words.add("--on-failure", "stop"),
        OnFailureArg::Pause => words.add("--on-failure", "pause"),
    }
    words.all("--skip", &orders.skip);
    words.all("--by-hand", &orders.by_hand);
    words.all("--slots", &orders.slots);
    if orders.prove == ProveArg::Changed {
        words.add("--prove", "changed");
    }
    words
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
    /// Makes its plan file anew, if it came with one.
    pub(super) anew: Option<Words>,
}

impl After {
    /// The command that fits: what stopped or waits goes on with the same plan, what failed or moved is
    /// planned anew, and what somebody else has taken over is looked at. Empty if nothing is left.
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
        if let Some(anew) = self.anew.as_ref().filter(|_| has_moved) {
            // The same plan would only be refused again.
            return anew.text();
        }
        let mut words = match goes_on(ending, exit) && !has_moved {
            true => self.resume.clone(),
            false => self.again.clone(),
        };
        // Who said no is asked again, not overruled.
        let waiting = ending.frontier.waiting.keys();
        for gate in waiting.filter(|gate| !is_refused(ending, gate)) {
            words.add("--approve", gate.as_str());
        }
        let done = ending.outcomes.iter().filter(|(_, o)| **o == Outcome::Done);
        // What was done again is not asked for once more.
        done.for_each(|(address, _)| words.without("--redo", address.as_str()));
        words.text()
    }
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
fn goes_on(ending: &Ending, exit: Exit) -> bool {
    match exit {
        Exit::Stopped | Exit::Killed | Exit::Deadline | Exit::Waiting => true,
        Exit::Partial => matches!(ending.cut, Some(Cut::Failure(_))) || ending.broken.is_some(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ffi::OsString;

    use super::*;
    use crate::apply::Frontier;
    use crate::apply::Stop;

    fn words(text: &[&str]) -> Words {
        Words(text.iter().map(|&word| word.to_owned()).collect())
    }

    fn after(again: &[&str]) -> After {
        After {
            again: words(again),
            resume: words(&["drplan", "apply", "--resume", "r"]),
            status: words(&["drplan", "status", "r"]),
            report: words(&["drplan", "report", "r"]),
            anew: None,
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
        let next = after.next(&ending, Exit::Partial);
        assert_eq!(next, "drplan apply --redo a.bc");
    }

    #[test]
    fn the_command_fits_how_the_run_ended() {
        let after = after(&["drplan", "apply"]);
        let moved = Outcome::Moved {
            because: "it moved".to_owned(),
        };
        for (exit, outcome, next) in [
            (Exit::Ok, Outcome::Done, ""),
            (Exit::Locked, Outcome::Stopped, "drplan status r"),
            (Exit::Stopped, Outcome::Stopped, "drplan apply --resume r"),
            (Exit::Stopped, moved.clone(), "drplan apply"),
            (Exit::Stale, moved, "drplan apply"),
            (Exit::Partial, failed(), "drplan apply"),
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
    fn an_answer_of_no_is_not_overruled_by_the_next_command() {
        let gate = |name: &str| (Address::new(name), "go?".to_owned());
        let mut ending = ending(&[(
            "approval.no",
            Outcome::Waiting {
                ask: "go?".to_owned(),
                refused: Some("the terminal".to_owned()),
            },
        )]);
        ending.frontier.waiting = BTreeMap::from([gate("approval.no"), gate("approval.silent")]);
        let next = after(&["drplan", "apply"]).next(&ending, Exit::Waiting);
        assert_eq!(next, "drplan apply --resume r --approve approval.silent");
    }

    #[test]
    fn who_goes_on_after_a_death_waits_for_the_lock_that_lies_there() {
        let next = |state, kept: &str, is_locked| {
            let standing = Standing {
                run: "r".to_owned(),
                recovery: "shop".to_owned(),
                state,
                began_at: None,
                last_at: None,
                seconds: 0,
                frontier: Frontier {
                    next: kept.to_owned(),
                    ..Frontier::default()
                },
                running: BTreeMap::new(),
            };
            let argv = ["drplan", "--chdir", "/spec", "status"];
            let cli = Cli::read(argv.map(OsString::from).to_vec()).expect("arguments");
            of_run(&standing, &cli, is_locked)
        };
        let plain = "drplan --chdir /spec apply --resume r";
        assert_eq!(next(State::Died, "", false), plain);
        assert_eq!(
            next(State::Died, "drplan apply --resume r --skip a.b=c", true),
            "drplan apply --resume r --skip a.b=c --lock-timeout 2m"
        );
        assert_eq!(next(State::Died, "drplan release", true), "drplan release");
        assert_eq!(next(State::Running, "drplan kept", true), "");
    }
}
