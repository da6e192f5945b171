//! Traffic moves last.

use crate::plan::step::Do;
use crate::plan::step::Plan;

/// DNS moves last: every check that does not itself depend on a cutover is before every cutover.
pub(super) fn cutovers(plan: &Plan, broken: &mut Vec<String>) {
    let count = plan.steps.len();
    let mut next: Vec<Vec<usize>> = vec![Vec::new(); count];
    for edge in &plan.edges {
        if edge.before < count && edge.after < count {
            next[edge.before].push(edge.after);
        }
    }
    let moves: Vec<bool> = plan.steps.iter().map(|step| step.cutover).collect();
    let is_check = |step: usize| matches!(plan.steps[step].what, Do::Check { .. });
    let mut looks = 0;
    let missing = unawaited(&next, &moves, is_check, &mut looks);
    let name = |step: usize| &plan.steps[step].address;
    let sentences = missing.into_iter().map(|(cutover, check)| {
        format!(
            "`{}` moves traffic without waiting for `{}`",
            name(cutover),
            name(check)
        )
    });
    broken.extend(sentences);
}

/// How many cutovers one pass over the edges asks about, one bit each.
const CUTOVERS_AT_ONCE: usize = u64::BITS as usize;

/// Returns each cutover with each check that it does not wait for and should. `next` holds what comes
/// behind each step; steps stand in topological order.
///
/// `looks` counts how often an edge is looked at: once, and once more for every
/// [`CUTOVERS_AT_ONCE`] cutovers.
fn unawaited(
    next: &[Vec<usize>],
    moves: &[bool],
    is_check: impl Fn(usize) -> bool,
    looks: &mut u64,
) -> Vec<(usize, usize)> {
    let mut behind = vec![false; next.len()];
    for (step, after) in next.iter().enumerate() {
        *looks += after.len() as u64;
        if moves[step] || behind[step] {
            for &after in after {
                behind[after] = true;
            }
        }
    }
    let steps = || 0..next.len();
    let checks: Vec<usize> = steps().filter(|&s| is_check(s) && !behind[s]).collect();
    let cutovers: Vec<usize> = steps().filter(|&s| moves[s]).collect();
    let mut out = Vec::new();
    for some in cutovers.chunks(CUTOVERS_AT_ONCE) {
        let before = before(next, some, looks);
        let all = u64::MAX >> (CUTOVERS_AT_ONCE - some.len());
        // In a plan that keeps the rule this is empty, so that only what is reported costs more.
        let late: Vec<usize> = checks
            .iter()
            .copied()
            .filter(|&c| before[c] != all)
            .collect();
        for (bit, &cutover) in some.iter().enumerate() {
            let missing = late.iter().filter(|&&c| (before[c] >> bit) & 1 == 0);
            out.extend(missing.map(|&check| (cutover, check)));
        }
    }
    out
}

/// For each step, which of some cutovers it is or is before, as bits, in one pass backward.
fn before(next: &[Vec<usize>], cutovers: &[usize], looks: &mut u64) -> Vec<u64> {
    let mut bits = vec![0; next.len()];
    for (bit, &cutover) in cutovers.iter().enumerate() {
        bits[cutover] = 1 << bit;
    }
    for (step, after) in next.iter().enumerate().rev() {
        *looks += after.len() as u64;
        let behind = after.iter().fold(0, |all, &after| all | bits[after]);
        bits[step] |= behind;
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_cutovers_cost_a_pass_for_every_sixty_four_and_not_one_each() {
        // A line of steps with a check at its head, and then all cutovers.
        let (steps, cutovers) = (20_000, 2_000);
        let count = steps + cutovers;
        let mut next: Vec<Vec<usize>> = (1..steps).map(|after| vec![after]).collect();
        next.push((steps..count).collect());
        next.resize(count, Vec::new());
        let moves: Vec<bool> = (0..count).map(|step| step >= steps).collect();
        let mut looks = 0;
        assert!(unawaited(&next, &moves, |step| step == 0, &mut looks).is_empty());
        let edges = (count - 1) as u64;
        assert_eq!(looks, edges * (1 + 2_000_u64.div_ceil(64)));
        // The last edge to a cutover is missing: that one is named, and no other.
        next[steps - 1].pop();
        let missing = unawaited(&next, &moves, |step| step == 0, &mut looks);
        assert_eq!(missing, [(count - 1, 0)]);
    }

    #[test]
    fn a_check_waits_with_the_cutover_that_it_is_behind() {
        // cutover 1 waits for check 0 and not for check 2; check 3 is behind the cutover.
        let next = [vec![1], vec![3], vec![], vec![]];
        let moves = [false, true, false, false];
        let missing = unawaited(&next, &moves, |step| step != 1, &mut 0);
        assert_eq!(missing, [(1, 2)]);
    }
}
