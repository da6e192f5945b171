//! A plan as Markdown, for a comment on a pull request: what decides first, each step folded away, and
//! never more than a number of bytes.

use std::fmt::Write as _;

use super::details;
use super::details::Details;
use super::details::Line;
use super::page::Page;
use super::says;
use super::steps::is_shown;
use super::steps::say;
use super::steps::symbol;
use crate::plan::Finding;
use crate::plan::Plan;
use crate::plan::Point;
use crate::plan::Step;
use crate::plan::Summary;
use crate::render::markdown::code;
use crate::render::markdown::fence;
use crate::render::markdown::html;
use crate::render::markdown::plain;
use crate::render::style::cut;
use crate::render::style::cut_within;
use crate::render::style::span;
use crate::render::style::time;

/// How many bytes there are if nobody says. GitHub takes 65,536 characters, and no character has less
/// than a byte.
pub(crate) const BYTES_MAX: usize = 65_000;
/// The fewest bytes: what stands before all lists has room in them.
pub(crate) const BYTES_MIN: usize = 4_096;

/// How many bytes one text takes, drawn.
const TEXT_BYTES_MAX: usize = 600;
/// How many characters of a step stand where it is folded.
const FOLDED_CHARACTERS_MAX: usize = 140;
/// How many characters of a name stand in the mark, in the title and where a step is folded.
const NAME_CHARACTERS_MAX: usize = 100;
/// How many lines a list has.
const LIST_LINES_MAX: usize = 10;
/// How many bytes one text diff or one long command takes.
const BLOCK_BYTES_MAX: usize = 8_000;
/// How many bytes the details of one step take.
const STEP_BYTES_MAX: usize = 12_000;

/// The plan within a number of bytes, `BYTES_MIN` at least.
pub fn markdown(plan: &Plan, bytes_max: usize) -> String {
    let mut page = Page::of(bytes_max.max(BYTES_MIN));
    head(plan, &mut page);
    for (title, texts) in [
        ("In the way", says::conflicts(plan)),
        ("Blocked", says::blocked(plan)),
        ("Cannot be undone", says::irreversible(plan)),
        ("Overwrites", says::overwrites(plan)),
        ("Takes effect at", says::cutovers(plan)),
        ("Needs a person", says::gates(plan)),
    ] {
        add_list(&mut page, title, &drawn(&texts));
    }
    let warnings: Vec<String> = says::warnings_of_steps(plan).collect();
    let findings = plan.findings.iter().map(finding);
    let findings: Vec<String> = findings.chain(drawn(&warnings)).collect();
    add_list(&mut page, "Warnings", &findings);
    let points: Vec<String> = says::used(plan).map(|p| point(plan, p)).collect();
    add_list(&mut page, "Recovery points", &points);
    times(plan, &mut page);
    steps(plan, page)
}

/// What always has room: the mark by which a bot finds its earlier comment, what must be said before
/// anything else, and the counts.
fn head(plan: &Plan, page: &mut Page) {
    let recovery = cut(&plan.head.recovery, NAME_CHARACTERS_MAX);
    page.add(&format!("<!-- drplan plan {} -->\n", mark(&recovery)));
    for notice in plan.notices() {
        page.add(&format!("> **{}**\n\n", text(&notice)));
    }
    page.add(&format!("### Recovery plan {}\n\n", code(&recovery)));
    page.add(&format!("**{}**\n\n", text(&says::counts(plan))));
    let lost: Vec<String> = says::lost(plan).into_iter().map(|(lost, _)| lost).collect();
    let mut lines = vec![format!("Lost: {}", lost.join("; "))];
    if Summary::of(plan).incomplete {
        lines.push(format!("INCOMPLETE: {}", says::MAKE_READABLE));
    }
    lines.extend(says::all_can_be_undone(plan).map(|t| format!("Cannot be undone: {t}")));
    lines.extend(says::nobody_is_asked(plan).map(|t| format!("Needs a person: {t}")));
    lines.extend(says::unsure(plan).map(|t| format!("Unsure: {t}")));
    for line in lines {
        page.add(&format!("- {}\n", text(&line)));
    }
    page.add("\n");
}

/// A name inside of a comment that nobody sees, and that it cannot end.
fn mark(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    name.chars()
        .map(|c| if is_plain(c) { c } else { '_' })
        .collect()
}

fn drawn(texts: &[String]) -> Vec<String> {
    texts.iter().map(|t| text(t)).collect()
}

/// A text that takes at most so many bytes as it is drawn. What to do stands at its end, which is kept.
fn text(text: &str) -> String {
    let mut characters = TEXT_BYTES_MAX;
    loop {
        let drawn = plain(&cut_within(text, characters));
        if drawn.len() <= TEXT_BYTES_MAX {
            return drawn;
        }
        characters = characters * 3 / 4;
    }
}

/// A list behind its count; what does not fit into the page is counted.
fn add_list(page: &mut Page, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    page.add(&format!("**{title}: {}**\n\n", lines.len()));
    let more = lines.len().saturating_sub(LIST_LINES_MAX);
    for line in lines.iter().take(LIST_LINES_MAX) {
        page.add(&format!("- {line}\n"));
    }
    if more > 0 {
        page.add(&format!("- and {more} more\n"));
    }
    page.add("\n");
}

fn finding(finding: &Finding) -> String {
    let hints = finding.hints.iter().map(|h| format!("; hint: {h}"));
    let hints: String = hints.collect();
    text(&format!("{}{hints}", says::finding(finding)))
}

/// A recovery point with what is lost against what may be.
fn point(plan: &Plan, point: &Point) -> String {
    let mut out = text(&says::point(point));
    let verdict = match plan.head.rpo_s.map(span) {
        None => "no objective is given".to_owned(),
        Some(rpo) if point.violates_rpo => format!("**MORE than the objective {rpo}**"),
        Some(rpo) => format!("within the objective {rpo}"),
    };
    let _ = write!(out, " ({verdict})");
    if let Some(why) = &point.incomplete {
        let _ = write!(out, "; **incomplete**: {}", text(why));
    }
    out
}

fn times(plan: &Plan, page: &mut Page) {
    let (lost, verdict) = says::data_lost(plan);
    let verdict = verdict.map_or(String::new(), |(text, _)| format!(" ({text})"));
    page.add(&format!(
        "**Data lost:** {}\n\n",
        text(&format!("{lost}{verdict}"))
    ));
    if let Some((said, _)) = super::time::said_of(plan) {
        page.add(&format!("**Time:** {}\n\n", text(&said)));
    }
}

/// Every step folded away, as many as there is room for, and the last words.
fn steps(plan: &Plan, mut page: Page) -> String {
    let details = Details::of(plan);
    let shown = plan.steps.iter().enumerate();
    let shown: Vec<(usize, &Step)> = shown.filter(|(_, s)| is_shown(s)).collect();
    page.add(&match shown.len() {
        0 => "Nothing is left to do.\n\n".to_owned(),
        n => format!("**Steps: {n}**\n\n"),
    });
    let fitting = shown
        .iter()
        .take_while(|(i, step)| page.add(&folded(step, &details.lines(*i))))
        .count();
    let missing = shown.len() - fitting;
    let read = time(plan.head.observed_at);
    let mut words = String::new();
    if missing > 0 {
        words = format!(
            "**The details of {missing} of {} steps are left out**, since this text may have only so \
             many bytes. All of them: `drplan plan --full`, or `drplan show --full PLAN`.\n\n",
            shown.len()
        );
    } else if page.is_full() {
        words = "**What follows is left out**, since this text may have only so many bytes. All of it: \
                 `drplan plan --full`, or `drplan show --full PLAN`.\n\n"
            .to_owned();
    }
    page.end(&format!(
        "{words}<sub>read {read}, drplan {}</sub>\n",
        mark(&cut(&plan.head.tool, 20))
    ))
}

fn folded(step: &Step, lines: &[Line]) -> String {
    let (sign, _) = symbol(step);
    let address = cut(step.address.as_str(), NAME_CHARACTERS_MAX);
    let said = say(step);
    let short = cut(&said, FOLDED_CHARACTERS_MAX);
    let mut out = format!(
        "<details>\n<summary>{}: {}</summary>\n\n",
        html(&format!("`{sign} {address}`")),
        html(&short)
    );
    let _ = writeln!(out, "- {}", text(&details::place(step).join(", ")));
    if short != said {
        let _ = writeln!(out, "- {}", text(&said));
    }
    for (n, line) in lines.iter().enumerate() {
        let piece = piece(line);
        if out.len() + piece.len() > STEP_BYTES_MAX {
            let _ = writeln!(out, "- and {} more", lines.len() - n);
            break;
        }
        out.push_str(&piece);
    }
    out.push_str("\n</details>\n\n");
    out
}

fn piece(line: &Line) -> String {
    match line {
        Line::Fact(fact) | Line::Value(fact) => format!("- {}\n", text(fact)),
        Line::Command(what, command) if command.contains('\n') => {
            format!("- {what}:\n{}", block(command, "sh"))
        }
        Line::Command(what, command) => {
            format!("- {what}: {}\n", code(&cut(command, TEXT_BYTES_MAX)))
        }
        Line::Warning(warning) => format!("- **warning:** {}\n", text(warning)),
        Line::Diff(diff) => block(diff, "diff"),
    }
}

fn block(text: &str, language: &str) -> String {
    let mut lines = vec![String::new()];
    fence(
        &details::bounded(text, BLOCK_BYTES_MAX),
        language,
        "",
        &mut lines,
    );
    lines.push(String::new());
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests;
