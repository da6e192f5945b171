//! What was found out about a run's evidence, for people.

use super::style::Style;
use super::style::Tone;
use super::style::count;
use crate::report::Kept;
use crate::report::Verified;

/// All of it. `again` checks it once more, against the head that it has now.
pub fn verified(verified: &Verified, again: &str, style: Style) -> String {
    let mut out = Vec::new();
    let (tone, verdict) = if verified.holds {
        (Tone::Good, "holds")
    } else {
        (Tone::Bad, "does NOT hold")
    };
    let verdict = format!("The evidence of run {} {verdict}.", verified.run);
    out.push(style.paint(tone, &verdict));
    for fault in &verified.faults {
        out.push(format!("  {} {fault}", style.paint(Tone::Bad, "!")));
    }
    if verified.records > 0 {
        let records = count(verified.records, "record", "records");
        out.push(format!("  journal  {records}, in one chain"));
        out.push(format!("  end      {}", end(verified)));
        out.push(format!("  plan     {}", verified.plan));
        out.push(format!("  head     {}", verified.head));
        out.push(String::new());
        out.push(meaning(verified, again));
    }
    out.join("\n") + "\n"
}

fn end(verified: &Verified) -> String {
    match (verified.exit_code, verified.torn) {
        (Some(code), _) => format!("exit code {code}"),
        (None, true) => {
            "none; the last line was begun and not finished: the run was killed".to_owned()
        }
        (None, false) => "none: the run was killed or still goes on, or lines were cut off; the \
                          journal alone cannot tell which"
            .to_owned(),
    }
}

fn meaning(verified: &Verified, again: &str) -> String {
    match verified.signed {
        Some(true) if !verified.holds => {
            return "The head is signed by the key that was given, and yet not all of it fits: see above."
                .to_owned();
        }
        Some(true) => {
            return "The head is signed by the key that was given: nothing was changed since."
                .to_owned();
        }
        Some(false) => return "The head is NOT signed by the key that was given.".to_owned(),
        None => {}
    }
    match verified.kept {
        Some(Kept::Same) => {
            "The head is the one that was kept: nothing was changed since.".to_owned()
        }
        Some(_) => "The chain is whole, but it is not the one whose head was kept.".to_owned(),
        None => format!(
            "No signature was checked: whoever can write the journal can write all of it anew. It is \
             proof only\ntogether with a head that was kept elsewhere. Keep this one, and later:\n  {again}"
        ),
    }
}
