//! Two plans of one recovery, held against each other: what each of them does.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use drplan_api::Address;
use drplan_api::Breakdown;
use drplan_api::Change;
use drplan_api::ObjectLine;
use drplan_api::Timestamp;
use serde::Serialize;

use crate::plan::Do;
use crate::plan::Plan;
use crate::render::style::time;

/// What a step is called that is blocked.
const BLOCKED: &str = "blocked";
/// How many objects a line names.
const NAMES_MAX: usize = 5;

/// A step of which two plans say different things.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Which.
    pub address: Address,
    /// What differs.
    pub differs: Differs,
    /// What the plan of the world says; `None` if it has no such step.
    pub world: Option<String>,
    /// What the plan of the snapshot says; `None` if it has no such step.
    pub snapshot: Option<String>,
}

/// What two plans say differently of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Differs {
    /// What happens.
    Decision,
    /// What is said of objects whose values are stand-ins in the world, and nothing else.
    StandIns,
    /// Only why.
    Reason,
}

/// What a plan does at a step.
#[derive(Default)]
struct Done<'p> {
    word: &'static str,
    because: &'p str,
    diff: &'p [Change],
    breakdown: Option<&'p Breakdown>,
    /// The recovery points that are taken: name and instant.
    points: Vec<(&'p str, Timestamp)>,
}

/// The steps of which two plans say different things, and how many steps there are. `stand_ins` are the
/// objects whose values the world had to make up.
pub(super) fn compare(
    world: &Plan,
    snapshot: &Plan,
    stand_ins: &BTreeSet<&str>,
) -> (Vec<Difference>, usize) {
    let (here, there) = (done(world), done(snapshot));
    let addresses: BTreeSet<&Address> = here.keys().chain(there.keys()).copied().collect();
    let difference = |address: &&Address| {
        let (world, snapshot) = (here.get(*address), there.get(*address));
        let differs = match (world, snapshot) {
            (Some(world), Some(snapshot)) => world.differs(snapshot, stand_ins)?,
            _ => Differs::Decision,
        };
        Some(Difference {
            address: (*address).clone(),
            differs,
            world: world.map(|one| one.text(snapshot)),
            snapshot: snapshot.map(|one| one.text(world)),
        })
    };
    let found = addresses.iter().filter_map(difference).collect();
    (found, addresses.len())
}

/// What a plan does at each of its steps, and which point it takes from each source.
fn done(plan: &Plan) -> BTreeMap<&Address, Done<'_>> {
    let steps = plan.steps.iter().filter(|s| s.what != Do::Barrier);
    let mut out: BTreeMap<&Address, Done<'_>> = steps
        .map(|step| {
            let done = Done {
                word: crate::render::why::word(step),
                because: &step.because,
                diff: &step.diff,
                breakdown: step.breakdown.as_ref(),
                points: Vec::new(),
            };
            (&step.address, done)
        })
        .collect();
    for point in plan.points.iter().filter(|p| p.chosen) {
        let done = out.entry(&point.address).or_default();
        done.points.push((&point.id, point.at));
    }
    out
}

impl Done<'_> {
    /// What differs; `None` if nothing does.
    fn differs(&self, other: &Self, stand_ins: &BTreeSet<&str>) -> Option<Differs> {
        if self.word != other.word || self.points != other.points {
            return Some(Differs::Decision);
        }
        let same = self.diff == other.diff && self.breakdown == other.breakdown;
        if same && self.because == other.because {
            return None;
        }
        // What cannot be told for one reason and for another are two things to mend.
        if self.word == BLOCKED {
            return Some(Differs::Decision);
        }
        if same {
            return Some(Differs::Reason);
        }
        let known = self.without(stand_ins) == other.without(stand_ins);
        Some(match known && !stand_ins.is_empty() {
            true => Differs::StandIns,
            false => Differs::Decision,
        })
    }

    /// What is done to objects whose values are known. Who counts them counts the others, too.
    fn without(&self, stand_ins: &BTreeSet<&str>) -> (Vec<&Change>, Vec<&ObjectLine>) {
        let changes = self.diff.iter();
        let changes = changes.filter(|c| !c.sensitive && !stand_ins.contains(c.path.as_str()));
        let lines = self.breakdown.into_iter().flat_map(|b| &b.objects);
        let lines = lines.filter(|line| !stand_ins.contains(line.name.as_str()));
        (changes.collect(), lines.collect())
    }

    /// What somebody reads of it who knows the other.
    fn text(&self, other: Option<&Self>) -> String {
        let mut out = match self.because {
            "" => self.word.to_owned(),
            because => format!("{}: {because}", self.word),
        };
        for (id, at) in &self.points {
            let point = format!("`{id}` of {}", time(*at));
            out = match out.as_str() {
                "" => point,
                _ => format!("{out}; {point}"),
            };
        }
        let own = other.map(|other| self.own(other)).unwrap_or_default();
        if !own.is_empty() {
            let more = own.len().saturating_sub(NAMES_MAX);
            let shown = own[..own.len() - more].join(", ");
            out = match more {
                0 => format!("{out}; only here: {shown}"),
                _ => format!("{out}; only here: {shown} and {more} more"),
            };
        }
        out
    }

    /// The objects of which only this plan says what it says.
    fn own(&self, other: &Self) -> Vec<String> {
        let changes = self.diff.iter().filter(|c| !other.diff.contains(c));
        let lines = |done: &Self| {
            done.breakdown
                .map(|b| b.objects.clone())
                .unwrap_or_default()
        };
        let (mine, theirs) = (lines(self), lines(other));
        let lines = mine.iter().filter(|line| !theirs.contains(line));
        let lines = lines.map(|line| format!("{} ({})", line.name, line.class));
        let named = changes.map(|c| c.path.clone()).chain(lines);
        named.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(path: &str) -> Change {
        Change {
            path: path.to_owned(),
            before: None,
            after: None,
            sensitive: false,
            text: None,
        }
    }

    #[test]
    fn a_step_is_the_same_only_if_it_does_the_same_to_the_same_objects_from_the_same_point() {
        let (a, b) = ([change("a")], [change("b"), change("a")]);
        let done = |word, because, diff| Done {
            word,
            because,
            diff,
            ..Done::default()
        };
        let none = BTreeSet::new();
        let base = done("restore", "why", &a[..]);
        let differs = |other: &Done<'_>, of: &BTreeSet<&str>| base.differs(other, of);
        assert_eq!(differs(&done("restore", "why", &a), &none), None);
        let reason = done("restore", "other", &a);
        assert_eq!(differs(&reason, &none), Some(Differs::Reason));
        let more = done("restore", "why", &b);
        assert_eq!(differs(&more, &none), Some(Differs::Decision));
        let of_b = BTreeSet::from(["b"]);
        assert_eq!(differs(&more, &of_b), Some(Differs::StandIns));
        assert!(more.text(Some(&base)).ends_with("only here: b"));
        let later = Done {
            points: vec![("nightly", Timestamp::UNIX_EPOCH)],
            ..done("restore", "why", &a)
        };
        assert_eq!(differs(&later, &none), Some(Differs::Decision));
        let (one, other) = (done(BLOCKED, "a", &[]), done(BLOCKED, "b", &[]));
        assert_eq!(one.differs(&other, &none), Some(Differs::Decision));
    }
}
