//! All forms of a plan say the same, for every plan of `tests/cases`.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::cases::cases;
use crate::cases::lines;
use crate::cases::prepared;
use crate::drplan::command;
use crate::drplan::words;

/// How many plans there are at least; fewer would mean that they are not found.
const PLANS_MIN: usize = 20;

/// What one form says: the line that counts, and the sign of each step.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    counts: String,
    signs: BTreeMap<String, String>,
}

#[test]
fn text_json_and_markdown_of_a_plan_agree_on_counts_and_actions() {
    let mut plans = 0;
    for case in cases() {
        for line in lines(&case).iter().filter(|line| is_plan(line)) {
            plans += usize::from(agree(&case, line));
        }
    }
    let is_part = std::env::var_os("CASE").is_some();
    assert!(is_part || plans >= PLANS_MIN, "only {plans} plans");
}

fn is_plan(line: &str) -> bool {
    let is_form = ["--format", "--json", "--help"]
        .iter()
        .any(|f| line.contains(f));
    line.split(' ').next() == Some("plan") && !is_form
}

/// Holds the forms of one plan against each other; tells whether there is one.
fn agree(case: &Path, line: &str) -> bool {
    let line = line.replace(" --full", "");
    let json = printed(case, &format!("{line} --json"));
    if json.is_empty() {
        return false;
    }
    let json = of_json(&serde_json::from_str(&json).expect("JSON"));
    let at = format!("{}: {line}", case.display());
    assert_eq!(
        of_text(&printed(case, &format!("{line} --full"))),
        json,
        "{at}"
    );
    let mut shown = json;
    shown
        .signs
        .retain(|_, sign| !matches!(sign.as_str(), "" | "<"));
    let markdown = printed(case, &format!("{line} --format markdown"));
    assert_eq!(of_markdown(&markdown), shown, "{at}");
    true
}

/// Each form is of a fresh copy, for a terminal that cuts nothing off.
fn printed(case: &Path, line: &str) -> String {
    let (dir, mut env) = prepared(case);
    env.remove("CLICOLOR_FORCE");
    env.insert("COLUMNS".to_owned(), "100".to_owned());
    let out = command(dir.path(), &env, &words(line))
        .output()
        .expect("the binary runs");
    String::from_utf8(out.stdout).expect("text")
}

fn of_text(text: &str) -> Said {
    let from = text.find("\nPlan: ").expect("a line that counts") + 1;
    let until = from + text[from..].find(".\n").expect("its end") + 1;
    let steps = text.lines().filter_map(|line| {
        let (step, _) = line.split_once("  stage ")?;
        let address = step.get(2..)?;
        Some((address.to_owned(), step[..1].trim().to_owned()))
    });
    Said {
        counts: text[from..until]
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" "),
        signs: steps.collect(),
    }
}

fn of_markdown(text: &str) -> Said {
    let counts = text.lines().find_map(|l| l.strip_prefix("**Plan: "));
    let counts = counts.and_then(|l| l.strip_suffix("**"));
    let steps = text.lines().filter_map(|line| {
        let (step, _) = line
            .strip_prefix("<summary><code>")?
            .split_once("</code>: ")?;
        let (sign, address) = step.split_once(' ')?;
        let sign = sign.replace("&gt;", ">").replace("&lt;", "<");
        Some((address.to_owned(), sign))
    });
    Said {
        counts: format!("Plan: {}", counts.expect("a line that counts")),
        signs: steps.collect(),
    }
}

fn of_json(plan: &Value) -> Said {
    let changes = plan["resource_changes"].as_array().expect("changes");
    let done = changes.iter().filter(|c| c["drplan"]["do"] != "idle");
    let signs = done.map(|c| (text(&c["address"]), sign(&c["drplan"])));
    let checks = plan["checks"].as_array().expect("checks").iter();
    let checks = checks.map(|c| (text(&c["address"]["to_display"]), "=".to_owned()));
    Said {
        counts: counted(&plan["drplan"]["summary"]),
        signs: signs.chain(checks).collect(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

fn sign(drplan: &Value) -> String {
    match (drplan["do"].as_str(), drplan["action"].as_str()) {
        (Some("act"), Some("create" | "restore")) => "+",
        (Some("act"), Some("update")) => "~",
        (Some("act"), Some("run")) => ">",
        (Some("act"), Some("delete")) => "-",
        (Some("late" | "gate"), _) => "?",
        (Some("conflict" | "blocked"), _) => "!",
        (Some("read"), _) => "<",
        (Some("nothing"), _) => "",
        other => panic!("no sign for {other:?}"),
    }
    .to_owned()
}

/// The line that counts, from nothing but the document.
fn counted(summary: &Value) -> String {
    let number = |field: &str| summary[field].as_u64().expect("a number");
    let some = |n: u64, one: &str, many: &str| match n {
        0 => None,
        1 => Some(format!("1 {one}")),
        n => Some(format!("{n} {many}")),
    };
    let actions = summary["actions"].as_object().expect("actions").iter();
    let actions: Vec<String> = actions.map(|(word, n)| format!("{n} to {word}")).collect();
    let steps = some(number("acting"), "step", "steps").unwrap_or("0 steps".to_owned());
    let steps = match actions.as_slice() {
        [] => steps,
        actions => format!("{steps} ({})", actions.join(", ")),
    };
    let parts = [
        Some(steps),
        some(number("checks"), "check", "checks"),
        some(number("gates"), "question", "questions"),
        Some(format!("{} already true", number("true_already"))),
        some(number("conflicts"), "conflict", "conflicts"),
        some(number("blocked"), "blocked", "blocked"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    format!("Plan: {}.", parts.join(", "))
}
