//! The exact commands by which a person goes on.

use std::time::Duration;

use super::args::ApplyArgs;
use super::args::Cli;
use super::args::OnFailureArg;
use super::args::ProveArg;
use super::words::Words;
use crate::apply::Taken;
use crate::plan::Plan;

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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ffi::OsString;

    use drplan_api::Address;

    use super::*;
    use crate::cli::args::Command;
    use crate::plan::Given;
    use crate::tests::memory::Case;

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
