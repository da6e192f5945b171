//! The summary of a plan: what stands around its steps, and how many of those fit between.

use drplan_api::HazardLevel;

use super::steps::steps;
use crate::plan::Declared;
use crate::plan::Do;
use crate::plan::Plan;
use crate::plan::Step;
use crate::plan::Summary;
use crate::render::style::Style;
use crate::render::style::Tone;
use crate::render::style::count;
use crate::render::style::cut;
use crate::render::style::span;
use crate::render::style::time;
use crate::render::style::wrapped;

/// How many lines the summary may have.
const SUMMARY_LINES_MAX: usize = 40;

/// How many lines are kept for what stands around the steps, at least.
const STEP_LINES_MIN: usize = 8;

/// The summary: what is lost, from when it is restored, what is lost for good, what cannot be undone,
/// how many steps, what needs a person. At most 40 lines.
pub fn summary(plan: &Plan, style: Style) -> String {
    let style = Style {
        width: style.width.clamp(60, 100),
        ..style
    };
    let mut head = notices(plan, style);
    head.extend(title(plan, style));
    head.extend(losses(plan, style));
    let tail = foot(plan, style);
    let room = SUMMARY_LINES_MAX
        .saturating_sub(head.len() + tail.len() + 1)
        .max(STEP_LINES_MIN);
    let mut lines = head;
    lines.extend(steps(plan, style, room));
    lines.push(String::new());
    lines.extend(tail);
    lines.join("\n") + "\n"
}

/// What must be said before anything else.
pub(super) fn notices(plan: &Plan, style: Style) -> Vec<String> {
    const LINES_MAX: usize = 3;
    let texts = plan.notices().into_iter();
    texts
        .flat_map(|text| wrapped(&text, style.width, LINES_MAX))
        .map(|line| style.paint(Tone::Bad, &line))
        .collect()
}

fn title(plan: &Plan, style: Style) -> Vec<String> {
    let head = format!("Recovery plan `{}`", plan.head.recovery);
    let read = format!("read {}", time(plan.head.observed_at));
    let gap = style
        .width
        .saturating_sub(head.chars().count() + read.chars().count())
        .max(2);
    vec![format!(
        "{}{}{}",
        style.paint(Tone::Head, &head),
        " ".repeat(gap),
        style.paint(Tone::Dim, &read)
    )]
}

/// Who declared something lost, and when.
fn by(declared: &Declared) -> String {
    match declared.by.as_str() {
        "" => String::new(),
        user => format!(" by {user} at {}", time(declared.at)),
    }
}

fn losses(plan: &Plan, style: Style) -> Vec<String> {
    let mut out = Vec::new();
    let label = |name: &str| format!("{name:<14}");
    if let Some(hypothesis) = &plan.head.hypothesis {
        let lost = format!("{}, assumed", hypothesis.assumed.join(", "));
        out.push(format!("  {}{lost}", label("Lost")));
    }
    if plan.head.lost.is_empty() && plan.head.hypothesis.is_none() {
        out.push(format!("  {}nothing is declared lost", label("Lost")));
    }
    if !plan.head.lost.is_empty() {
        let lost = format!(
            "{}, declared lost{}",
            plan.head.lost.join(", "),
            plan.head.declared.as_ref().map_or(String::new(), by)
        );
        out.push(format!(
            "  {}{}",
            label("Lost"),
            style.paint(Tone::Bad, &lost)
        ));
    }
    if let Some(at) = plan.head.incident_at {
        out.push(format!("  {}{}", label("Incident at"), time(at)));
    }
    let used: Vec<_> = plan.points.iter().filter(|p| p.used).collect();
    for (i, point) in used.iter().enumerate() {
        let name = if i == 0 { "Restored from" } else { "" };
        let age = span(point.loss_s);
        let left = format!("{} of {}, {age} ago", point.id, time(point.at));
        let line = cut(
            &format!("{left}: {}", point.of),
            style.width.saturating_sub(16),
        );
        out.push(format!("  {}{line}", label(name)));
    }
    let worst = used.iter().map(|p| p.loss_s).max();
    let objective = plan.head.rpo_s.map(|s| format!("objective {}", span(s)));
    match (worst, objective) {
        (None, _) if Summary::of(plan).incomplete => out.push(format!(
            "  {}not known: something could not be read",
            label("Data lost")
        )),
        (None, _) => out.push(format!(
            "  {}none: no step restores data",
            label("Data lost")
        )),
        (Some(worst), objective) => {
            let broken = used.iter().any(|p| p.violates_rpo);
            let text = format!("what was written in the last {}", span(worst));
            let verdict = match (objective, broken) {
                (None, _) => "no objective is given".to_owned(),
                (Some(o), false) => format!("within the {o}"),
                (Some(o), true) => format!("MORE than the {o}"),
            };
            let tone = if broken { Tone::Bad } else { Tone::Good };
            out.push(format!(
                "  {}{text} ({})",
                label("Data lost"),
                style.paint(tone, &verdict)
            ));
        }
    }
    out.extend(super::time::lines(plan, style));
    for point in used.iter().filter(|p| p.incomplete.is_some()) {
        let why = point.incomplete.as_deref().unwrap_or_default();
        let line = cut(
            &format!("{}: {why}", point.id),
            style.width.saturating_sub(16),
        );
        out.push(format!(
            "  {}{}",
            label("Incomplete"),
            style.paint(Tone::Bad, &line)
        ));
    }
    out
}

fn foot(plan: &Plan, style: Style) -> Vec<String> {
    let s = Summary::of(plan);
    let mut parts: Vec<String> = s
        .actions
        .iter()
        .map(|(word, n)| format!("{n} to {word}"))
        .collect();
    let steps = count(s.acting, "step", "steps");
    let acting = if parts.is_empty() {
        steps
    } else {
        format!("{steps} ({})", parts.join(", "))
    };
    parts = vec![acting];
    if s.checks > 0 {
        parts.push(count(s.checks, "check", "checks"));
    }
    if s.gates > 0 {
        parts.push(count(s.gates, "question", "questions"));
    }
    parts.push(format!("{} already true", s.true_already));
    if s.conflicts > 0 {
        parts.push(count(s.conflicts, "conflict", "conflicts"));
    }
    if s.blocked > 0 {
        parts.push(format!("{} blocked", s.blocked));
    }
    let line = format!("Plan: {}.", parts.join(", "));
    let mut out: Vec<String> = wrapped(&line, style.width, 2)
        .iter()
        .map(|line| style.paint(Tone::Head, line))
        .collect();
    let mut say =
        |name: &str, tone: Tone, texts: Vec<String>| say_lines(&mut out, style, name, tone, texts);
    let lines = |test: &dyn Fn(&&Step) -> bool, text: &dyn Fn(&Step) -> String| -> Vec<String> {
        plan.steps.iter().filter(test).map(text).collect()
    };
    let irreversible = lines(
        &|s| s.is_action() && s.hazard.level == HazardLevel::Irreversible,
        &|s| format!("{}: {}", s.address, s.hazard.text),
    );
    let none_irreversible = irreversible.is_empty();
    say("Cannot be undone", Tone::Bad, irreversible);
    if none_irreversible && s.acting > 0 {
        say(
            "Cannot be undone",
            Tone::Good,
            vec![match programs(plan) {
                0 => "nothing; every step adds or can be changed back".to_owned(),
                n => format!(
                    "nothing that drplan does itself; what {} of the spec {} is not known",
                    count(n, "program", "programs"),
                    if n == 1 { "does" } else { "do" }
                ),
            }],
        );
    }
    say(
        "Takes effect at",
        Tone::Change,
        lines(
            &|s| s.is_action() && s.cutover,
            &|s| match s.hazard.text.as_str() {
                "" => format!("{}: how is known when its turn comes", s.address),
                text => format!("{}: {text}", s.address),
            },
        ),
    );
    let gates = lines(&|s| matches!(s.what, Do::Gate { .. }), &|s| {
        s.address.to_string()
    });
    if gates.is_empty() && s.acting > 0 {
        say(
            "Needs a person",
            Tone::Good,
            vec!["nobody beyond the one who starts it".to_owned()],
        );
    }
    say("Needs a person", Tone::Ask, gates);
    say(
        "Unsure",
        Tone::Change,
        if s.unsure == 0 {
            Vec::new()
        } else {
            vec![format!(
                "{} (≈) planned against what is not there yet",
                count(s.unsure, "step", "steps")
            )]
        },
    );
    out.extend(stuck(plan, style, "In the way", |what| {
        *what == Do::Conflict
    }));
    if s.incomplete {
        out.extend(stuck(plan, style, "INCOMPLETE", |what| {
            matches!(what, Do::Blocked { unreadable: true })
        }));
        out.push(format!(
            "  {:<18}make it readable; a target that is gone is declared so with `--lost DOMAIN`",
            ""
        ));
    }
    let mut say =
        |name: &str, tone: Tone, texts: Vec<String>| say_lines(&mut out, style, name, tone, texts);
    let warnings: Vec<String> = plan
        .findings
        .iter()
        .map(|f| f.message.clone())
        .chain(plan.steps.iter().flat_map(|s| {
            s.warnings
                .iter()
                .map(move |w| format!("{}: {w}", s.address))
        }))
        .collect();
    say("Warnings", Tone::Change, warnings);
    out
}

/// Some lines under one name.
fn say_lines(out: &mut Vec<String>, style: Style, name: &str, tone: Tone, texts: Vec<String>) {
    const TEXTS_MAX: usize = 3;
    const LINES_MAX: usize = 2;
    let more = texts.len().saturating_sub(TEXTS_MAX);
    let mut label = name;
    for text in texts.iter().take(TEXTS_MAX) {
        for line in wrapped(text, style.width.saturating_sub(20), LINES_MAX) {
            out.push(format!("  {label:<18}{}", style.paint(tone, &line)));
            label = "";
        }
    }
    if more > 0 {
        out.push(format!("  {:<18}and {more} more", ""));
    }
}

/// What stops steps, said in full: a reason that is cut off helps nobody.
fn stuck(plan: &Plan, style: Style, name: &str, test: fn(&Do) -> bool) -> Vec<String> {
    const STEPS_MAX: usize = 3;
    const LINES_MAX: usize = 4;
    let room = style.width.saturating_sub(20);
    let mut out = Vec::new();
    let steps: Vec<&Step> = plan.steps.iter().filter(|s| test(&s.what)).collect();
    for step in steps.iter().take(STEPS_MAX) {
        let at = step
            .at
            .as_ref()
            .map(|w| format!(" ({}:{})", w.file, w.line))
            .unwrap_or_default();
        let text = format!("{}{at}: {}", step.address, step.because);
        for line in wrapped(&text, room, LINES_MAX) {
            let label = if out.is_empty() { name } else { "" };
            out.push(format!("  {label:<18}{}", style.paint(Tone::Bad, &line)));
        }
    }
    if steps.len() > STEPS_MAX {
        let more = steps.len() - STEPS_MAX;
        out.push(format!("  {:<18}and {more} more; `--full` names them", ""));
    }
    out
}

/// The number of steps that run something of the user's which may change the world.
fn programs(plan: &Plan) -> u64 {
    let runs = |s: &&Step| match &s.what {
        Do::Act {
            action, effects, ..
        } => {
            *action == drplan_api::Action::Run
                && !effects.iter().all(drplan_api::Effect::only_reads)
        }
        _ => false,
    };
    plan.steps.iter().filter(runs).count() as u64
}
