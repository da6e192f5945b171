//! A plan as text: the summary that fits one screen, and the full form.

use std::collections::BTreeMap;

use drplan_api::Change;
use drplan_api::HazardLevel;
use drplan_api::Json;
use drplan_api::Stage;

use super::style::Style;
use super::style::Tone;
use super::style::count;
use super::style::cut;
use super::style::span;
use super::style::time;
use crate::graph::EdgeWhy;
use crate::graph::sentence;
use crate::plan::Do;
use crate::plan::Plan;
use crate::plan::Step;
use crate::plan::Summary;
use crate::plan::Sure;

/// How many lines the summary may have.
const SUMMARY_LINES_MAX: usize = 40;

/// How many lines are kept for what stands around the steps, at least.
const STEP_LINES_MIN: usize = 8;

/// How many lines the text of one step may take where there is room.
const STEP_TEXT_LINES_MAX: usize = 2;

/// How many lines of one text diff the full form shows.
const DIFF_LINES_MAX: usize = 200;

/// The summary: what is lost, from when it is restored, what is lost for good, what cannot be undone,
/// how many steps, what needs a person. At most 40 lines.
pub fn summary(plan: &Plan, style: Style) -> String {
    let style = Style {
        width: style.width.clamp(60, 100),
        ..style
    };
    let mut head = title(plan, style);
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

fn losses(plan: &Plan, style: Style) -> Vec<String> {
    let mut out = Vec::new();
    let label = |name: &str| format!("{name:<14}");
    if plan.head.lost.is_empty() {
        out.push(format!("  {}nothing is declared lost", label("Lost")));
    } else {
        let lost = format!("{}, declared with --lost", plan.head.lost.join(", "));
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

/// The lines of the steps: one for each if there is room, else one for each kind of a stage.
fn steps(plan: &Plan, style: Style, room: usize) -> Vec<String> {
    let shown: Vec<&Step> = plan.steps.iter().filter(|s| is_shown(s)).collect();
    if shown.is_empty() {
        return vec![style.paint(Tone::Good, "  Nothing is left to do.")];
    }
    let mut out = Vec::new();
    if plan.is_empty() {
        out.push(style.paint(Tone::Good, "  Nothing is left to do."));
    }
    let mut by_stage: BTreeMap<Option<Stage>, Vec<&Step>> = BTreeMap::new();
    for step in shown {
        by_stage.entry(step.stage).or_default().push(step);
    }
    let one_each = by_stage.values().map(|v| v.len() + 1).sum::<usize>() <= room;
    let width = address_width(by_stage.values().flatten().copied());
    let lines = |lines_of: &dyn Fn(&Step) -> usize| {
        let mut lines = Vec::new();
        for (stage, steps) in &by_stage {
            let name = stage.map_or("read from the backups", Stage::as_str);
            lines.push(style.paint(Tone::Head, &format!("  {name}")));
            if one_each {
                let each = steps
                    .iter()
                    .flat_map(|s| step_lines(s, style, width, lines_of(s)));
                lines.extend(each);
            } else {
                lines.extend(kind_lines(steps, style));
            }
        }
        lines
    };
    // As much as fits: everything in full, else what holds many objects, else a line each.
    let rich = |s: &Step| {
        if s.breakdown.is_some() {
            STEP_TEXT_LINES_MAX
        } else {
            1
        }
    };
    let forms = [lines(&|_| STEP_TEXT_LINES_MAX), lines(&rich)];
    let fitting = forms
        .into_iter()
        .find(|form| out.len() + form.len() <= room);
    out.extend(fitting.unwrap_or_else(|| lines(&|_| 1)));
    if out.len() > room {
        let more = out.len() - room + 1;
        out.truncate(room - 1);
        out.push(format!(
            "    … and {more} more lines; `drplan show --full` names everything"
        ));
    }
    out
}

fn is_shown(step: &Step) -> bool {
    step.is_action() || matches!(step.what, Do::Check { .. }) || differs(step)
}

/// A resource that is left alone although some of its objects differ.
fn differs(step: &Step) -> bool {
    step.what == Do::Nothing
        && step.breakdown.as_ref().is_some_and(|b| {
            b.objects
                .iter()
                .any(|o| o.diff.is_some() || !o.note.is_empty())
        })
}

fn symbol(step: &Step) -> (&'static str, Tone) {
    match &step.what {
        Do::Act { action, .. } => match action {
            drplan_api::Action::Create | drplan_api::Action::Restore => ("+", Tone::Good),
            drplan_api::Action::Update => ("~", Tone::Change),
            drplan_api::Action::Run => (">", Tone::Good),
            drplan_api::Action::Delete => ("-", Tone::Bad),
        },
        Do::Late { .. } => ("?", Tone::Change),
        Do::Gate { .. } => ("?", Tone::Ask),
        Do::Check { .. } => ("=", Tone::Dim),
        Do::Conflict | Do::Blocked { .. } => ("!", Tone::Bad),
        Do::Read => ("<", Tone::Dim),
        Do::Nothing | Do::Barrier | Do::Idle => (" ", Tone::Dim),
    }
}

/// How wide the column of addresses is: as the longest that is not much longer than others.
fn address_width<'s>(steps: impl Iterator<Item = &'s Step>) -> usize {
    const WIDTH_MAX: usize = 32;
    let fitting = steps
        .map(|s| s.address.as_str().chars().count())
        .filter(|n| *n <= WIDTH_MAX);
    fitting.max().unwrap_or(WIDTH_MAX)
}

/// A step in at most `lines_max` lines; what is cut off is marked.
fn step_lines(step: &Step, style: Style, address_width: usize, lines_max: usize) -> Vec<String> {
    let (sign, tone) = symbol(step);
    let address = format!("{:<address_width$}", step.address.as_str());
    let room = style.width.saturating_sub(6 + address.chars().count() + 2);
    let said = wrapped(&say(step), room, lines_max);
    said.iter()
        .enumerate()
        .map(|(i, line)| match i {
            0 => format!("    {} {address}  {line}", style.paint(tone, sign)),
            _ => format!("{:width$}{line}", "", width = 8 + address.chars().count()),
        })
        .collect()
}

/// What is said about a step in one line.
fn say(step: &Step) -> String {
    let mut text = match &step.what {
        Do::Gate { ask } => ask.clone(),
        Do::Conflict => format!("CONFLICT: {}", step.because),
        Do::Blocked { .. } => format!("BLOCKED: {}", step.because),
        Do::Check { warning: true, .. } => format!("{} (a warning only)", step.because),
        _ => match &step.breakdown {
            Some(b) if !b.headline.is_empty() => {
                let differ = b.objects.iter().filter(|o| o.diff.is_some()).count() as u64;
                match (step.what == Do::Nothing, differ) {
                    (false, _) | (_, 0) => b.headline.clone(),
                    (_, 1) => format!("1 object differs and is left alone; {}", b.headline),
                    (_, n) => format!("{n} objects differ and are left alone; {}", b.headline),
                }
            }
            _ => step.because.clone(),
        },
    };
    if step.hazard.level == HazardLevel::Irreversible {
        text = format!("CANNOT BE UNDONE. {text}");
    }
    match step.sure {
        Sure::Approximate { .. } if matches!(step.what, Do::Act { .. }) => format!("≈ {text}"),
        _ => text,
    }
}

fn kind_lines(steps: &[&Step], style: Style) -> Vec<String> {
    let mut groups: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for step in steps {
        *groups.entry((symbol(step).0, &step.kind)).or_default() += 1;
    }
    groups
        .into_iter()
        .map(|((sign, kind), n)| style.fit(&format!("    {sign} {n} × {kind}")))
        .collect()
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
        lines(&|s| s.is_action() && s.cutover, &|s| {
            format!("{}: {}", s.address, s.hazard.text)
        }),
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
            "  {:<18}make it readable, or declare it lost with `--lost DOMAIN`",
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
        out.push(format!(
            "  {:<18}and {more} more; `drplan show --full` names them",
            ""
        ));
    }
    out
}

/// Breaks a text at spaces into lines; what is too much is cut off and marked.
fn wrapped(text: &str, width: usize, lines_max: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    if lines.len() > lines_max {
        lines.truncate(lines_max);
        if let Some(last) = lines.last_mut() {
            *last = format!("{} …", cut(last, width.saturating_sub(2)));
        }
    }
    lines.iter().map(|line| cut(line, width)).collect()
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

/// The full form: every step with its reasons, differences and objects, then the summary again.
pub fn full(plan: &Plan, style: Style) -> String {
    let mut out = Vec::new();
    let before = plan.before();
    for (i, step) in plan.steps.iter().enumerate() {
        if matches!(step.what, Do::Barrier | Do::Idle) {
            continue;
        }
        out.extend(step_block(plan, i, step, &before[i], style));
        out.push(String::new());
    }
    for finding in &plan.findings {
        let at = finding
            .at
            .as_ref()
            .map(|w| format!(" ({}:{})", w.file, w.line))
            .unwrap_or_default();
        out.push(format!(
            "{}[{}]: {}{at}",
            finding.severity, finding.code, finding.message
        ));
        out.extend(finding.hints.iter().map(|h| format!("  hint: {h}")));
    }
    if !plan.findings.is_empty() {
        out.push(String::new());
    }
    out.join("\n") + "\n" + &summary(plan, style)
}

fn step_block(plan: &Plan, i: usize, step: &Step, before: &[usize], style: Style) -> Vec<String> {
    let (sign, tone) = symbol(step);
    let at = step
        .at
        .as_ref()
        .map(|w| format!("  {}:{}", w.file, w.line))
        .unwrap_or_default();
    let stage = step.stage.map_or("-", Stage::as_str);
    let mut out = vec![format!(
        "{} {}  {}",
        style.paint(tone, sign),
        style.paint(Tone::Head, step.address.as_str()),
        style.paint(Tone::Dim, &format!("stage {stage}, wave {}{at}", step.wave)),
    )];
    out.push(format!("    {}", say(step)));
    if step.breakdown.is_some() && !step.because.is_empty() {
        out.push(format!("    because {}", step.because));
    }
    match &step.sure {
        Sure::Exact => {}
        Sure::Approximate { by } => out.push(format!(
            "    approximate: planned against an empty target, which {} will make",
            list(by)
        )),
        Sure::Unknown { until } if until.is_empty() => {}
        Sure::Unknown { until } => out.push(format!("    decided after {}", list(until))),
    }
    let waits: Vec<String> = before
        .iter()
        .map(|&b| {
            let why = plan
                .edges
                .iter()
                .find(|e| e.before == b && e.after == i)
                .map(|e| &e.why);
            let why = match why {
                Some(why @ (EdgeWhy::Needs { .. } | EdgeWhy::Provider { .. })) => {
                    format!(" ({})", sentence(why))
                }
                _ => String::new(),
            };
            format!("{}{why}", plan.steps[b].address)
        })
        .collect();
    if !waits.is_empty() && step.what != Do::Nothing {
        out.push(format!("    after {}", waits.join(", ")));
    }
    for change in &step.diff {
        out.extend(change_lines(change, style));
    }
    if let Some(breakdown) = &step.breakdown {
        for object in &breakdown.objects {
            let note = if object.note.is_empty() {
                String::new()
            } else {
                format!("  {}", object.note)
            };
            out.push(format!("      {:<14} {}{note}", object.class, object.name));
            out.extend(object.diff.iter().flat_map(|d| diff_lines(d, style)));
        }
    }
    if let Do::Act { effects, .. } = &step.what {
        for effect in effects {
            out.push(style.paint(
                Tone::Dim,
                &format!("    writes: {} {}", effect.verb, effect.object),
            ));
        }
    }
    if step.hazard.level != HazardLevel::None && step.is_action() {
        out.push(format!("    undo: {}", step.hazard.text));
    }
    out.extend(
        step.warnings
            .iter()
            .map(|w| style.paint(Tone::Change, &format!("    warning: {w}"))),
    );
    if step.is_action() {
        out.extend(
            step.manual
                .iter()
                .map(|m| style.paint(Tone::Dim, &format!("    by hand: {m}"))),
        );
    }
    out
}

fn list(addresses: &[drplan_api::Address]) -> String {
    addresses
        .iter()
        .map(|a| format!("`{a}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn change_lines(change: &Change, style: Style) -> Vec<String> {
    if change.sensitive {
        return vec![format!("      {}: (secret, differs)", change.path)];
    }
    if let Some(text) = &change.text {
        let mut out = vec![format!("      {}", change.path)];
        out.extend(diff_lines(text, style));
        return out;
    }
    let show = |side: &Option<Json>| match side {
        None => "nothing".to_owned(),
        Some(json) if drplan_api::is_hole(json).is_some() => "(known after its step)".to_owned(),
        Some(Json::String(text)) => text.clone(),
        Some(Json::Array(items)) if items.iter().all(Json::is_string) => items
            .iter()
            .filter_map(Json::as_str)
            .collect::<Vec<_>>()
            .join(", "),
        Some(json) => json.to_string(),
    };
    vec![format!(
        "      {}: {} → {}",
        change.path,
        show(&change.before),
        show(&change.after)
    )]
}

fn diff_lines(text: &str, style: Style) -> Vec<String> {
    let all: Vec<&str> = text.lines().collect();
    let mut out: Vec<String> = all
        .iter()
        .take(DIFF_LINES_MAX)
        .map(|line| {
            let tone = match line.chars().next() {
                Some('+') => Tone::Good,
                Some('-') => Tone::Bad,
                _ => Tone::Dim,
            };
            format!("        {}", style.paint(tone, line))
        })
        .collect();
    if all.len() > DIFF_LINES_MAX {
        out.push(format!(
            "        … {} more lines",
            all.len() - DIFF_LINES_MAX
        ));
    }
    out
}
