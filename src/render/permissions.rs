//! What each target must allow.

use std::collections::BTreeSet;

use drplan_api::Address;
use drplan_api::Json;
use drplan_api::Right;
use serde_json::json;

use super::style::Style;
use super::style::Tone;
use super::style::count;
use super::style::whole;
use crate::plan::Plan;
use crate::plan::some;
use crate::rights::Needed;
use crate::rights::Rights;

/// The version of the document.
const FORMAT_VERSION: &str = "1.0";
/// How many steps a line names.
const NAMED_MAX: usize = 2;

/// All rights by target, those to plan first.
pub fn text(plan: &Plan, rights: &Rights, style: Style) -> String {
    let mut out = plan.notices();
    for (conn, needed) in &rights.conns {
        out.push(style.paint(Tone::Head, conn.as_str()));
        out.extend(needed_lines(needed, style));
        out.push(String::new());
    }
    if !rights.untold.is_empty() {
        out.push(style.paint(
            Tone::Head,
            "What these steps take beside that cannot be told",
        ));
        let untold = rights.untold.iter();
        out.extend(untold.map(|(address, why)| format!("  {address}: {why}")));
        out.push(String::new());
    }
    out.push(summary(rights, style));
    out.join("\n") + "\n"
}

fn needed_lines(needed: &Needed, style: Style) -> Vec<String> {
    let mut out = Vec::new();
    if let Some(why) = &needed.unread {
        let text = format!("It was not read: {why}. What reading it takes is not all known.");
        let lines = whole(&text, style.width.saturating_sub(2));
        out.extend(lines.iter().map(|line| format!("  {line}")));
    }
    let plan: Vec<Line> = lines(needed.plan.iter().map(|right| (right, None)));
    if !plan.is_empty() {
        out.push("  to plan".to_owned());
        for line in &plan {
            let lacks = line.rights.iter().any(|right| needed.lacks(right));
            let word = if lacks {
                style.paint(Tone::Bad, ": REFUSED")
            } else {
                String::new()
            };
            out.push(format!("    {}{word}", line.text()));
        }
    }
    let steps = needed.apply.iter();
    let apply: Vec<Line> = lines(steps.map(|(right, steps)| (right, Some(steps))));
    if !apply.is_empty() {
        out.push("  to apply, beside that".to_owned());
        for line in &apply {
            let (word, tone) = line.verdict(needed);
            let word = style.paint(tone, word);
            out.push(format!("    {}: {word}", line.text()));
            let lacking = line.rights.iter().filter(|right| needed.lacks(right));
            out.extend(lacking.map(|right| refused(needed, right, style)));
            out.push(style.paint(Tone::Dim, &format!("      {}", users(&line.steps))));
        }
    }
    out
}

/// The rights to one sort of thing in one place.
struct Line<'r> {
    rights: Vec<&'r Right>,
    steps: BTreeSet<&'r Address>,
}

/// Rights stand in order of what they are about.
fn lines<'r>(
    rights: impl Iterator<Item = (&'r Right, Option<&'r BTreeSet<Address>>)>,
) -> Vec<Line<'r>> {
    let mut out: Vec<Line<'_>> = Vec::new();
    for (right, steps) in rights {
        let last = out.last_mut().filter(|line| line.is_about(right));
        let steps = steps.into_iter().flatten();
        match last {
            Some(line) => {
                line.rights.push(right);
                line.steps.extend(steps);
            }
            None => out.push(Line {
                rights: vec![right],
                steps: steps.collect(),
            }),
        }
    }
    out
}

impl Line<'_> {
    fn is_about(&self, right: &Right) -> bool {
        let of = |r: &Right| (r.on.clone(), r.within.clone());
        self.rights
            .first()
            .is_some_and(|first| of(first) == of(right))
    }

    fn text(&self) -> String {
        let verbs: BTreeSet<&str> = self.rights.iter().map(|r| r.verb.as_str()).collect();
        let names: BTreeSet<&str> = self
            .rights
            .iter()
            .filter_map(|r| r.name.as_deref())
            .collect();
        let verbs = verbs.into_iter().collect::<Vec<_>>().join(", ");
        let first = self.rights.first();
        let mut out = format!("{verbs} {}", first.map_or("", |right| &right.on));
        if let Some(within) = first.and_then(|right| right.within.as_deref()) {
            out = format!("{out} in `{within}`");
        }
        match (names.len(), names.first()) {
            (1, Some(name)) => format!("{out} (`{name}`)"),
            (0, _) => out,
            (n, _) => format!("{out} ({n} by name)"),
        }
    }

    /// The worst that is known of one of them.
    fn verdict(&self, needed: &Needed) -> (&'static str, Tone) {
        let mut verdicts = self.rights.iter().map(|right| needed.verdict(right));
        if verdicts.clone().flatten().any(|verdict| !verdict.allowed) {
            ("REFUSED", Tone::Bad)
        } else if verdicts.all(|verdict| verdict.is_some()) {
            ("allowed", Tone::Good)
        } else {
            ("not asked", Tone::Dim)
        }
    }
}

/// One right that is refused, and what the system says of it.
fn refused(needed: &Needed, right: &Right, style: Style) -> String {
    let why = needed.verdict(right).map_or("", |verdict| &verdict.why);
    let colon = if why.is_empty() { "" } else { ": " };
    style.paint(Tone::Bad, &format!("      ! {right}{colon}{why}"))
}

fn users(steps: &BTreeSet<&Address>) -> String {
    match steps.is_empty() {
        true => "the run store".to_owned(),
        false => some(steps.iter().copied(), NAMED_MAX),
    }
}

fn summary(rights: &Rights, style: Style) -> String {
    let conns = rights.conns.values();
    let plan: usize = conns.clone().map(|needed| needed.plan.len()).sum();
    let apply: usize = conns.clone().map(|needed| needed.apply.len()).sum();
    let refused: usize = conns.map(|needed| needed.missing().count()).sum();
    let said = format!(
        "{} to plan, {apply} more to apply.",
        count(plan as u64, "right", "rights")
    );
    match refused {
        0 => said,
        n => format!(
            "{said} {}",
            style.paint(Tone::Bad, &format!("{n} REFUSED."))
        ),
    }
}

/// The same as one JSON document.
pub fn json(plan: &Plan, rights: &Rights) -> Json {
    let conns = rights.conns.iter().map(|(conn, needed)| {
        let apply = needed
            .apply
            .iter()
            .map(|(right, steps)| asked(needed, right, steps));
        json!({
            "connection": conn,
            "plan": needed.plan,
            "apply": apply.collect::<Vec<_>>(),
            "unread": needed.unread,
        })
    });
    let untold = rights.untold.iter();
    let untold = untold.map(|(address, why)| json!({"address": address, "why": why}));
    json!({
        "format_version": FORMAT_VERSION,
        "recovery": plan.head.recovery,
        "observed_at": plan.head.observed_at,
        "connections": conns.collect::<Vec<_>>(),
        "untold": untold.collect::<Vec<_>>(),
    })
}

fn asked(needed: &Needed, right: &Right, steps: &BTreeSet<Address>) -> Json {
    let verdict = needed.verdict(right);
    json!({
        "right": right,
        "steps": steps,
        "allowed": verdict.map(|v| v.allowed),
        "said": verdict.map(|v| &v.why),
    })
}
