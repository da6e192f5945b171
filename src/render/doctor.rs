//! What was found in the way of a recovery.

use drplan_api::Json;
use serde_json::json;

use super::style::Style;
use super::style::Tone;
use super::style::count;
use super::style::whole;
use crate::doctor::Item;
use crate::doctor::State;
use crate::plan::Plan;

/// The version of the document.
const FORMAT_VERSION: &str = "1.0";

/// One line for each thing, with what to do below it.
pub fn text(items: &[Item], style: Style) -> String {
    const STATE_WIDTH: usize = 7;
    let longest = items.iter().map(|item| item.name.chars().count()).max();
    let width = longest.unwrap_or_default();
    let mut out = Vec::new();
    for item in items {
        let (word, tone) = match item.state {
            State::Good => ("ok", Tone::Good),
            State::Open => ("open", Tone::Dim),
            State::Warning => ("WARNING", Tone::Change),
            State::Bad => ("BAD", Tone::Bad),
        };
        let word = style.paint(tone, &format!("{word:STATE_WIDTH$}"));
        let indent = width + STATE_WIDTH + 4;
        let room = style.width.saturating_sub(indent);
        let mut lines = whole(&item.found, room).into_iter();
        let first = lines.next().unwrap_or_default();
        out.push(format!("{:width$}  {word}  {first}", item.name));
        let hint = item.hint.iter().flat_map(|hint| whole(hint, room));
        out.extend(
            lines
                .chain(hint)
                .map(|line| format!("{:indent$}{line}", "")),
        );
    }
    let of = |state: State| items.iter().filter(|item| item.state == state).count() as u64;
    let bad = count(of(State::Bad), "thing", "things");
    out.push(String::new());
    out.push(match (of(State::Bad), of(State::Warning)) {
        (0, 0) => "Nothing that can be told today stands in the way.".to_owned(),
        (0, n) => format!(
            "Nothing stands in the way; {}.",
            count(n, "warning", "warnings")
        ),
        (_, n) => format!("{bad} in the way; {}.", count(n, "warning", "warnings")),
    });
    out.join("\n") + "\n"
}

/// The same as one JSON document.
pub fn json(plan: &Plan, items: &[Item]) -> Json {
    json!({
        "format_version": FORMAT_VERSION,
        "recovery": plan.head.recovery,
        "observed_at": plan.head.observed_at,
        "items": items,
    })
}
