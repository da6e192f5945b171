//! How many steps may run at once: in all, on one target, and of one kind on one target.
//!
//! Steps that are bound alike are a group. A group whose bounds are all free may begin one of its steps,
//! whatever waits in others.

use std::collections::BTreeMap;

use drplan_api::ConnId;
use drplan_api::Registry;

use crate::plan::Do;
use crate::plan::Plan;
use crate::plan::Step;

/// What is bounded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// The run.
    Run,
    /// What acts on a connection.
    Target(ConnId),
    /// What acts on a connection and is of one kind.
    Kind(String, ConnId),
}

/// What a person says.
pub(super) struct Bounds {
    /// How many steps may run at once, at least one.
    pub(super) run: usize,
    /// How many may act on a target, in place of what its system says.
    pub(super) targets: BTreeMap<ConnId, usize>,
}

/// The bounds of a run, what is taken of each, and which hold for which step.
pub(super) struct Slots {
    /// How many may run, and how many do.
    bounds: Vec<(usize, usize)>,
    /// The bounds of each group.
    groups: Vec<Vec<usize>>,
    /// The group of each step.
    of: Vec<usize>,
    /// The group of what takes no slot.
    free: usize,
    /// Steps that only end, because something before them failed: they take no slot whatever they are.
    only_end: Vec<bool>,
}

impl Slots {
    /// Reads the bounds of systems and kinds; those who wait for nothing but a person need no slot.
    pub(super) fn new(plan: &Plan, registry: &Registry, bounds: &Bounds) -> Self {
        let mut places: BTreeMap<Place, usize> = BTreeMap::new();
        let mut alike: BTreeMap<Vec<usize>, usize> = BTreeMap::new();
        let mut out = Self {
            bounds: Vec::new(),
            groups: Vec::new(),
            of: Vec::with_capacity(plan.steps.len()),
            free: 0,
            only_end: vec![false; plan.steps.len()],
        };
        out.groups.push(Vec::new());
        alike.insert(Vec::new(), out.free);
        for step in &plan.steps {
            let mut taken = Vec::new();
            for (place, max) in places_of(step, registry, bounds) {
                let bound = *places.entry(place).or_insert_with(|| {
                    out.bounds.push((max.max(1), 0));
                    out.bounds.len() - 1
                });
                taken.push(bound);
            }
            let group = *alike.entry(taken).or_insert_with_key(|taken| {
                out.groups.push(taken.clone());
                out.groups.len() - 1
            });
            out.of.push(group);
        }
        out
    }

    /// How many groups there are: at most one for each kind on each target.
    pub(super) fn groups(&self) -> usize {
        self.groups.len()
    }

    /// The group of a step.
    pub(super) fn group(&self, step: usize) -> usize {
        match self.only_end[step] {
            true => self.free,
            false => self.of[step],
        }
    }

    /// A step will not run: it waits for no slot.
    pub(super) fn only_ends(&mut self, step: usize) {
        self.only_end[step] = true;
    }

    /// The bounds that hold for a step.
    pub(super) fn bounds(&self, step: usize) -> &[usize] {
        &self.groups[self.of[step]]
    }

    /// How many steps may hold each bound at once.
    pub(super) fn max(&self) -> impl Iterator<Item = usize> {
        self.bounds.iter().map(|(max, _)| *max)
    }

    /// Whether a step of a group may begin.
    pub(super) fn is_free(&self, group: usize) -> bool {
        let mut bounds = self.groups[group].iter();
        bounds.all(|&b| self.bounds[b].1 < self.bounds[b].0)
    }

    /// A step begins.
    pub(super) fn take(&mut self, step: usize) {
        for &bound in &self.groups[self.group(step)] {
            self.bounds[bound].1 += 1;
        }
    }

    /// It runs no more.
    pub(super) fn give_back(&mut self, step: usize) {
        for &bound in &self.groups[self.group(step)] {
            self.bounds[bound].1 -= 1;
        }
    }
}

/// What a step takes a slot of, and how many slots there are.
fn places_of(step: &Step, registry: &Registry, bounds: &Bounds) -> Vec<(Place, usize)> {
    let mut out = match step.what {
        Do::Act { .. } | Do::Late { .. } | Do::Read | Do::Nothing => {
            vec![(Place::Run, bounds.run)]
        }
        _ => return Vec::new(),
    };
    let Some(want) = step.want.as_ref().filter(|_| step.is_action()) else {
        return out;
    };
    for conn in want.roles.values() {
        let system = registry.get_system(conn.system());
        let ordered = bounds.targets.get(conn).copied();
        let max = ordered.or_else(|| system.and_then(|system| system.slots()));
        out.extend(max.map(|max| (Place::Target(conn.clone()), max)));
    }
    let slots = registry.get_resource(&step.kind).and_then(|k| k.slots());
    let place = slots.and_then(|slots| Some((want.roles.get(slots.role)?.clone(), slots.max)));
    out.extend(place.map(|(conn, max)| (Place::Kind(step.kind.clone(), conn), max)));
    out.sort();
    out.dedup();
    out
}
