//! The full form of a plan: every step with all that is known about it.

use drplan_api::Change;
use drplan_api::HazardLevel;
use drplan_api::Json;
use drplan_api::Stage;

use super::steps::say;
use super::steps::symbol;
use super::summary;
use super::summary::notices;
use crate::graph::EdgeWhy;
use crate::graph::sentence;
use crate::plan::Do;
use crate::plan::Plan;
use crate::plan::Step;
use crate::plan::Sure;
use crate::render::style::Style;
use crate::render::style::Tone;

/// How many lines of one text diff the full form shows.
const DIFF_LINES_MAX: usize = 200;

/// The full form: every step with its reasons, differences and objects, then the summary again.
pub fn full(plan: &Plan, style: Style) -> String {
    let mut out = notices(plan, style);
    let before = plan.before();
    for (i, step) in plan.steps.iter().enumerate() {
        if matches!(step.what, Do::Barrier | Do::Idle) {
            continue;
        }
        out.extend(step_block(plan, i, step, &before[i], style));
        out.push(String::new());
    }
    out.extend(super::time::path(plan));
    out.extend(missing(plan));
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

/// Every step that is not in a plan of a part.
fn missing(plan: &Plan) -> Vec<String> {
    let Some(partial) = &plan.head.partial else {
        return Vec::new();
    };
    let mut out = Vec::new();
    for (name, list) in [("left out", &partial.left_out), ("held", &partial.held)] {
        out.extend(list.iter().map(|address| format!("- {address}  {name}")));
    }
    if !out.is_empty() {
        out.push(String::new());
    }
    out
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
    out.extend(super::time::of_step(step));
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
