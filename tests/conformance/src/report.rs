//! Says in words how two runs compare.
//!
//! Knows nothing about running.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use crate::compare::Difference;
use crate::differences::Judged;

/// How many characters of a value are shown.
const VALUE_CHARS_MAX: usize = 300;

/// How the sequences of one run came out.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Sequences that ran.
    pub sequences: usize,
    /// Steps in them.
    pub steps: usize,
    /// Sequences that could not run to their end, and why.
    pub broken: BTreeMap<String, String>,
}

/// Counts and lists, as text.
#[must_use]
pub fn text(tally: &Tally, judged: &Judged) -> String {
    let names = |list: &[Difference]| -> BTreeSet<String> {
        list.iter().map(|found| found.sequence.clone()).collect()
    };
    let (wrong, meant) = (names(&judged.unintended), names(&judged.intended));
    let differing: BTreeSet<&String> = wrong.union(&meant).chain(tally.broken.keys()).collect();
    let mut text = String::new();
    // Writing to a String cannot fail.
    writeln!(
        text,
        "{} sequences ({} steps): {} equal, {} with intended differences ({} places), \
         {} different ({} places), {} broken off, {} intended differences that differ no more",
        tally.sequences,
        tally.steps,
        tally.sequences - differing.len(),
        meant.difference(&wrong).count(),
        judged.intended.len(),
        wrong.len(),
        judged.unintended.len(),
        tally.broken.len(),
        judged.stale.len(),
    )
    .ok();
    for (name, why) in &tally.broken {
        writeln!(text, "\n## {name}: broken off\n{why}").ok();
    }
    let mut last = "";
    for found in &judged.unintended {
        if found.sequence != last {
            writeln!(text, "\n## {}", found.sequence).ok();
            last = &found.sequence;
        }
        writeln!(
            text,
            "- step {} `{}` at `{}`\n  - real: `{}`\n  - here: `{}`",
            found.step,
            found.request,
            found.at,
            short(&found.real),
            short(&found.other)
        )
        .ok();
    }
    for place in &judged.stale {
        writeln!(text, "\n`differences.yaml`: `{place}` differs no more").ok();
    }
    text
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(VALUE_CHARS_MAX).collect()
}
