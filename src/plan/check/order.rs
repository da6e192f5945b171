//! What must come before what: guards, what is blocked, and the whole of what was chosen.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use drplan_api::Address;

use super::acts;
use crate::plan::step::Do;
use crate::plan::step::Plan;

/// Whether all edges lead forward between steps that are there. If not, nothing can be told of order.
pub(super) fn edges(plan: &Plan, broken: &mut Vec<String>) -> bool {
    let before = broken.len();
    for edge in &plan.edges {
        if edge.before >= edge.after || edge.after >= plan.steps.len() {
            broken.push(format!(
                "edge {} → {} goes backwards or nowhere",
                edge.before, edge.after
            ));
        }
    }
    broken.len() == before
}

/// A guard that is in the plan goes before what it guards, and is in the plan if that acts.
pub(super) fn guards(plan: &Plan, broken: &mut Vec<String>) {
    let index: BTreeMap<&Address, usize> = plan
        .steps
        .iter()
        .enumerate()
        .map(|(i, s)| (&s.address, i))
        .collect();
    let pairs: BTreeSet<(usize, usize)> = plan.edges.iter().map(|e| (e.before, e.after)).collect();
    for (i, guard) in plan.steps.iter().enumerate() {
        for guarded in guard.guards.iter().filter_map(|a| index.get(a)) {
            let step = &plan.steps[*guarded];
            if !acts(step) {
                continue;
            }
            if guard.what == Do::Idle {
                broken.push(format!(
                    "`{}` acts and its guard `{}` does not",
                    step.address, guard.address
                ));
            } else if !pairs.contains(&(i, *guarded)) {
                broken.push(format!(
                    "`{}` acts without waiting for its guard `{}`",
                    step.address, guard.address
                ));
            }
        }
    }
}

/// Nothing goes on behind what cannot: barriers only pass it on, what is already true needs nothing, and
/// a best-effort step holds nobody up.
pub(super) fn blocked(plan: &Plan, broken: &mut Vec<String>) {
    let mut stuck: Vec<Option<usize>> = vec![None; plan.steps.len()];
    let mut by_after: Vec<Vec<usize>> = vec![Vec::new(); plan.steps.len()];
    for edge in &plan.edges {
        by_after[edge.after].push(edge.before);
    }
    for (i, step) in plan.steps.iter().enumerate() {
        let root = by_after[i].iter().find_map(|&b| stuck[b]);
        match &step.what {
            Do::Conflict | Do::Blocked { .. } => stuck[i] = (!step.best_effort).then_some(i),
            Do::Barrier => stuck[i] = root,
            Do::Nothing | Do::Idle => {}
            _ => {
                if let Some(root) = root {
                    broken.push(format!(
                        "`{}` goes on behind `{}`, which cannot",
                        step.address, plan.steps[root].address
                    ));
                }
            }
        }
    }
}

/// A plan of a part holds everything that the part needs, and nothing that it says it left out.
pub(super) fn closure(plan: &Plan, broken: &mut Vec<String>) {
    let there: BTreeSet<&Address> = plan.steps.iter().map(|s| &s.address).collect();
    if let Some(partial) = &plan.head.partial {
        let out = partial.left_out.iter().chain(&partial.held);
        for address in out.filter(|a| there.contains(a)) {
            broken.push(format!(
                "`{address}` is in the plan and said to be left out"
            ));
        }
    }
    let makers: BTreeMap<_, _> = plan.targets.iter().map(|t| (&t.conn, &t.made_by)).collect();
    for step in plan.steps.iter().filter(|s| acts(s)) {
        let conns = step.want.iter().flat_map(|want| want.roles.values());
        for maker in conns.filter_map(|c| makers.get(c)).flat_map(|m| m.iter()) {
            if !there.contains(maker) {
                broken.push(format!(
                    "`{}` needs `{maker}`, which makes its connection and is not in the plan",
                    step.address
                ));
            }
        }
    }
}
