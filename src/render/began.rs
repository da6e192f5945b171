//! How a rehearsal began that began with a snapshot, for people.

use super::style::Style;
use super::style::Tone;
use super::style::time;
use super::style::whole;
use crate::rehearse::Began;
use crate::rehearse::Difference;
use crate::rehearse::Differs;

/// Writes what was loaded, what could not be, and what is planned otherwise.
pub fn text(began: &Began, style: Style) -> String {
    let at = time(began.observed_at);
    let mut out = vec![style.paint(Tone::Head, &format!("As it was at {at}"))];
    for one in &began.connections {
        let what = one.holds.join("; ");
        let line = format!("{} ({}): {what}", one.connection, one.part);
        out.extend(indented(2, &line, style));
        for lack in &one.lacks {
            let lines = indented(4, &format!("not known: {lack}"), style);
            out.extend(lines.iter().map(|line| style.paint(Tone::Change, line)));
        }
    }
    for note in &began.notes {
        out.extend(indented(2, note, style));
    }
    let (tone, said) = verdict(began);
    let lines = indented(2, &said, style);
    out.extend(lines.iter().map(|line| style.paint(tone, line)));
    for difference in &began.differences {
        out.extend(both(difference, style));
    }
    out.push(String::new());
    out.join("\n") + "\n"
}

/// Whether the world is planned as the snapshot is.
pub(super) fn verdict(began: &Began) -> (Tone, String) {
    let (same, steps) = (began.same(), began.steps);
    if same == steps {
        let text = format!("the world plans as the snapshot does: {same} of {steps} steps");
        let but: Vec<String> = [
            (Differs::Reason, "for another reason"),
            (Differs::StandIns, "but for what stands in for Secrets"),
        ]
        .into_iter()
        .map(|(so, how)| (began.different(so), how))
        .filter(|(n, _)| *n > 0)
        .map(|(n, how)| format!("{n} of them {how}"))
        .collect();
        return match but.is_empty() {
            true => (Tone::Good, text),
            false => (Tone::Change, format!("{text}, {}", but.join(", "))),
        };
    }
    let text = format!(
        "the world plans OTHERWISE than the snapshot: only {same} of {steps} steps are the same"
    );
    (Tone::Bad, text)
}

fn both(difference: &Difference, style: Style) -> Vec<String> {
    let same = match difference.differs {
        Differs::Decision => "",
        Differs::StandIns => " (the same, but for what stands in for Secrets)",
        Differs::Reason => " (the same, for another reason)",
    };
    let mut out = vec![format!("    {}{same}", difference.address)];
    let said = |text: &Option<String>| text.clone().unwrap_or_else(|| "no such step".to_owned());
    for (whose, text) in [
        ("in the world", said(&difference.world)),
        ("in the snapshot", said(&difference.snapshot)),
    ] {
        out.extend(indented(6, &format!("{whose}: {text}"), style));
    }
    out
}

/// A text in lines that begin so far to the right.
fn indented(by: usize, text: &str, style: Style) -> Vec<String> {
    let lines = whole(text, style.width.saturating_sub(by));
    lines
        .iter()
        .map(|line| format!("{:by$}{line}", ""))
        .collect()
}
