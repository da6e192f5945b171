//! The differences that are meant, each with a reason.
//!
//! An entry that matches nothing any more is a mistake too. Knows nothing about why.

use std::fmt::Write as _;

use anyhow::Result;
use serde::Deserialize;

use crate::compare::Difference;
use crate::sequence;

/// One meant difference, or a group of them with the same reason.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intended {
    /// What differs, for readers of the documentation.
    pub what: String,
    /// Why it may.
    pub because: String,
    /// Where: `sequence step place`, with `*` for anything.
    pub places: Vec<String>,
}

/// Reads the list.
///
/// # Errors
///
/// When it cannot be read.
pub fn load() -> Result<Vec<Intended>> {
    sequence::yaml(&sequence::root().join("differences.yaml"))
}

/// What is left when meant differences are taken away.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    /// Differences that nobody meant.
    pub unintended: Vec<Difference>,
    /// Differences that were meant.
    pub intended: Vec<Difference>,
    /// Places of the list that differ no more.
    pub stale: Vec<String>,
}

/// Sorts differences by the list.
#[must_use]
pub fn judge(list: &[Intended], found: Vec<Difference>) -> Judged {
    let places: Vec<&String> = list.iter().flat_map(|entry| &entry.places).collect();
    let mut used = vec![false; places.len()];
    let mut judged = Judged::default();
    for difference in found {
        let text = format!(
            "{} {} {}",
            difference.sequence, difference.step, difference.at
        );
        let mut meant = false;
        for (place, used) in places.iter().zip(&mut used) {
            if matches(place, &text) {
                (*used, meant) = (true, true);
            }
        }
        if meant {
            judged.intended.push(difference);
        } else {
            judged.unintended.push(difference);
        }
    }
    let stale = places.iter().zip(&used).filter(|(_, used)| !**used);
    judged.stale = stale.map(|(place, _)| (*place).clone()).collect();
    judged
}

/// Matches a text by a pattern in which `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(place) = rest.find(part) else {
            return false;
        };
        rest = &rest[place + part.len()..];
    }
    rest.ends_with(last)
}

/// Writes the page that documents the list.
#[must_use]
pub fn page(list: &[Intended]) -> String {
    let mut text = String::from(
        "# Where the rehearsal world differs from the real one\n\n\
         The embedded Kubernetes API is held to recorded answers of a real kube-apiserver by a \
         suite of request\nsequences (`tests/conformance`). These differences are meant. An entry \
         that differs no more fails the suite.\n\n\
         This page is made from `tests/conformance/differences.yaml` by `cargo run -p \
         drplan-conformance -- docs`.\n\n",
    );
    if list.is_empty() {
        text.push_str("There are none.\n");
        return text;
    }
    text.push_str("| what differs | why | places |\n|---|---|---|\n");
    for entry in list {
        let places: Vec<String> = entry
            .places
            .iter()
            .map(|place| format!("`{place}`"))
            .collect();
        // Writing to a String cannot fail.
        writeln!(
            text,
            "| {} | {} | {} |",
            entry.what.trim(),
            entry.because.trim(),
            places.join("<br>")
        )
        .ok();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything_and_a_whole_place_must_match() {
        assert!(matches("a 1 /body/*", "a 1 /body/x/y"));
        assert!(matches("* */items/*/kind", "list 2 /body/items/0/kind"));
        assert!(!matches("a 1 /body", "a 1 /body/x"));
        assert!(!matches("a * /code", "a 1 /body"));
    }

    #[test]
    fn an_entry_that_differs_no_more_is_named() {
        let list = [Intended {
            what: "w".into(),
            because: "b".into(),
            places: vec!["gone 1 /code".into()],
        }];
        assert_eq!(judge(&list, Vec::new()).stale, ["gone 1 /code"]);
    }
}
