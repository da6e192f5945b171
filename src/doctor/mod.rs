//! What stands in the way of a recovery, looked for on a quiet day. Pure: what was found comes as data.

mod lifetime;
mod room;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use drplan_api::Address;
use drplan_api::ConnId;
use drplan_api::TargetState;
use serde::Serialize;

use crate::diag::Code;
use crate::plan::Do;
use crate::plan::Plan;
use crate::plan::Summary;
use crate::plan::some;
use crate::render::style::count;
use crate::rights::Rights;

pub use lifetime::lasts_s;
pub use lifetime::lifetime;
pub use room::room;
pub use room::wanted;

/// From which difference between two clocks on somebody should look, in milliseconds.
const SKEW_WARNS_MS: i64 = 2_000;
/// From which difference on locks and signatures are no longer sure, in milliseconds.
const SKEW_BREAKS_MS: i64 = 30_000;
/// How much room is left for logs and journals beside the dumps, in bytes.
const SPACE_LEFT_MIN: u64 = 1 << 30;
/// How many steps a sentence names.
const NAMED_MAX: usize = 3;

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As it must be.
    Good,
    /// It cannot be told yet, and need not be.
    Open,
    /// Somebody should look.
    Warning,
    /// A recovery would fail.
    Bad,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Item {
    /// What: a connection, a program, `disk`.
    pub name: String,
    /// How it is.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What to do, if there is something.
    pub hint: Option<String>,
}

impl Item {
    fn new(name: impl Into<String>, state: State, found: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            state,
            found: found.into(),
            hint: None,
        }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A program that steps start.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tool {
    /// The program and the arguments by which it tells its version.
    pub argv: Vec<String>,
    /// The steps that start it.
    pub used_by: BTreeSet<Address>,
}

/// Judges a target. `ahead_ms` is how far its clock is before ours.
pub fn target(conn: &ConnId, state: Option<&TargetState>, ahead_ms: Option<i64>) -> Item {
    let name = conn.as_str();
    match state {
        None => Item::new(name, State::Open, "nothing was asked of it"),
        Some(TargetState::NotYet { made_by }) => {
            let found = format!("is made by {}", some(made_by.iter(), NAMED_MAX));
            Item::new(name, State::Open, found)
        }
        Some(TargetState::Lost { domain }) => Item::new(
            name,
            State::Open,
            format!("lies in `{domain}`, which is lost"),
        ),
        Some(TargetState::Unreadable(error)) => {
            let item = Item::new(name, State::Bad, error.to_string());
            match &error.hint {
                Some(hint) => item.hint(hint.clone()),
                None => item,
            }
        }
        Some(TargetState::Ready(_)) => answering(name, ahead_ms),
    }
}

fn answering(name: &str, ahead_ms: Option<i64>) -> Item {
    let Some(ahead_ms) = ahead_ms else {
        return Item::new(name, State::Good, "answers");
    };
    let off = ahead_ms.abs();
    if off < SKEW_WARNS_MS {
        return Item::new(name, State::Good, "answers; its clock is ours");
    }
    let state = if off < SKEW_BREAKS_MS {
        State::Warning
    } else {
        State::Bad
    };
    let way = if ahead_ms > 0 { "before" } else { "behind" };
    let found = format!("answers; its clock is {} s {way} ours", off / 1000);
    Item::new(name, state, found)
        .hint("set the clocks: tokens, signatures and locks expire by them")
}

/// Judges a program: `said` is its version, or where it was found, or why it cannot be used.
pub fn tool(tool: &Tool, said: Result<String, String>) -> Item {
    let name = tool.argv.first().map_or("", String::as_str);
    match said {
        Ok(said) => Item::new(name, State::Good, said),
        Err(why) => {
            let users = some(tool.used_by.iter(), NAMED_MAX);
            Item::new(name, State::Bad, format!("{why}; {users} needs it"))
                .hint("install it on every machine that may recover")
        }
    }
}

/// Judges the room for dumps, which must lie on disk while they are restored.
pub fn disk(folder: &str, free: u64, dumps: u64) -> Item {
    const MIB: u64 = 1 << 20;
    let found = format!(
        "{} MiB free in `{folder}`; the dumps of the plan take {} MiB",
        free / MIB,
        dumps.div_ceil(MIB)
    );
    let wanted = dumps.saturating_add(SPACE_LEFT_MIN);
    if free >= wanted {
        return Item::new("disk", State::Good, found);
    }
    let state = if free < dumps {
        State::Bad
    } else {
        State::Warning
    };
    Item::new("disk", state, found).hint(format!("make room for {} MiB", wanted.div_ceil(MIB)))
}

/// How large the dumps are together that the plan restores from, in bytes.
pub fn dump_bytes(plan: &Plan) -> u64 {
    let used: BTreeSet<&Address> = plan
        .points
        .iter()
        .filter(|point| point.used)
        .map(|point| &point.address)
        .collect();
    let steps = plan
        .steps
        .iter()
        .filter(|step| used.contains(&step.address));
    steps
        .filter_map(|step| step.outputs["bytes"].as_u64())
        .sum()
}

/// Judges the steps: what is in the way of one today is so in a recovery too.
pub fn steps(plan: &Plan) -> Vec<Item> {
    let stuck = plan.steps.iter().filter_map(|step| {
        let hint = match &step.what {
            Do::Conflict => "a person must decide: see `drplan why`",
            Do::Blocked { unreadable: true } => {
                "it could not be read, and must be readable by then"
            }
            Do::Blocked { unreadable: false } => "see `drplan why`",
            _ => return None,
        };
        let item = Item::new(step.address.as_str(), State::Bad, step.because.clone());
        Some(item.hint(hint))
    });
    let mut out: Vec<Item> = stuck.collect();
    if out.is_empty() {
        let acting = count(Summary::of(plan).acting, "step", "steps");
        let found = format!("{acting} to do, none blocked");
        out.push(Item::new("plan", State::Good, found));
    }
    let findings = plan.findings.iter();
    // Rights have items of their own.
    let findings =
        findings.filter(|f| f.code != Code::RightMissing.as_str() && f.severity != "note");
    out.extend(findings.map(|finding| {
        let name = finding.address.as_deref().unwrap_or("plan");
        let item = Item::new(name, State::Warning, finding.message.clone());
        match finding.hints.first() {
            Some(hint) => item.hint(hint.clone()),
            None => item,
        }
    }));
    out
}

/// Judges the rights that were asked for.
pub fn rights(rights: &Rights) -> Vec<Item> {
    let missing = rights
        .conns
        .iter()
        .map(|(conn, needed)| (conn, needed.missing().count()));
    let mut out: Vec<Item> = missing
        .filter(|(_, n)| *n > 0)
        .map(|(conn, n)| {
            let found = format!(
                "`{conn}` refuses {}",
                crate::render::style::count(n as u64, "right", "rights")
            );
            Item::new("rights", State::Bad, found)
                .hint(format!("see: drplan permissions --connection {conn}"))
        })
        .collect();
    let is_refused = !out.is_empty();
    let unheard = rights.conns.iter();
    let unheard = unheard.filter_map(|(conn, needed)| Some((conn, needed.unheard()?)));
    out.extend(unheard.map(|(conn, why)| {
        let found = format!("`{conn}` does not tell its rights: {why}");
        Item::new("rights", State::Open, found)
    }));
    let is_heard = rights.conns.values().any(|needed| !needed.said.is_empty());
    if !is_refused && (is_heard || out.is_empty()) {
        let found = "nothing that could be asked is refused";
        out.push(Item::new("rights", State::Good, found));
    }
    out
}

/// Judges the sensitive values that apply needs.
pub fn secrets(needed: &[String], is_given: impl Fn(&str) -> bool) -> Item {
    let missing: Vec<&str> = needed
        .iter()
        .map(String::as_str)
        .filter(|name| !is_given(name))
        .collect();
    if missing.is_empty() {
        return Item::new("secrets", State::Good, format!("{} given", needed.len()));
    }
    Item::new(
        "secrets",
        State::Warning,
        format!("not given here: {}", missing.join(", ")),
    )
    .hint("apply asks for them before it starts: let whoever is on call have them")
}

/// Judges where runs are kept.
pub fn runs(place: &str, held: Result<Option<String>, String>, outlives: bool) -> Item {
    match held {
        Err(why) => Item::new("runs", State::Bad, why)
            .hint("nothing is begun without a place for journal and lock"),
        Ok(Some(holder)) => Item::new(
            "runs",
            State::Warning,
            format!("the lock is held: {holder}"),
        )
        .hint("see: drplan status"),
        Ok(None) if outlives => Item::new(
            "runs",
            State::Good,
            format!("kept in {place}; nobody holds the lock"),
        ),
        Ok(None) => Item::new(
            "runs",
            State::Warning,
            format!("kept in {place}, on this machine alone"),
        )
        .hint("a `run_store` in a bucket lets another machine go on with a run"),
    }
}

/// The programs of all steps, each once.
pub fn tools(plan: &Plan, of: impl Fn(&crate::plan::Step) -> Vec<Vec<String>>) -> Vec<Tool> {
    let mut out: BTreeMap<Vec<String>, BTreeSet<Address>> = BTreeMap::new();
    for step in &plan.steps {
        for argv in of(step) {
            out.entry(argv).or_default().insert(step.address.clone());
        }
    }
    let tools = out
        .into_iter()
        .map(|(argv, used_by)| Tool { argv, used_by });
    tools.collect()
}

#[cfg(test)]
mod tests {
    use drplan_api::Right;
    use drplan_api::Verdict;

    use super::*;
    use crate::rights::Needed;

    #[test]
    fn clocks_that_differ_are_named_and_from_some_point_on_break_a_recovery() {
        for (ahead_ms, state) in [
            (0, State::Good),
            (-1_999, State::Good),
            (2_000, State::Warning),
            (-30_000, State::Bad),
        ] {
            let item = answering("kubernetes.site", Some(ahead_ms));
            assert_eq!(item.state, state, "{}", item.found);
        }
        assert!(
            answering("c", Some(-40_000))
                .found
                .contains("40 s behind ours")
        );
    }

    #[test]
    fn room_is_wanted_for_the_dumps_and_something_beside_them() {
        let gib = 1 << 30;
        for (free, state) in [
            (3 * gib, State::Good),
            (2 * gib + 1, State::Warning),
            (gib, State::Bad),
        ] {
            assert_eq!(disk("here", free, 2 * gib).state, state);
        }
    }

    #[test]
    fn rights_that_nobody_could_be_asked_for_are_not_called_well() {
        let right = Right::new("patch", "configmaps");
        let said = |allowed| {
            let why = String::new();
            BTreeMap::from([(right.clone(), Verdict { allowed, why })])
        };
        let needed = |unread: Option<&str>, said| Needed {
            plan: BTreeSet::from([right.clone()]),
            unread: unread.map(str::to_owned),
            said,
            ..Needed::default()
        };
        let (well, refused) = (|| needed(None, said(true)), || needed(None, said(false)));
        let mute = || needed(Some("401"), BTreeMap::new());
        for (conns, states) in [
            (vec![], vec![State::Good]),
            (vec![well()], vec![State::Good]),
            (vec![mute()], vec![State::Open]),
            (vec![mute(), well()], vec![State::Open, State::Good]),
            (vec![mute(), refused()], vec![State::Bad, State::Open]),
        ] {
            let conns = conns.into_iter().enumerate();
            let conns = conns.map(|(i, needed)| (ConnId::new(format!("kubernetes.k{i}")), needed));
            let items = rights(&Rights {
                conns: conns.collect(),
                untold: Vec::new(),
            });
            let found: Vec<State> = items.iter().map(|item| item.state).collect();
            assert_eq!(found, states, "{items:?}");
        }
    }

    #[test]
    fn a_place_on_this_machine_alone_is_a_warning() {
        assert_eq!(runs("here", Ok(None), false).state, State::Warning);
        assert_eq!(runs("s3", Ok(None), true).state, State::Good);
        assert_eq!(
            runs("s3", Err("refused".to_owned()), true).state,
            State::Bad
        );
    }
}
