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
use drplan_api::HazardLevel;
use drplan_api::Registry;

use super::policy::Forbidden;
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
/// turn out to be counts as done. Cost: linear.
pub fn limits(plan: &Plan) -> Vec<String> {
    let policy = &plan.head.policy;
    let mut broken = Vec::new();
    let mut changes: u64 = 0;
    for step in &plan.steps {
        changes += u64::from(changes_world(step));
        for forbidden in &policy.forbid {
            if let Some(how) = does(plan, step, *forbidden) {
                broken.push(format!("`{}` {how}", step.address));
            }
        }
    }
    if let Some(max) = policy.max_changes.filter(|max| changes > *max) {
        broken.push(format!("{changes} steps change the world, and {max} may"));
    }
    broken
}

/// Whether a step changes the world, or may.
fn changes_world(step: &Step) -> bool {
    match &step.what {
        Do::Act { effects, .. } => !effects.iter().all(Effect::only_reads),
        Do::Late { actions, .. } => !actions.is_empty(),
        _ => false,
    }
}

/// How a step does what is forbidden, as a fragment.
fn does(plan: &Plan, step: &Step, forbidden: Forbidden) -> Option<&'static str> {
    let (sure, actions, worst): (bool, &[Action], HazardLevel) = match &step.what {
        Do::Act { action, .. } => (true, std::slice::from_ref(action), step.hazard.level),
        Do::Late {
            actions,
            hazard_max,
        } => (false, actions, *hazard_max),
        _ => return None,
    };
    let deletes = || match &step.what {
        Do::Act { effects, .. } => effects
            .iter()
            .any(|e| matches!(&*e.verb, "delete" | "drop")),
        _ => false,
    };
    let takes = |action| actions.contains(&action);
    match forbidden {
        Forbidden::Delete if takes(Action::Delete) || deletes() => Some("deletes"),
        Forbidden::Update if takes(Action::Update) && sure => Some("changes what exists"),
        Forbidden::Update if takes(Action::Update) => Some("may change what exists"),
        Forbidden::Overwrite if plan.head.accept.iter().any(|a| a == step.address.as_str()) => {
            Some("overwrites foreign data")
        }
        Forbidden::Irreversible if worst == HazardLevel::Irreversible && sure => {
            Some("cannot be undone")
        }
        Forbidden::Irreversible if worst == HazardLevel::Irreversible => {
            Some("may turn out to be beyond undoing")
        }
        Forbidden::Dns if step.cutover => Some("moves traffic"),
        Forbidden::Run if takes(Action::Run) && changes_world(step) => Some("runs a program"),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
