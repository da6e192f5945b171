//! The exact commands by which a person goes on.

use std::path::Path;

use super::args::ApplyArgs;
use super::args::Cli;
use crate::plan::Plan;

/// The exact command by which a person goes on, each word as a shell needs it.
pub(super) fn next_command(cli: &Cli, args: &ApplyArgs, plan: &Plan) -> String {
    let mut words = start(cli, "apply");
    if let Some(path) = &args.plan {
        // The same plan may be applied again; what it rests on is decided.
        words.push(path.display().to_string());
        words.extend(of_the_plan(args));
    } else {
        words.extend(decisions(args, plan));
    }
    if args.auto_approve {
        words.push("--auto-approve".to_owned());
    }
    finished(words, args)
}

/// The command that makes a plan file anew whose world has moved on; `None` if there is no such file.
pub(super) fn anew_command(cli: &Cli, args: &ApplyArgs, plan: &Plan) -> Option<String> {
    let path = args.plan.as_ref()?;
    let mut words = start(cli, "plan");
    words.extend(decisions(args, plan));
    words.extend(["--out".to_owned(), path.display().to_string()]);
    words.extend(var_files(args));
    Some(drplan_api::shell::joined(&words))
}

/// What a plan was told, so that a new one is told the same.
fn decisions(args: &ApplyArgs, plan: &Plan) -> Vec<String> {
    let mut words = Vec::new();
    let mut add = |flag: &str, value: String| words.extend([flag.to_owned(), value]);
    for domain in &plan.head.lost {
        add("--lost", domain.clone());
    }
    if let Some(at) = &plan.head.incident_at {
        add("--incident-at", at.to_string());
    }
    if let Some(partial) = &plan.head.partial {
        for pattern in &partial.targets {
            add("--target", pattern.clone());
        }
        for pattern in &partial.excludes {
            add("--exclude", pattern.clone());
        }
        if let Some(stage) = partial.stop_before {
            add("--stop-before", stage.as_str().to_owned());
        }
    }
    for forbidden in &plan.head.policy.forbid {
        add("--forbid", forbidden.as_str().to_owned());
    }
    if let Some(max) = plan.head.policy.max_changes {
        add("--max-changes", max.to_string());
    }
    for (address, id) in &plan.head.points {
        add("--point", format!("{address}={id}"));
    }
    for address in &plan.head.redo {
        add("--redo", address.to_string());
    }
    for address in &plan.head.accept {
        add("--accept", format!("{address}=overwrite"));
    }
    for pair in &args.planning.vars.vars {
        let name = pair.split('=').next().unwrap_or_default();
        // A plain variable decides what is recovered; a sensitive one must not be shown.
        if plan.head.variables.contains_key(name) {
            add("--var", pair.clone());
        }
    }
    words
}

/// The command that goes on with a run: the same plan, nobody asked twice.
pub(super) fn resume_command(cli: &Cli, args: &ApplyArgs, run: &str) -> String {
    let mut words = start(cli, "apply");
    words.extend(["--resume".to_owned(), run.to_owned()]);
    words.extend(of_the_plan(args));
    finished(words, args)
}

/// The command that shows what has become of a run.
pub(super) fn status_command(cli: &Cli, run: &str) -> String {
    let mut words = start(cli, "status");
    words.push(run.to_owned());
    drplan_api::shell::joined(&words)
}

/// Whose signature the plan must bear, and which of its questions have an answer; a new plan has neither yet.
fn of_the_plan(args: &ApplyArgs) -> Vec<String> {
    let key = args.signed_by.iter();
    let key = key.map(|key| ["--signed-by".to_owned(), key.display().to_string()]);
    let yes = args.approve.iter();
    let yes = yes.map(|gate| ["--approve".to_owned(), gate.clone()]);
    key.chain(yes).flatten().collect()
}

/// Sensitive values are given again from the same files.
fn finished(mut words: Vec<String>, args: &ApplyArgs) -> String {
    let orders = &args.orders;
    let mut add = |flag: &str, value: String| words.extend([flag.to_owned(), value]);
    for skip in &orders.skip {
        add("--skip", skip.clone());
    }
    for done in &orders.by_hand {
        add("--by-hand", done.clone());
    }
    for bound in &orders.slots {
        add("--slots", bound.clone());
    }
    words.extend(var_files(args));
    drplan_api::shell::joined(&words)
}

fn var_files(args: &ApplyArgs) -> Vec<String> {
    let files = args.planning.vars.var_files.iter();
    files
        .flat_map(|file| ["--var-file".to_owned(), file.display().to_string()])
        .collect()
}

/// The command that applies a saved plan, from where it was made.
pub(super) fn apply_command(cli: &Cli, plan: &Path) -> String {
    let mut words = start(cli, "apply");
    words.push(plan.display().to_string());
    drplan_api::shell::joined(&words)
}

fn start(cli: &Cli, command: &str) -> Vec<String> {
    let mut words = vec!["drplan".to_owned()];
    if cli.chdir != Path::new(".") {
        words.extend(["--chdir".to_owned(), cli.chdir.display().to_string()]);
    }
    words.push(command.to_owned());
    words
}
