//! The report of a rehearsal for people.

use std::collections::BTreeMap;

use drplan_api::Address;
use drplan_api::Timestamp;
use drplan_sandbox::world::By;
use drplan_sandbox::world::simulation;

use super::json::ended_text;
use super::style::Style;
use super::style::Tone;
use super::style::count;
use super::style::span;
use crate::apply::Outcome;
use crate::rehearse::Entry;
use crate::rehearse::Report;

/// How many facts of one proof are shown.
const FACTS_MAX: usize = 2;
/// How wide an address is at most before it pushes the rest of its line.
const ADDRESS_WIDTH: usize = 32;

/// Writes a report.
pub fn report(report: &Report, style: Style) -> String {
    let mut out = vec![
        String::new(),
        style.paint(Tone::Head, "Order, times and proofs"),
    ];
    let mut blocked: BTreeMap<&Address, u64> = BTreeMap::new();
    for entry in &report.steps {
        match &entry.outcome {
            Outcome::Blocked { by } => *blocked.entry(by).or_default() += 1,
            _ => out.extend(step(entry, report.began_at, style)),
        }
    }
    for (by, n) in blocked {
        let steps = count(n, "step was", "steps were");
        out.push(format!("  {:18} {steps} blocked by {by}", ""));
    }
    out.push(String::new());
    out.push(verdict(report, style));
    for address in &report.unmet {
        let text = format!(
            "  `--fail {address}` never happened: the step was true when its turn came, and began nothing."
        );
        out.push(style.paint(Tone::Bad, &text));
    }
    out.extend(proven_by(report, style));
    out.join("\n") + "\n"
}

fn step(entry: &Entry, began: Timestamp, style: Style) -> Vec<String> {
    if matches!(entry.outcome, Outcome::Passed) {
        return Vec::new();
    }
    let by = simulation(entry.address.kind()).map(|s| s.by);
    let mark = match by {
        Some(By::Simulator) => "simulated",
        Some(By::Nobody) => "answered",
        _ => "",
    };
    let tone = if entry.outcome.is_good() {
        Tone::Good
    } else {
        Tone::Bad
    };
    let word = style.paint(tone, entry.outcome.word());
    let tries = match entry.retries {
        0 => String::new(),
        n => format!(", {}", count(u64::from(n), "retry", "retries")),
    };
    let line = format!(
        "  {:>7} +{:<7} {:ADDRESS_WIDTH$} {word}{}{tries}",
        clock(entry.started_at, began),
        clock(entry.ended_at, entry.started_at),
        entry.address.as_str(),
        if mark.is_empty() {
            String::new()
        } else {
            format!(" ({mark})")
        },
    );
    let mut out = vec![line];
    if !entry.outcome.is_good() {
        out.push(style.fit(&format!("{:20}{}", "", ended_text(&entry.outcome))));
    }
    out.extend(entry.evidence.iter().take(FACTS_MAX).map(|fact| {
        let text = format!("{:20}{} ({})", "", fact.claim, fact.source);
        style.paint(Tone::Dim, &style.fit(&text))
    }));
    out
}

/// Minutes and seconds between two times, as a stop watch shows them.
fn clock(at: Timestamp, since: Timestamp) -> String {
    let seconds = at.duration_since(since).as_secs().max(0);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

fn verdict(report: &Report, style: Style) -> String {
    let (name, took) = (&report.recovery, span(report.seconds()));
    let Some(without) = &report.without else {
        let text = format!("Rehearsed: `{name}` does NOT come back; it stopped after {took}.");
        return style.paint(Tone::Bad, &text);
    };
    let mut text = format!("Rehearsed: `{name}` comes back in {took}");
    if !without.is_empty() {
        let names: Vec<&str> = without.iter().map(Address::as_str).collect();
        text = format!("{text}, without {} (best effort)", names.join(", "));
    }
    if report.left.is_empty() {
        text.push_str("; a second plan finds nothing else to do.");
        return style.paint(Tone::Good, &text);
    }
    let names: Vec<&str> = report.left.iter().map(Address::as_str).collect();
    text = format!("{text}; but a second plan still has {}.", names.join(", "));
    style.paint(Tone::Bad, &text)
}

fn proven_by(report: &Report, style: Style) -> Vec<String> {
    let ended = |e: &&Entry| e.outcome == Outcome::Done || e.outcome == Outcome::AlreadyTrue;
    let done = report.steps.iter().filter(ended).count() as u64;
    let simulated: u64 = report.simulated.values().sum();
    let mut out = vec![format!(
        "  {} done; {simulated} of them simulated, {} answered for people, {} met by requests",
        count(done, "step", "steps"),
        count(report.answered, "question", "questions"),
        count(report.faults, "fault", "faults"),
    )];
    for (what, n) in &report.simulated {
        out.push(format!("    {n} by {what}"));
    }
    let note = "Nothing outside of this process was reached. Times are those of the world file, not a promise.";
    out.push(style.paint(Tone::Dim, &format!("  {note}")));
    out
}
