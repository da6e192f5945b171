//! The summary of a plan: what stands around its steps, and how many of those fit between.

use super::says;
use super::steps::steps;
use crate::plan::Plan;
use crate::plan::Summary;
use crate::render::style::Style;
use crate::render::style::Tone;
use crate::render::style::both_ends;
use crate::render::style::cut;
use crate::render::style::time;
use crate::render::style::whole;
use crate::render::style::wrapped;

/// How many lines the summary may have.
const SUMMARY_LINES_MAX: usize = 40;

/// How many lines are kept for what stands around the steps, at least.
const STEP_LINES_MIN: usize = 8;

/// The summary: what is lost, from when it is restored, what is lost for good, what cannot be undone,
/// how many steps, what needs a person. At most 40 lines.
pub fn summary(plan: &Plan, style: Style) -> String {
    with_cure(plan, style, says::MAKE_READABLE, Rest::Elsewhere)
}

/// Where a reader finds what the summary has no room for.
#[derive(Clone, Copy)]
pub(super) enum Rest {
    /// In the full form.
    Elsewhere,
    /// In what stands before it.
    Above,
}

impl Rest {
    /// As a fragment behind a number of lines or steps.
    pub(super) fn told(self) -> &'static str {
        match self {
            Self::Elsewhere => "`--full` names everything",
            Self::Above => "everything stands above",
        }
    }
}

/// The summary, with what helps where something could not be read.
pub(super) fn with_cure(plan: &Plan, style: Style, cure: &str, rest: Rest) -> String {
    let style = Style {
        width: style.width.clamp(60, 100),
        ..style
    };
    let mut head = notices(plan, style);
    head.extend(title(plan, style));
    head.extend(losses(plan, style));
    let tail = foot(plan, style, cure, rest);
    let room = SUMMARY_LINES_MAX
        .saturating_sub(head.len() + tail.len() + 1)
        .max(STEP_LINES_MIN);
    let mut lines = head;
    lines.extend(steps(plan, style, room, rest));
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

fn losses(plan: &Plan, style: Style) -> Vec<String> {
    let label = |name: &str| format!("  {name:<14}");
    let mut out: Vec<String> = says::lost(plan)
        .iter()
        .map(|(text, tone)| {
            let text = tone.map_or(text.clone(), |tone| style.paint(tone, text));
            format!("{}{text}", label("Lost"))
        })
        .collect();
    if let Some(at) = plan.head.incident_at {
        out.push(format!("{}{}", label("Incident at"), time(at)));
    }
    let room = style.width.saturating_sub(16);
    for (i, point) in says::used(plan).enumerate() {
        let name = if i == 0 { "Restored from" } else { "" };
        out.push(format!("{}{}", label(name), cut(&says::point(point), room)));
    }
    let (text, verdict) = says::data_lost(plan);
    let verdict = verdict.map_or(String::new(), |(text, tone)| {
        format!(" ({})", style.paint(tone, &text))
    });
    out.push(format!("{}{text}{verdict}", label("Data lost")));
    out.extend(super::time::lines(plan, style));
    for point in says::used(plan).filter(|p| p.incomplete.is_some()) {
        let why = point.incomplete.as_deref().unwrap_or_default();
        let line = cut(&format!("{}: {why}", point.id), room);
        out.push(format!(
            "{}{}",
            label("Incomplete"),
            style.paint(Tone::Bad, &line)
        ));
    }
    out
}

fn foot(plan: &Plan, style: Style, cure: &str, rest: Rest) -> Vec<String> {
    let s = Summary::of(plan);
    let mut out: Vec<String> = wrapped(&says::counts(plan), style.width, 2)
        .iter()
        .map(|line| style.paint(Tone::Head, line))
        .collect();
    let mut say =
        |name: &str, tone: Tone, texts: Vec<String>| say_lines(&mut out, style, name, tone, texts);
    say("Cannot be undone", Tone::Bad, says::irreversible(plan));
    say(
        "Cannot be undone",
        Tone::Good,
        says::all_can_be_undone(plan).into_iter().collect(),
    );
    let whole_of = |name: &str, tone: Tone, texts: &[String]| told(style, name, tone, texts, rest);
    out.extend(whole_of(
        "Overwrites",
        Tone::Change,
        &says::overwrites(plan),
    ));
    let mut say =
        |name: &str, tone: Tone, texts: Vec<String>| say_lines(&mut out, style, name, tone, texts);
    say("Takes effect at", Tone::Change, says::cutovers(plan));
    say(
        "Needs a person",
        Tone::Good,
        says::nobody_is_asked(plan).into_iter().collect(),
    );
    say("Needs a person", Tone::Ask, says::gates(plan));
    say(
        "Unsure",
        Tone::Change,
        says::unsure(plan).into_iter().collect(),
    );
    out.extend(whole_of("In the way", Tone::Bad, &says::conflicts(plan)));
    if s.incomplete {
        out.extend(whole_of("INCOMPLETE", Tone::Bad, &says::unreadable(plan)));
        let lines = whole(cure, style.width.saturating_sub(20));
        out.extend(lines.iter().map(|line| format!("  {:<18}{line}", "")));
    }
    let mut say =
        |name: &str, tone: Tone, texts: Vec<String>| say_lines(&mut out, style, name, tone, texts);
    let warnings = plan
        .findings
        .iter()
        .map(|f| f.message.clone())
        .chain(says::warnings_of_steps(plan));
    say("Warnings", Tone::Change, warnings.collect());
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

/// What a person decides by, said in full: a reason that is cut off helps nobody. Of one that is too long
/// for that the middle is left out: at the end stands what to do.
fn told(style: Style, name: &str, tone: Tone, texts: &[String], rest: Rest) -> Vec<String> {
    const STEPS_MAX: usize = 3;
    const LINES_MAX: usize = 5;
    let room = style.width.saturating_sub(20);
    let mut out = Vec::new();
    for text in texts.iter().take(STEPS_MAX) {
        for line in both_ends(text, room, LINES_MAX) {
            let label = if out.is_empty() { name } else { "" };
            out.push(format!("  {label:<18}{}", style.paint(tone, &line)));
        }
    }
    if texts.len() > STEPS_MAX {
        let more = texts.len() - STEPS_MAX;
        out.push(format!("  {:<18}and {more} more; {}", "", rest.told()));
    }
    out
}
