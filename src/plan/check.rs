//! An independent checker: derives the safety rules again from a finished plan.
//!
//! It shares no code with the planner on purpose, and runs on every plan before it is shown or applied.

mod cutovers;
mod order;
mod safety;
mod values;

use std::collections::BTreeSet;

use drplan_api::Action;
use drplan_api::Effect;
use drplan_api::Registry;

use super::policy::Deed;
use super::step::Do;
use super::step::Plan;
use super::step::Step;

/// Returns every broken rule, each as a sentence. An unbroken plan returns nothing. Cost: linear in
/// steps and edges, and once more for every 64 cutovers.
pub fn check(plan: &Plan) -> Vec<String> {
    let mut broken = Vec::new();
    let mut seen = BTreeSet::new();
    for step in plan.steps.iter().filter(|s| !seen.insert(&s.address)) {
        broken.push(format!("`{}` stands twice in the plan", step.address));
    }
    safety::steps(plan, &mut broken);
    safety::targets(plan, &mut broken);
    // Without an order nothing can be told of what comes before what.
    if order::edges(plan, &mut broken) {
        order::guards(plan, &mut broken);
        order::blocked(plan, &mut broken);
        order::closure(plan, &mut broken);
        values::filled(plan, &mut broken);
        cutovers::cutovers(plan, &mut broken);
    }
    broken
}

/// Returns every place where a secret stands in sight, by what the schemas call secret.
pub fn secrets_in_sight(plan: &Plan, registry: &Registry) -> Vec<String> {
    let mut broken = Vec::new();
    values::secrets(plan, registry, &mut broken);
    broken
}

/// Whether a step does something, or asks a person.
fn acts(step: &Step) -> bool {
    match &step.what {
        Do::Act { .. } | Do::Gate { .. } => true,
        Do::Late { actions, .. } => !actions.is_empty(),
        _ => false,
    }
}

/// Returns every limit of the plan's own that a step breaks, each as a sentence. What a late step may
/// turn out to be counts as done; a step that is not exact is held against them again when its turn comes.
/// Cost: linear.
pub fn limits(plan: &Plan) -> Vec<String> {
    let policy = &plan.head.policy;
    let mut broken = Vec::new();
    let mut changes: u64 = 0;
    for step in &plan.steps {
        let Some(deed) = shown(plan, step) else {
            continue;
        };
        changes += u64::from(deed.changes());
        let hows = policy.forbid.iter().filter_map(|f| f.done_by(&deed));
        broken.extend(hows.map(|how| format!("`{}` {how}", step.address)));
    }
    if let Some(max) = policy.max_changes.filter(|max| changes > *max) {
        broken.push(format!("{changes} steps change the world, and {max} may"));
    }
    broken
}

/// What the plan shows of a step that acts.
fn shown<'a>(plan: &'a Plan, step: &'a Step) -> Option<Deed<'a>> {
    let (actions, effects, worst, sure): (&[Action], &[Effect], _, _) = match &step.what {
        Do::Act {
            action, effects, ..
        } => (
            std::slice::from_ref(action),
            effects,
            step.hazard.level,
            true,
        ),
        Do::Late {
            actions,
            hazard_max,
        } => (actions, &[], *hazard_max, false),
        _ => return None,
    };
    Some(Deed {
        actions,
        sure,
        effects,
        diff: &step.diff,
        worst,
        cutover: step.cutover,
        accepted: plan.has_accepted(&step.address),
    })
}

#[cfg(test)]
mod tests;
