//! The chain of steps that explains the time of a run: which step each waited for last. Pure.

use drplan_api::Timestamp;

use super::fold::Run;
use crate::plan::Do;
use crate::plan::Plan;

/// When each step was ready and what it waited for last.
pub(super) struct Course {
    /// When all that it waits for had ended; nothing if something of it has not.
    pub(super) ready_at: Vec<Option<Timestamp>>,
    /// The step that ended last of those that it waits for, through barriers.
    pub(super) last: Vec<Option<usize>>,
}

impl Course {
    /// Looks at every step once, in the order of the plan. Cost: linear in the edges.
    pub(super) fn of(plan: &Plan, run: &Run, before: &[Vec<usize>]) -> Self {
        let ended = |i: usize| run.tracks[i].ended.as_ref().map(|(at, _)| *at);
        let mut out = Self {
            ready_at: Vec::with_capacity(before.len()),
            last: Vec::with_capacity(before.len()),
        };
        for list in before {
            let all: Option<Vec<(Timestamp, usize)>> =
                list.iter().map(|&b| Some((ended(b)?, b))).collect();
            let last = all.as_ref().and_then(|all| all.iter().max().copied());
            out.ready_at
                .push(all.map(|_| last.map_or(run.started_at, |(at, _)| at)));
            // Steps stand in topological order: what a barrier waited for is known already.
            let through = last.and_then(|(_, b)| match plan.steps[b].what {
                Do::Barrier => out.last[b],
                _ => Some(b),
            });
            out.last.push(through);
        }
        out
    }

    /// The chain that ends with the step that ended last, from its first step on.
    pub(super) fn walked(&self, run: &Run) -> Vec<usize> {
        let ran = |i: &usize| run.tracks[*i].began_at().is_some();
        let end = |i: &usize| run.tracks[*i].ended.as_ref().map(|(at, _)| *at);
        let mut chain: Vec<usize> = Vec::new();
        let mut next = (0..run.tracks.len())
            .filter(ran)
            .filter(|i| end(i).is_some())
            .max_by_key(|i| (end(i), *i));
        while let Some(i) = next {
            if ran(&i) {
                chain.push(i);
            }
            next = self.last[i];
        }
        chain.reverse();
        chain
    }
}
