//! The full form of a plan: every step with all that is known about it.

use super::details;
use super::details::Details;
use super::details::Line;
use super::says;
use super::steps::say;
use super::steps::symbol;
use super::summary::Rest;
use super::summary::notices;
use super::summary::with_cure;
use crate::plan::Do;
use crate::plan::Plan;
use crate::plan::Step;
use crate::render::style::Style;
use crate::render::style::Tone;
use crate::render::style::flat;
use crate::render::style::in_one_line;

/// The full form: every step with its reasons, differences and objects, then the summary again.
pub fn full(plan: &Plan, style: Style) -> String {
    each(plan, style) + &with_cure(plan, style, says::MAKE_READABLE, Rest::Above)
}

/// Every step with all that is known about it.
pub(super) fn each(plan: &Plan, style: Style) -> String {
    let mut out = notices(plan, style);
    let details = Details::of(plan);
    for (i, step) in plan.steps.iter().enumerate() {
        if matches!(step.what, Do::Barrier | Do::Idle) {
            continue;
        }
        out.extend(step_block(step, &details.lines(i), style));
        out.push(String::new());
    }
    out.extend(super::time::path(plan));
    out.extend(missing(plan));
    for finding in &plan.findings {
        out.push(says::finding(finding));
        out.extend(finding.hints.iter().map(|h| format!("  hint: {h}")));
    }
    if !plan.findings.is_empty() {
        out.push(String::new());
    }
    out.join("\n") + "\n"
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

fn step_block(step: &Step, lines: &[Line], style: Style) -> Vec<String> {
    let (sign, tone) = symbol(step);
    let head = format!(
        "{} {}  {}",
        style.paint(tone, sign),
        style.paint(Tone::Head, step.address.as_str()),
        style.paint(Tone::Dim, &details::place(step).join("  ")),
    );
    let mut out = vec![head, format!("    {}", in_one_line(&say(step)))];
    for line in lines {
        match line {
            Line::Fact(text) => out.push(format!("    {}", flat(text))),
            Line::Value(text) => out.push(format!("      {}", flat(text))),
            Line::Diff(text) => out.extend(diff_lines(text, style)),
            Line::Command(what, text) => {
                out.push(style.paint(Tone::Dim, &format!("    {what}: {}", flat(text))));
            }
            Line::Warning(text) => {
                out.push(style.paint(Tone::Change, &format!("    warning: {}", flat(text))));
            }
        }
    }
    out
}

fn diff_lines(text: &str, style: Style) -> Vec<String> {
    text.lines()
        .map(|line| {
            let tone = match line.chars().next() {
                Some('+') => Tone::Good,
                Some('-') => Tone::Bad,
                _ => Tone::Dim,
            };
            format!("        {}", style.paint(tone, &flat(line)))
        })
        .collect()
}
