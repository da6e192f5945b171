//! The exact commands by which a person goes on.

use std::path::Path;

use super::args::ApplyArgs;
use super::args::Cli;
use crate::plan::Plan;

/// The exact command by which a person goes on, each word as a shell needs it.
pub(super) fn next_command(cli: &Cli, args: &ApplyArgs, plan: &Plan) -> String {
    let mut words = start(cli);
    if let Some(path) = &args.plan {
        // The same plan may be applied again; what it rests on is decided.
        words.push(path.display().to_string());
    } else {
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
    }
    if args.auto_approve {
        words.push("--auto-approve".to_owned());
    }
    finished(words, args)
}

/// The command that goes on with a run: the same plan, nobody asked twice.
pub(super) fn resume_command(cli: &Cli, args: &ApplyArgs, run: &str) -> String {
    let mut words = start(cli);
    words.extend(["--resume".to_owned(), run.to_owned()]);
    finished(words, args)
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
    for file in &args.planning.vars.var_files {
        words.extend(["--var-file".to_owned(), file.display().to_string()]);
    }
    drplan_api::shell::joined(&words)
}

/// The command that applies a saved plan, from where it was made.
pub(super) fn apply_command(cli: &Cli, plan: &Path) -> String {
    let mut words = start(cli);
    words.push(plan.display().to_string());
    drplan_api::shell::joined(&words)
}

fn start(cli: &Cli) -> Vec<String> {
    let mut words = vec!["drplan".to_owned()];
    if cli.chdir != Path::new(".") {
        words.extend(["--chdir".to_owned(), cli.chdir.display().to_string()]);
    }
    words.push("apply".to_owned());
    words
}
