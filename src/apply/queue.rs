//! The ready queue.

use super::event::Outcome;
use crate::plan::Plan;
use drplan_api::Address;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::BinaryHeap;
use std::sync::Arc;

/// Which steps are ready, the longest remaining path first. All operations together cost
/// O((steps + edges) · log steps).
pub(super) struct Queue {
    places: Arc<BTreeMap<Address, usize>>,
    names: Vec<Address>,
    before: Vec<Vec<usize>>,
    after: Vec<Vec<usize>>,
    waits: Vec<usize>,
    /// The number of steps on the longest path that starts here; barriers count nothing.
    remaining: Vec<u32>,
    ready: BinaryHeap<(u32, std::cmp::Reverse<usize>)>,
    best_effort: Vec<bool>,
    barrier: Vec<bool>,
    taken: BTreeSet<usize>,
    /// Steps that acted in this run, and those behind one that did.
    acted: Vec<bool>,
    pub(super) ended: BTreeMap<Address, Outcome>,
}

impl Queue {
    pub(super) fn new(plan: &Plan, places: Arc<BTreeMap<Address, usize>>) -> Self {
        let before = plan.before();
        let mut after = vec![Vec::new(); plan.steps.len()];
        for (i, list) in before.iter().enumerate() {
            for &b in list {
                after[b].push(i);
            }
        }
        let mut remaining = vec![0_u32; plan.steps.len()];
        for i in (0..plan.steps.len()).rev() {
            let longest = after[i].iter().map(|&a| remaining[a]).max().unwrap_or(0);
            remaining[i] = longest + u32::from(plan.steps[i].is_action());
        }
        let waits: Vec<usize> = before.iter().map(Vec::len).collect();
        let ready = (0..plan.steps.len())
            .filter(|&i| waits[i] == 0)
            .map(|i| (remaining[i], std::cmp::Reverse(i)))
            .collect();
        Self {
            places,
            names: plan.steps.iter().map(|s| s.address.clone()).collect(),
            best_effort: plan.steps.iter().map(|s| s.best_effort).collect(),
            barrier: plan
                .steps
                .iter()
                .map(|s| s.what == crate::plan::Do::Barrier)
                .collect(),
            before,
            after,
            waits,
            remaining,
            ready,
            taken: BTreeSet::new(),
            acted: vec![false; plan.steps.len()],
            ended: BTreeMap::new(),
        }
    }

    pub(super) fn index(&self, address: &Address) -> Option<usize> {
        self.places.get(address).copied()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.ready.is_empty()
    }

    /// Whether no step that is ready, nor any that waits for it alone, changes anything.
    pub(super) fn only_looks(&self) -> bool {
        self.ready.peek().is_none_or(|(acting, _)| *acting == 0)
    }

    pub(super) fn pop(&mut self) -> Option<usize> {
        while let Some((_, std::cmp::Reverse(i))) = self.ready.pop() {
            if self.taken.insert(i) && !self.ended.contains_key(&self.names[i]) {
                return Some(i);
            }
        }
        None
    }

    pub(super) fn behind_action(&self, i: usize) -> bool {
        self.before[i].iter().any(|&b| self.acted[b])
    }

    /// The step at the root if something that this one waits for did not end well.
    pub(super) fn blocker(&self, i: usize) -> Option<Address> {
        self.before[i].iter().find_map(|&b| {
            let name = &self.names[b];
            match self.ended.get(name) {
                Some(outcome) if outcome.is_good() => None,
                // Best effort pardons the step itself, not the critical one that blocked it.
                Some(Outcome::Blocked { by })
                    if !self.barrier[b]
                        && self.index(by).is_some_and(|root| !self.best_effort[root]) =>
                {
                    Some(by.clone())
                }
                _ if self.best_effort[b] => None,
                Some(Outcome::Blocked { by }) => Some(by.clone()),
                _ => Some(name.clone()),
            }
        })
    }

    /// Keeps how a step ended and lets what waits for it come.
    pub(super) fn end(&mut self, i: usize, outcome: Outcome) {
        self.taken.insert(i);
        self.acted[i] = outcome == Outcome::Done || self.behind_action(i);
        self.ended.insert(self.names[i].clone(), outcome);
        for &next in &self.after[i] {
            self.waits[next] -= 1;
            if self.waits[next] == 0 {
                self.ready
                    .push((self.remaining[next], std::cmp::Reverse(next)));
            }
        }
    }

    /// Lets a step come once more that has not ended for good.
    pub(super) fn again(&mut self, i: usize) {
        self.taken.remove(&i);
        self.ready.push((self.remaining[i], std::cmp::Reverse(i)));
    }

    /// Whether a failure of this step lets the recovery be complete all the same.
    pub(super) fn is_best_effort(&self, i: usize) -> bool {
        self.best_effort[i]
    }

    pub(super) fn name(&self, i: usize) -> &Address {
        &self.names[i]
    }
}
