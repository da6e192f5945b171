//! Planning a part: what is chosen brings what it depends on, what is left out takes out what depends on
//! it. Stages order and bring nothing.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use drplan_api::Address;
use drplan_api::Stage;
use drplan_api::holes;
use serde::Deserialize;
use serde::Serialize;

use super::step::Do;
use super::step::Plan;
use super::step::PlanEdge;
use super::step::Step;
use crate::graph::EdgeWhy;

/// What of a spec is planned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only these, as patterns; empty for all.
    pub targets: Vec<String>,
    /// Not these, as patterns.
    pub excludes: Vec<String>,
    /// Nothing of this stage or a later one.
    pub stop_before: Option<Stage>,
}

/// That a plan is a part, and what is not in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partial {
    /// The patterns of what was chosen; empty for all.
    pub targets: Vec<String>,
    /// The patterns of what was left out.
    pub excludes: Vec<String>,
    /// The stage before which it ends.
    pub stop_before: Option<Stage>,
    /// How many steps with something to do or to check the whole plan has.
    pub of: usize,
    /// Those of them that were left out by name, or because they depend on such a one.
    pub left_out: Vec<Address>,
    /// Those of them that are held back for their stage, or because they depend on such a one.
    pub held: Vec<Address>,
}

impl Selection {
    /// Whether everything is planned.
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }
}

/// Tells whether a pattern chooses an address: `*` stands for any text, `?` for one character. A pattern
/// without a key chooses all instances.
pub fn chooses(pattern: &str, address: &Address) -> bool {
    glob(pattern, address.as_str()) || glob(pattern, address.block().as_str())
}

/// Matches with one place to come back to, so that the cost is at most the product of both lengths.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == '?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((at, from)) = star else {
                    return false;
                };
                star = Some((at, from + 1));
                p = at + 1;
                t = from + 1;
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// Keeps what is selected. Must come before anything is decided about steps by what they wait for. Cost:
/// linear in steps and edges, and in the number of patterns.
///
/// `early` tells of each step whether it runs as soon as what it waits for is there, stages or not.
pub(super) fn select(plan: &mut Plan, selection: &Selection, early: &[bool]) {
    if selection.is_all() {
        return;
    }
    let of = plan.steps.iter().filter(|s| counts(s)).count();
    let chosen = chosen(plan, &selection.targets);
    let mut named = excluded(plan, &selection.excludes);
    let mut late = late(plan, selection.stop_before, early);
    // A guard goes with what it guards: with none of that in the plan it would have nothing to do.
    for (guard, guarded) in guards(plan) {
        let is_out = |&i: &usize| !chosen[i] || named[i];
        if guarded.iter().all(|i| is_out(i) || late[*i]) {
            named[guard] |= guarded.iter().all(is_out);
            late[guard] = true;
        }
    }
    let keeps = |i: usize| {
        let barrier = plan.steps[i].what == Do::Barrier;
        barrier || (chosen[i] && !named[i] && !late[i])
    };
    let kept: Vec<bool> = (0..plan.steps.len()).map(keeps).collect();
    let gone = |wanted: &dyn Fn(usize) -> bool| -> Vec<Address> {
        let steps = plan.steps.iter().enumerate();
        steps
            .filter(|(i, step)| !kept[*i] && counts(step) && wanted(*i))
            .map(|(_, step)| step.address.clone())
            .collect()
    };
    let is_held = |i: usize| chosen[i] && !named[i];
    plan.head.partial = Some(Partial {
        targets: selection.targets.clone(),
        excludes: selection.excludes.clone(),
        stop_before: selection.stop_before,
        of,
        left_out: gone(&|i| !is_held(i)),
        held: gone(&is_held),
    });
    keep(plan, &kept);
}

/// Each guard with what it guards.
fn guards(plan: &Plan) -> Vec<(usize, Vec<usize>)> {
    let steps = plan.steps.iter().enumerate();
    let places: BTreeMap<&Address, usize> = steps.clone().map(|(i, s)| (&s.address, i)).collect();
    let of = |step: &Step| -> Vec<usize> {
        let guarded = step.guards.iter();
        guarded.filter_map(|a| places.get(a).copied()).collect()
    };
    steps
        .filter(|(_, step)| !step.guards.is_empty())
        .map(|(i, step)| (i, of(step)))
        .collect()
}

/// Whether a step is a part of the recovery: what is true already is, since it is proven too.
fn counts(step: &Step) -> bool {
    !matches!(step.what, Do::Barrier | Do::Idle) && !step.address.is_data()
}

/// What is chosen by name, and all that it depends on.
fn chosen(plan: &Plan, targets: &[String]) -> Vec<bool> {
    if targets.is_empty() {
        return vec![true; plan.steps.len()];
    }
    let mut out = named(plan, targets);
    // Steps stand in topological order, so one pass backward over the edges is enough.
    let mut edges: Vec<&PlanEdge> = plan.edges.iter().filter(|e| binds(plan, e)).collect();
    edges.sort_by_key(|e| std::cmp::Reverse(e.after));
    for edge in edges {
        out[edge.before] |= out[edge.after];
    }
    out
}

/// What is left out by name, and all that depends on it.
fn excluded(plan: &Plan, excludes: &[String]) -> Vec<bool> {
    let mut out = named(plan, excludes);
    spread(plan, &mut out);
    out
}

/// What belongs to a stage or a later one, and all that depends on it. What runs as soon as it can is
/// held only if it depends on something that is.
fn late(plan: &Plan, stop_before: Option<Stage>, early: &[bool]) -> Vec<bool> {
    let Some(first) = stop_before else {
        return vec![false; plan.steps.len()];
    };
    let is_late = |(step, early): (&Step, &bool)| {
        let at = step.stage.filter(|_| step.what != Do::Barrier);
        let early = first != Stage::Verify && *early;
        at.is_some_and(|stage| stage >= first) && !early
    };
    let mut out: Vec<bool> = plan.steps.iter().zip(early).map(is_late).collect();
    spread(plan, &mut out);
    out
}

fn named(plan: &Plan, patterns: &[String]) -> Vec<bool> {
    let steps = plan.steps.iter();
    steps
        .map(|step| patterns.iter().any(|p| chooses(p, &step.address)))
        .collect()
}

/// One pass forward, since steps stand in topological order.
fn spread(plan: &Plan, marked: &mut [bool]) {
    let mut edges: Vec<&PlanEdge> = plan.edges.iter().filter(|e| binds(plan, e)).collect();
    edges.sort_by_key(|e| e.before);
    for edge in edges {
        marked[edge.after] |= marked[edge.before];
    }
}

/// Whether an edge is a dependency. Stages only order, and so does what ends what is left behind. What a
/// guard comes behind, because one of those that it guards does, is none of the others' business. That
/// all checks come before a cutover is no exception: nobody may leave them out and move traffic.
fn binds(plan: &Plan, edge: &PlanEdge) -> bool {
    match edge.why {
        EdgeWhy::Stage | EdgeWhy::Ends { .. } => false,
        EdgeWhy::Guard => !plan.steps[edge.before].guards.is_empty(),
        _ => true,
    }
}

/// Drops the other steps, and all that speaks of them.
fn keep(plan: &mut Plan, kept: &[bool]) {
    let mut place = Vec::with_capacity(kept.len());
    let mut next = 0;
    for keep in kept {
        place.push(next);
        next += usize::from(*keep);
    }
    plan.edges.retain(|e| kept[e.before] && kept[e.after]);
    for edge in &mut plan.edges {
        (edge.before, edge.after) = (place[edge.before], place[edge.after]);
    }
    let mut gone = BTreeSet::new();
    let mut i = 0;
    plan.steps.retain(|step| {
        let keep = kept[i];
        i += 1;
        if !keep {
            gone.insert(step.address.clone());
        }
        keep
    });
    plan.points.retain(|point| !gone.contains(&point.address));
    let about_gone = |address: &str| gone.contains(&Address::new(address));
    plan.findings
        .retain(|f| !f.address.as_deref().is_some_and(about_gone));
    plan.outputs.retain(|_, value| {
        let holes = holes(value);
        !holes
            .iter()
            .any(|(_, hole)| hole.after.iter().any(|a| gone.contains(a)))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_choose_addresses_blocks_and_instances() {
        let shop = Address::new("velero_restore.shop[\"eu\"]");
        for (pattern, expected) in [
            ("velero_restore.shop[\"eu\"]", true),
            ("velero_restore.shop", true),
            ("velero_restore.shop[\"*\"]", true),
            ("velero_restore.*", true),
            ("*.shop", true),
            ("*", true),
            ("velero_restore.sho?", true),
            ("*sho*eu*", true),
            ("velero_restore.sho", false),
            ("velero_restore.shop[\"us\"]", false),
            ("?elero", false),
            ("", false),
        ] {
            assert_eq!(chooses(pattern, &shop), expected, "{pattern}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_does_not_explode() {
        let text = "a".repeat(10_000);
        assert!(!glob(&format!("{}b", "*a".repeat(20)), &text));
    }
}
