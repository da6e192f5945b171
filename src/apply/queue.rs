//! The ready queue.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::BinaryHeap;
use std::sync::Arc;

use drplan_api::Address;
use drplan_api::Registry;

use super::effects::NOW;
use super::event::Outcome;
use super::paths::Paths;
use super::slots::Bounds;
use super::slots::Slots;
use crate::plan::Do;
use crate::plan::Plan;

/// Which steps are ready, the longest remaining path first, as far as there are slots. All operations
/// together cost O((steps + edges) · log steps), and once the number of groups for each step.
pub(super) struct Queue {
    places: Arc<BTreeMap<Address, usize>>,
    names: Vec<Address>,
    before: Vec<Vec<usize>>,
    after: Vec<Vec<usize>>,
    waits: Vec<usize>,
    paths: Paths,
    slots: Slots,
    /// What is ready, by group of slots.
    ready: Vec<BinaryHeap<(u64, Reverse<usize>)>>,
    best_effort: Vec<bool>,
    barrier: Vec<bool>,
    /// Steps that began or ended.
    taken: Vec<bool>,
    /// Steps that hold slots.
    running: Vec<bool>,
    /// Steps that acted in this session, and those behind one that did.
    acted: Vec<bool>,
    /// The last record that says that something was begun of a step, or of one before it.
    touched: Vec<u64>,
    pub(super) ended: BTreeMap<Address, Outcome>,
}

impl Queue {
    pub(super) fn new(
        plan: &Plan,
        places: Arc<BTreeMap<Address, usize>>,
        registry: &Registry,
        bounds: &Bounds,
    ) -> Self {
        let steps = plan.steps.len();
        let before = plan.before();
        let mut after = vec![Vec::new(); steps];
        for (i, list) in before.iter().enumerate() {
            for &b in list {
                after[b].push(i);
            }
        }
        let slots = Slots::new(plan, registry, bounds);
        let mut queue = Self {
            places,
            names: plan.steps.iter().map(|s| s.address.clone()).collect(),
            best_effort: plan.steps.iter().map(|s| s.best_effort).collect(),
            barrier: plan.steps.iter().map(|s| s.what == Do::Barrier).collect(),
            waits: before.iter().map(Vec::len).collect(),
            paths: Paths::of(plan, &after),
            ready: vec![BinaryHeap::new(); slots.groups()],
            before,
            after,
            slots,
            taken: vec![false; steps],
            running: vec![false; steps],
            acted: vec![false; steps],
            touched: vec![0; steps],
            ended: BTreeMap::new(),
        };
        for i in (0..steps)
            .filter(|&i| queue.waits[i] == 0)
            .collect::<Vec<_>>()
        {
            queue.comes(i);
        }
        queue
    }

    pub(super) fn index(&self, address: &Address) -> Option<usize> {
        self.places.get(address).copied()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.ready.iter().all(BinaryHeap::is_empty)
    }

    /// Whether no step that is ready, nor any that waits for it alone, changes anything.
    pub(super) fn only_looks(&self) -> bool {
        let mut first = self.ready.iter().filter_map(BinaryHeap::peek);
        first.all(|(acting, _)| *acting == 0)
    }

    /// The step whose turn it is, if one has slots. What has none keeps nobody else from beginning.
    pub(super) fn pop(&mut self) -> Option<usize> {
        for heap in &mut self.ready {
            while heap.peek().is_some_and(|(_, Reverse(i))| self.taken[*i]) {
                heap.pop();
            }
        }
        let free = (0..self.ready.len()).filter(|&group| self.slots.is_free(group));
        let (_, group) = free
            .filter_map(|group| Some((*self.ready[group].peek()?, group)))
            .max()?;
        let (_, Reverse(i)) = self.ready[group].pop()?;
        self.taken[i] = true;
        self.running[i] = true;
        self.slots.take(i);
        Some(i)
    }

    /// A step runs no more: others may have its slots.
    pub(super) fn rests(&mut self, i: usize) {
        if std::mem::take(&mut self.running[i]) {
            self.slots.give_back(i);
        }
    }

    /// What a step takes, in milliseconds.
    pub(super) fn own_ms(&self, i: usize) -> u64 {
        self.paths.own_ms[i]
    }

    /// What the longest way takes that begins with a step.
    pub(super) fn left_ms(&self, i: usize) -> u64 {
        self.paths.left_ms[i]
    }

    /// What the longest way takes that begins with a step that is ready.
    pub(super) fn longest_ready_ms(&self) -> u64 {
        let first = self.ready.iter().filter_map(BinaryHeap::peek);
        first.map(|(ms, _)| *ms).max().unwrap_or_default()
    }

    /// How many steps each bound lets run.
    pub(super) fn bounds(&self) -> impl Iterator<Item = usize> {
        self.slots.max()
    }

    /// The bounds that hold for a step.
    pub(super) fn bounds_of(&self, i: usize) -> &[usize] {
        self.slots.bounds(i)
    }

    fn comes(&mut self, i: usize) {
        if self.blocker(i).is_some() {
            self.slots.only_ends(i);
        }
        let group = self.slots.group(i);
        self.ready[group].push((self.paths.left_ms[i], Reverse(i)));
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

    /// The last record that says that something was begun of what this step hangs on.
    pub(super) fn touched_before(&self, i: usize) -> u64 {
        let touched = self.before[i].iter().map(|&b| self.touched[b]);
        touched.max().unwrap_or_default()
    }

    /// Keeps how a step ended, and by which record something of it was begun last, and lets what waits for it come.
    pub(super) fn end(&mut self, i: usize, outcome: Outcome, begun_at: u64) {
        self.taken[i] = true;
        let has_acted = outcome == Outcome::Done || begun_at == NOW;
        self.acted[i] = has_acted || self.behind_action(i);
        self.touched[i] = begun_at.max(self.touched_before(i));
        self.ended.insert(self.names[i].clone(), outcome);
        for next in self.after[i].clone() {
            self.waits[next] -= 1;
            if self.waits[next] == 0 {
                self.comes(next);
            }
        }
    }

    /// Lets a step come once more that has not ended for good.
    pub(super) fn again(&mut self, i: usize) {
        self.taken[i] = false;
        self.comes(i);
    }

    /// Whether a failure of this step lets the recovery be complete all the same.
    pub(super) fn is_best_effort(&self, i: usize) -> bool {
        self.best_effort[i]
    }

    pub(super) fn name(&self, i: usize) -> &Address {
        &self.names[i]
    }
}
