//! The steps of a plan in a line or two each, as many as there is room for.

use std::collections::BTreeMap;

use drplan_api::HazardLevel;
use drplan_api::Stage;

use super::summary::Rest;
use crate::plan::Do;
use crate::plan::Plan;
use crate::plan::Step;
use crate::plan::Sure;
use crate::render::style::Style;
use crate::render::style::Tone;
use crate::render::style::wrapped;

/// How many lines the text of one step may take where there is room.
const STEP_TEXT_LINES_MAX: usize = 2;

/// The lines of the steps: one for each if there is room, else one for each kind of a stage.
pub(super) fn steps(plan: &Plan, style: Style, room: usize, rest: Rest) -> Vec<String> {
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
        out.push(format!("    … and {more} more lines; {}", rest.told()));
    }
    out
}

/// Whether a step is told of at all: what is as it shall be is only counted.
pub(super) fn is_shown(step: &Step) -> bool {
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

/// The sign of a step.
pub(super) fn symbol(step: &Step) -> (&'static str, Tone) {
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
pub(super) fn say(step: &Step) -> String {
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
