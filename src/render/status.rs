//! Where a run stands, for people.

use drplan_api::Address;

use super::run::counts;
use super::run::left;
use super::style::Style;
use super::style::Tone;
use super::style::count;
use super::style::in_one_line;
use super::style::time;
use crate::report::Standing;
use crate::report::State;

/// A run, who holds the lock, the command that goes on, and older runs. `here` is the folder of who looks: relative
/// paths of a command that the run has kept start in its own.
pub fn status<'a>(
    standing: &Standing,
    lock: Option<&str>,
    here: &str,
    older: impl Iterator<Item = &'a str>,
    style: Style,
) -> String {
    let mut out = vec![headline(standing, style)];
    let f = &standing.frontier;
    out.push(counts(f, goes_on(standing)));
    out.extend(begun(standing));
    let unknown = standing.programs_unknown.as_ref();
    out.extend(unknown.map(|why| format!("  {} {why}", style.paint(Tone::Bad, "!"))));
    for (address, because) in &f.failed {
        let mark = style.paint(Tone::Bad, "!");
        out.push(format!("  {mark} {address}: {}", in_one_line(because)));
    }
    for (address, ask) in &f.waiting {
        let mark = style.paint(Tone::Ask, "?");
        out.push(format!("  {mark} {address}: {}", in_one_line(ask)));
    }
    for (address, because) in &f.skipped {
        let because = in_one_line(because);
        out.push(format!("    {address}: left out: {because}"));
    }
    // While a run goes on, what it paused is meant to stand still.
    if !matches!(standing.state, State::Running) {
        out.extend(left(f));
    }
    out.push(match lock {
        Some(about) => format!("  lock: held by {about}"),
        None => "  lock: free".to_owned(),
    });
    if !f.next.is_empty() {
        let place = match !f.from.is_empty() && f.from != here {
            true => format!(", in `{}`", f.from),
            false => String::new(),
        };
        out.push(format!("  next{place}: {}", f.next));
    }
    let older: Vec<&str> = older.collect();
    if !older.is_empty() {
        out.push(style.paint(Tone::Dim, &format!("  earlier runs: {}", older.join(", "))));
    }
    out.join("\n") + "\n"
}

fn goes_on(standing: &Standing) -> bool {
    matches!(standing.state, State::Running | State::Paused { .. })
}

/// What runs; of a run that goes on no more, what it left.
fn begun(standing: &Standing) -> Vec<String> {
    let told = |address: &Address| match standing.running.get(address) {
        Some(since) if goes_on(standing) => format!("runs since {}", since.strftime("%T UTC")),
        Some(since) => format!(
            "begun at {}, and nobody heard of its end; it is probed when applied again",
            since.strftime("%T UTC")
        ),
        None => "left at a safe point; it is probed when applied again".to_owned(),
    };
    let begun = standing.frontier.running.iter();
    let begun = begun.map(|address| match standing.programs.get(address) {
        Some(group) => format!("    {address}: {}; {}", told(address), runs_in(group)),
        None => format!("    {address}: {}", told(address)),
    });
    let is_told = |address: &&Address| standing.frontier.running.contains(*address);
    let programs = standing.programs.iter();
    let programs = programs.filter(|(address, _)| !is_told(address));
    let programs = programs.map(|(address, group)| format!("    {address}: {}", runs_in(group)));
    begun.chain(programs).collect()
}

fn runs_in(group: &str) -> String {
    format!(
        "its program still runs, in process group {group}: apply waits for it, `kill -- -{group}` ends it"
    )
}

fn headline(standing: &Standing, style: Style) -> String {
    let (tone, state) = match &standing.state {
        State::Running => (Tone::Change, "goes on".to_owned()),
        State::Paused { because } => (Tone::Ask, format!("is paused: {because}")),
        State::Ended { exit_code: 0 } if standing.is_part => (
            Tone::Change,
            "has ended well, and did only a part: it is NOT a whole recovery".to_owned(),
        ),
        State::Ended { exit_code: 0 } => (Tone::Good, "has ended well".to_owned()),
        State::Ended { exit_code } => (Tone::Bad, format!("has ended with exit code {exit_code}")),
        State::Died if standing.programs_unknown.is_some() => (
            Tone::Bad,
            "has died: it did not end, and whether a program still runs is not known".to_owned(),
        ),
        State::Died if standing.programs.is_empty() => (
            Tone::Bad,
            "has died: it did not end, and nothing goes on".to_owned(),
        ),
        State::Died => (
            Tone::Bad,
            "has died: it did not end, and a program still runs".to_owned(),
        ),
    };
    let began = standing
        .began_at
        .map_or(String::new(), |at| format!(", began {}", time(at)));
    let took = count(standing.seconds, "second", "seconds");
    format!(
        "Run {} of recovery `{}` {}{began}, {took}",
        standing.run,
        standing.recovery,
        style.paint(tone, &state),
    )
}
