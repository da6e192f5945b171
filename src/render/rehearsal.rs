//! The report of a rehearsal for people.

use std::collections::BTreeMap;

use drplan_api::Address;
use drplan_api::Evidence;
use drplan_api::Timestamp;
use drplan_sandbox::world::By;

use super::began;
use super::json::ended_text;
use super::run::CLOCK_WIDTH;
use super::style::Style;
use super::style::Tone;
use super::style::count;
use super::style::seconds_between;
use super::style::span;
use super::style::stopwatch;
use super::style::time;
use super::style::whole;
use crate::apply::Outcome;
use crate::rehearse::Entry;
use crate::rehearse::Loss;
use crate::rehearse::LossVerdict;
use crate::rehearse::Report;
use crate::rehearse::Time;
use crate::rehearse::TimeVerdict;

/// How many facts of one proof are shown.
const FACTS_MAX: usize = 2;
/// How wide an address is at most before it pushes the rest of its line.
const ADDRESS_WIDTH: usize = 32;
/// How wide the names in front of the last lines are.
const NAME_WIDTH: usize = 11;
/// How wide text may be, whatever the terminal.
const WIDTH_MIN: usize = 60;

/// How much of a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// What fits.
    Brief,
    /// All evidence, in full.
    Full,
}

/// Writes a report; what went wrong stands at its end.
pub fn report(report: &Report, style: Style, detail: Detail) -> String {
    let style = Style {
        width: style.width.max(WIDTH_MIN),
        ..style
    };
    let mut out = vec![
        String::new(),
        style.paint(Tone::Head, "Order, times and proofs"),
    ];
    for entry in &report.steps {
        out.extend(step(entry, report.began_at, style, detail));
    }
    out.push(String::new());
    out.extend(proven_by(report, style));
    out.push(String::new());
    out.extend(verdict(report, style));
    out.extend(named("Time", time_text(&report.time), style));
    out.extend(named("Data lost", loss_text(&report.data_loss), style));
    if let Some(began) = &report.snapshot {
        out.extend(named("Snapshot", began::verdict(began), style));
    }
    out.extend(causes(report, style));
    out.extend(stand_ins(&report.strangers, style));
    out.join("\n") + "\n"
}

fn step(entry: &Entry, began: Timestamp, style: Style, detail: Detail) -> Vec<String> {
    if matches!(entry.outcome, Outcome::Passed | Outcome::Blocked { .. }) {
        return Vec::new();
    }
    let mark = match entry.done_by {
        Some(By::Simulator) => " (simulated)",
        Some(By::Nobody) => " (answered)",
        Some(By::Server) | None => "",
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
    let at = format!("+{}", stopwatch(seconds_between(began, entry.started_at)));
    let took = stopwatch(seconds_between(entry.started_at, entry.ended_at));
    let address = entry.address.as_str();
    let mut out = vec![format!(
        "{at:>CLOCK_WIDTH$} {took:>CLOCK_WIDTH$} {address:ADDRESS_WIDTH$} {word}{mark}{tries}"
    )];
    let facts_max = match detail {
        Detail::Brief => FACTS_MAX,
        Detail::Full => usize::MAX,
    };
    let facts = entry.evidence.iter().take(facts_max);
    out.extend(facts.flat_map(|fact| proof(fact, style, detail)));
    out
}

fn proof(fact: &Evidence, style: Style, detail: Detail) -> Vec<String> {
    let indent = " ".repeat(CLOCK_WIDTH + CLOCK_WIDTH + 2);
    let text = format!("{} ({})", fact.claim, fact.source);
    let lines = match detail {
        Detail::Brief => vec![style.fit(&format!("{indent}{text}"))],
        Detail::Full => {
            let lines = whole(&text, style.width.saturating_sub(indent.len()));
            lines.iter().map(|line| format!("{indent}{line}")).collect()
        }
    };
    lines
        .iter()
        .map(|line| style.paint(Tone::Dim, line))
        .collect()
}

fn verdict(report: &Report, style: Style) -> Vec<String> {
    if report.nothing_to_do {
        let lines = whole(&nothing_text(report), style.width);
        return lines
            .iter()
            .map(|line| style.paint(Tone::Bad, line))
            .collect();
    }
    let (name, took) = (&report.recovery, span(report.time.took_s));
    let Some(without) = &report.without else {
        let text = format!("Rehearsed: `{name}` does NOT come back; it stopped after {took}.");
        return vec![style.paint(Tone::Bad, &text)];
    };
    let mut text = format!("Rehearsed: `{name}` comes back in {took}");
    if !without.is_empty() {
        text = format!("{text}, without {} (best effort)", names(without));
    }
    let tone = match report.left.as_deref() {
        Some([]) => {
            text.push_str("; a second plan finds nothing else to do.");
            Tone::Good
        }
        Some(left) => {
            text = format!("{text}; but a second plan still has {}.", names(left));
            Tone::Bad
        }
        None => {
            text.push_str("; but no second plan could be made.");
            Tone::Bad
        }
    };
    let lines = whole(&text, style.width);
    lines.iter().map(|line| style.paint(tone, line)).collect()
}

/// Why nothing was rehearsed, and how something is.
fn nothing_text(report: &Report) -> String {
    let name = &report.recovery;
    match report.lost.is_empty() {
        true => format!(
            "NOT rehearsed: nothing is lost here, so `{name}` had nothing to do. Say what is lost with `lost` in \
             rehearsal.hcl, and let what the recovery builds again begin without `running`."
        ),
        false => format!(
            "NOT rehearsed: {} is lost, and yet `{name}` had nothing to do. Does the spec bring back what lies there?",
            report.lost.join(", ")
        ),
    }
}

fn names(addresses: &[Address]) -> String {
    let names: Vec<&str> = addresses.iter().map(Address::as_str).collect();
    names.join(", ")
}

/// What the objective says of the time.
fn time_text(judged: &Time) -> (Tone, String) {
    let took = span(judged.took_s);
    let rto_s = judged.rto_s.unwrap_or_default();
    match judged.verdict {
        TimeVerdict::Within => (
            Tone::Good,
            format!("{took}, within the objective of {}", span(rto_s)),
        ),
        TimeVerdict::Over => (
            Tone::Bad,
            format!(
                "{took}, OVER the objective of {} by {}",
                span(rto_s),
                span(judged.took_s - rto_s)
            ),
        ),
        TimeVerdict::NoObjective => (
            Tone::Dim,
            format!("{took}; the spec gives no objective (`rto`)"),
        ),
        TimeVerdict::Never => (
            Tone::Bad,
            match judged.rto_s {
                Some(rto_s) => format!("no objective is met; it was {}", span(rto_s)),
                None => "without end; the spec gives no objective (`rto`)".to_owned(),
            },
        ),
        TimeVerdict::NothingToDo => (Tone::Bad, "not judged: nothing was done".to_owned()),
    }
}

/// What the objective says of the loss.
fn loss_text(judged: &Loss) -> (Tone, String) {
    let loss_s = judged.loss_s.unwrap_or_default();
    let rpo_s = judged.rpo_s.unwrap_or_default();
    let lost = format!("what was written in the last {}", span(loss_s));
    match judged.verdict {
        LossVerdict::Within => (
            Tone::Good,
            format!("{lost}, within the objective of {}", span(rpo_s)),
        ),
        LossVerdict::Over => (
            Tone::Bad,
            format!(
                "{lost}, OVER the objective of {} by {}",
                span(rpo_s),
                span(loss_s - rpo_s)
            ),
        ),
        LossVerdict::NoObjective => (
            Tone::Dim,
            format!("{lost}; the spec gives no objective (`rpo`)"),
        ),
        LossVerdict::NothingRestored => (
            Tone::Dim,
            "not judged: no step restores from a backup".to_owned(),
        ),
        LossVerdict::Unknown => {
            let newer = judged.newer.iter();
            let newer: Vec<String> = newer
                .map(|b| format!("{} of {}", b.id, time(b.at)))
                .collect();
            let text = format!(
                "NOT KNOWN: the rehearsal begins before its backups were made, so that their age says \
                 nothing: {}; set `start` in rehearsal.hcl later than the newest",
                newer.join(", ")
            );
            (Tone::Change, text)
        }
    }
}

/// Lines under a name, none of them cut.
fn named(name: &str, (tone, text): (Tone, String), style: Style) -> Vec<String> {
    let room = style.width.saturating_sub(NAME_WIDTH + 2);
    let mut label = name;
    let mut out = Vec::new();
    for line in whole(&text, room) {
        out.push(format!("  {label:NAME_WIDTH$}{}", style.paint(tone, &line)));
        label = "";
    }
    out
}

/// Whether it joins stages, and is nothing that a spec says.
fn is_barrier(address: &Address) -> bool {
    address.as_str().starts_with("barrier.")
}

/// Everything that went wrong, in full.
fn causes(report: &Report, style: Style) -> Vec<String> {
    let mut out = Vec::new();
    let mut blocked: BTreeMap<&Address, u64> = BTreeMap::new();
    for entry in &report.steps {
        let tone = match &entry.outcome {
            Outcome::Blocked { by } => {
                *blocked.entry(by).or_default() += u64::from(!is_barrier(&entry.address));
                continue;
            }
            Outcome::Refuted { warning: true, .. } => Tone::Change,
            outcome if outcome.is_good() => continue,
            _ => Tone::Bad,
        };
        let text = format!("{}: {}", entry.address, ended_text(&entry.outcome));
        out.extend(cause(&text, tone, style));
    }
    for (by, n) in blocked {
        let steps = count(n, "step was", "steps were");
        out.extend(cause(&format!("{steps} blocked by {by}"), Tone::Bad, style));
    }
    for why in &report.unplanned {
        let text = format!("no second plan: {why}");
        out.extend(cause(&text, Tone::Bad, style));
    }
    for address in &report.unmet {
        let text = format!(
            "`--fail {address}` never happened: {}.",
            unmet(report, address)
        );
        out.extend(cause(&text, Tone::Bad, style));
    }
    out
}

/// Why a step that was told to fail never came to it.
fn unmet(report: &Report, address: &Address) -> String {
    let entry = report.steps.iter().find(|e| e.address == *address);
    match entry.map(|entry| &entry.outcome) {
        Some(Outcome::Blocked { by }) => {
            format!("the step was blocked by {by}, so that its turn never came")
        }
        Some(outcome) if outcome.is_good() => {
            "the step had nothing to begin; it only waits, or was true when its turn came"
                .to_owned()
        }
        Some(outcome) => format!("the step began nothing; {}", ended_text(outcome)),
        None => "the turn of the step never came".to_owned(),
    }
}

/// The blocks that would stand in for what nothing stood in for, to be copied into the world file.
pub fn stand_ins(strangers: &[Vec<String>], style: Style) -> Vec<String> {
    if strangers.is_empty() {
        return Vec::new();
    }
    let head = "To rehearse these commands, add to rehearsal.hcl, and let each say what its program does. A check \
         that is true from the beginning lets its step pass unrehearsed: give the check `true_if = \
         [\"made.NAME\"]` instead, and the command that makes it true `makes = [\"NAME\"]`.";
    let mut out = vec![String::new()];
    out.extend(whole(head, style.width));
    for argv in strangers {
        let (name, args) = argv.split_first().map_or(("", &[][..]), |(n, a)| (n, a));
        let args: Vec<String> = args.iter().map(|word| literal(word)).collect();
        out.push(String::new());
        out.push(format!("  program {} {{", literal(name)));
        out.push(format!("    args = [{}]", args.join(", ")));
        out.push(
            "    exit = 0  # also: takes, starts, stops, makes, true_if, files, stdout".to_owned(),
        );
        out.push("  }".to_owned());
    }
    out
}

/// A text as the language writes it.
fn literal(text: &str) -> String {
    format!("{text:?}")
        .replace("${", "$${")
        .replace("%{", "%%{")
}

fn cause(text: &str, tone: Tone, style: Style) -> Vec<String> {
    let mut sign = "!";
    let mut out = Vec::new();
    for line in whole(text, style.width.saturating_sub(4)) {
        out.push(format!("  {sign:1} {}", style.paint(tone, &line)));
        sign = "";
    }
    out
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rehearse::Newer;

    /// A report of a recovery whose steps ended so.
    fn ended(outcomes: Vec<(&str, Outcome)>) -> Report {
        let began: Timestamp = "2026-01-05T03:00:00Z".parse().expect("a time");
        let steps = outcomes.into_iter().map(|(address, outcome)| Entry {
            address: Address::new(address),
            started_at: began,
            ended_at: began,
            outcome,
            done_by: None,
            with: None,
            evidence: vec![Evidence {
                claim: "a claim ".repeat(30),
                source: "somewhere".to_owned(),
                holds: true,
            }],
            retries: 0,
        });
        Report {
            recovery: "r".to_owned(),
            lost: Vec::new(),
            nothing_to_do: false,
            snapshot: None,
            began_at: began,
            ended_at: began,
            time: Time::judged(3900, Some(3600), true),
            data_loss: Loss {
                loss_s: None,
                rpo_s: None,
                verdict: LossVerdict::Unknown,
                newer: vec![Newer {
                    id: "nightly".to_owned(),
                    at: began,
                }],
            },
            steps: steps.collect(),
            simulated: BTreeMap::new(),
            answered: 0,
            faults: 0,
            without: None,
            left: Some(Vec::new()),
            unplanned: vec!["`x` needs the CRD `y` (DR0022)".to_owned()],
            strangers: vec![vec![
                "bin/site".to_owned(),
                "is up".to_owned(),
                "${x}".to_owned(),
            ]],
            unmet: Vec::new(),
            exit_code: 6,
        }
    }

    #[test]
    fn every_cause_stands_at_the_end_and_nothing_of_it_is_cut() {
        let because = format!("{}the end", "a long reason ".repeat(20));
        let failed = |because: &str| Outcome::Failed {
            because: because.to_owned(),
        };
        let by = Address::new("command.a");
        let text = report(
            &ended(vec![
                ("command.a", failed(&because)),
                ("command.b", failed("another reason")),
                ("command.c", Outcome::Blocked { by: by.clone() }),
                ("command.d", Outcome::Blocked { by }),
            ]),
            Style::PLAIN,
            Detail::Brief,
        );
        let end = text.split("Rehearsed:").nth(1).expect("a verdict");
        let flat = end.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            flat.contains(&format!("! command.a: FAILED: {because}")),
            "{end}"
        );
        assert!(
            flat.contains("! command.b: FAILED: another reason"),
            "{end}"
        );
        assert!(
            flat.contains("! 2 steps were blocked by command.a"),
            "{end}"
        );
        assert!(
            text.lines()
                .all(|l| l.chars().count() <= Style::PLAIN.width)
        );
    }

    #[test]
    fn a_failure_that_never_came_says_whether_its_step_was_blocked_or_had_nothing_to_begin() {
        let mut ended = ended(vec![
            ("command.a", Outcome::AlreadyTrue),
            (
                "command.b",
                Outcome::Blocked {
                    by: Address::new("command.x"),
                },
            ),
        ]);
        ended.unmet = vec![Address::new("command.a"), Address::new("command.b")];
        let text = report(&ended, Style::PLAIN, Detail::Brief);
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for says in [
            "`--fail command.a` never happened: the step had nothing to begin;",
            "`--fail command.b` never happened: the step was blocked by command.x,",
        ] {
            assert!(flat.contains(says), "{text}");
        }
    }

    #[test]
    fn what_nothing_stands_in_for_is_shown_as_the_block_that_would() {
        let text = report(&ended(Vec::new()), Style::PLAIN, Detail::Brief);
        let block = "  program \"bin/site\" {\n    args = [\"is up\", \"$${x}\"]\n    exit = 0";
        assert!(text.contains(block), "{text}");
    }

    #[test]
    fn objectives_are_judged_in_words() {
        let text = report(&ended(Vec::new()), Style::PLAIN, Detail::Brief);
        assert!(
            text.contains("1h 5m, OVER the objective of 1h by 5m"),
            "{text}"
        );
        assert!(text.contains("NOT KNOWN"), "{text}");
        assert!(
            text.contains("nightly of 2026-01-05 03:00:00 UTC"),
            "{text}"
        );
    }

    #[test]
    fn the_full_form_cuts_no_evidence() {
        let report_of = |detail| {
            report(
                &ended(vec![("command.a", Outcome::Done)]),
                Style::PLAIN,
                detail,
            )
        };
        assert!(report_of(Detail::Brief).contains('…'));
        let full = report_of(Detail::Full);
        assert!(!full.contains('…'));
        assert_eq!(full.matches("claim").count(), 30);
    }
}
