//! The report for a terminal: the summary first and last, nothing cut off.

use super::outline::Row;
use super::outline::Section;
use super::outline::figures;
use super::outline::outline;
use super::outline::tone;
use super::outline::when;
use crate::render::style::Style;
use crate::render::style::Tone;
use crate::render::style::whole;
use crate::report::Report;

/// How wide a name may be before what is said of it goes to the next line.
const HEAD_COLUMNS_MAX: usize = 36;
/// The narrowest that text is broken to.
const TEXT_COLUMNS_MIN: usize = 24;

/// The whole report.
pub fn text(report: &Report, style: Style) -> String {
    let mut out = Vec::new();
    out.push(style.paint(
        Tone::Head,
        &format!("Run {} of recovery {}", report.run, report.recovery),
    ));
    out.push(format!("  {}", when(report)));
    summary(report, style, &mut out);
    for section in outline(report) {
        draw(&section, style, &mut out);
    }
    summary(report, style, &mut out);
    if let Some(next) = &report.next {
        let place = report.next_in.as_deref();
        let place = place.map_or(String::new(), |folder| format!(", in `{folder}`"));
        out.push(format!("  next{place}: {next}"));
    }
    out.join("\n") + "\n"
}

fn summary(report: &Report, style: Style, out: &mut Vec<String>) {
    out.push(String::new());
    for line in whole(&report.headline, style.width) {
        out.push(style.paint(tone(report.verdict), &line));
    }
    let figures: Vec<String> = figures(&report.counts)
        .into_iter()
        .map(|(name, n)| format!("{n} {name}"))
        .collect();
    let room = room(style, 2);
    out.extend(
        broken_at(&figures, room)
            .into_iter()
            .map(|line| format!("  {line}")),
    );
}

fn draw(section: &Section, style: Style, out: &mut Vec<String>) {
    out.push(String::new());
    out.push(style.paint(Tone::Head, section.title));
    if !section.says.is_empty() {
        let lines = whole(&section.says, room(style, 2));
        out.extend(lines.into_iter().map(|line| format!("  {line}")));
    }
    let longest = section.rows.iter().map(|r| r.head.chars().count()).max();
    let column = longest.unwrap_or_default().min(HEAD_COLUMNS_MAX);
    for row in &section.rows {
        draw_row(row, column, style, out);
    }
}

fn draw_row(row: &Row, column: usize, style: Style, out: &mut Vec<String>) {
    let indent = column + 4;
    let mut lines = whole(&row.text, room(style, indent)).into_iter();
    let first = lines.next().unwrap_or_default();
    let gap = column.saturating_sub(row.head.chars().count());
    if row.head.chars().count() <= column {
        let head = style.paint(row.tone, &row.head);
        out.push(
            format!("  {head}{}  {first}", " ".repeat(gap))
                .trim_end()
                .to_owned(),
        );
    } else {
        out.push(format!("  {}", style.paint(row.tone, &row.head)));
        out.push(format!("{}{first}", " ".repeat(indent)));
    }
    for line in lines {
        out.push(format!("{}{line}", " ".repeat(indent)));
    }
    for detail in &row.details {
        for line in whole(detail, room(style, indent)) {
            let line = style.paint(Tone::Dim, &line);
            out.push(format!("{}{line}", " ".repeat(indent)));
        }
    }
    // A command that is broken into lines cannot be copied.
    out.extend(row.commands.iter().map(|c| format!("    {c}")));
}

fn room(style: Style, indent: usize) -> usize {
    style.width.saturating_sub(indent).max(TEXT_COLUMNS_MIN)
}

fn broken_at(parts: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 2 + part.chars().count() <= width => {
                line.push_str(", ");
                line.push_str(part);
            }
            _ => lines.push(part.clone()),
        }
    }
    lines
}
