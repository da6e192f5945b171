//! How long steps take, and the longest way from each to the end.

use crate::plan::Do;
use crate::plan::Plan;
use crate::plan::Step;

/// What a step counts while no step of the plan has a time: then the number of steps decides.
const WITHOUT_TIMES_MS: u64 = 1;

/// Times of a plan's steps. A step without a time counts as much as those that have one do on average.
pub(super) struct Paths {
    /// What each step takes; what has nothing to do takes nothing.
    pub(super) own_ms: Vec<u64>,
    /// What the longest way takes that begins with each step. Zero only if nothing on it acts.
    pub(super) left_ms: Vec<u64>,
}

impl Paths {
    /// Cost: linear in steps and edges. Steps stand in topological order, so one pass is enough.
    pub(super) fn of(plan: &Plan, after: &[Vec<usize>]) -> Self {
        let known: Vec<u64> = plan.steps.iter().filter_map(foretold_ms).collect();
        let sum = known.iter().fold(0, |sum: u64, ms| sum.saturating_add(*ms));
        let mean = sum.checked_div(known.len() as u64);
        let otherwise = mean.unwrap_or(WITHOUT_TIMES_MS).max(1);
        let own = |step: &Step| match step.what {
            _ if !step.is_action() => 0,
            Do::Act { .. } | Do::Late { .. } => foretold_ms(step).unwrap_or(otherwise).max(1),
            Do::Conflict | Do::Blocked { .. } => 1,
            // Nobody knows how long people think.
            _ => foretold_ms(step).unwrap_or_default().max(1),
        };
        let own_ms: Vec<u64> = plan.steps.iter().map(own).collect();
        let mut left_ms = vec![0_u64; own_ms.len()];
        for i in (0..own_ms.len()).rev() {
            let longest = after[i].iter().map(|&a| left_ms[a]).max();
            left_ms[i] = longest.unwrap_or_default().saturating_add(own_ms[i]);
        }
        Self { own_ms, left_ms }
    }
}

/// What a step takes in half of all cases, if anybody knows.
pub(super) fn foretold_ms(step: &Step) -> Option<u64> {
    let expected = step.expected.as_ref().filter(|_| step.is_action())?;
    Some(expected.p50_ms)
}
