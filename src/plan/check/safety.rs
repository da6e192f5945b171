//! What single steps may do: nothing to what is lost, nothing unseen, nothing that was not accepted.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use drplan_api::Action;
use drplan_api::Address;
use drplan_api::Change;
use drplan_api::ConnId;
use drplan_api::Effect;
use drplan_api::HazardLevel;
use drplan_api::Repeat;

use super::acts;
use crate::plan::policy::deletions;
use crate::plan::step::Do;
use crate::plan::step::Plan;
use crate::plan::step::Step;
use crate::plan::step::Sure;
use crate::plan::step::TargetPin;

pub(super) fn steps(plan: &Plan, broken: &mut Vec<String>) {
    let targets: BTreeMap<&ConnId, &TargetPin> =
        plan.targets.iter().map(|t| (&t.conn, t)).collect();
    let redo: BTreeSet<&Address> = plan.head.redo.iter().collect();
    let accepted: BTreeSet<&str> = plan.head.accept.iter().map(String::as_str).collect();
    for step in &plan.steps {
        shown(step, broken);
        if redo.contains(&step.address) {
            converges(step, broken);
        }
        accepted_or_not(step, accepted.contains(step.address.as_str()), broken);
        for conn in step.want.iter().flat_map(|want| want.roles.values()) {
            match targets.get(conn) {
                None => broken.push(format!(
                    "`{}` uses `{conn}`, which the plan does not hold",
                    step.address
                )),
                Some(t) if t.lost.is_some() && writes(step) => broken.push(format!(
                    "`{}` writes to `{conn}`, which is declared lost",
                    step.address
                )),
                Some(_) => {}
            }
        }
    }
}

/// Nobody can have answered for what is gone or not made yet.
pub(super) fn targets(plan: &Plan, broken: &mut Vec<String>) {
    for target in plan.targets.iter().filter(|t| t.identity.is_some()) {
        let why = match (&target.lost, target.made_by.is_empty()) {
            (Some(_), _) => "is lost",
            (None, false) => "is still to be made",
            (None, true) => continue,
        };
        broken.push(format!("`{}` {why} and yet it answered", target.conn));
    }
}

fn writes(step: &Step) -> bool {
    matches!(step.what, Do::Act { .. } | Do::Late { .. })
}

/// What a step changes, takes away or cannot take back stands in the plan.
fn shown(step: &Step, broken: &mut Vec<String>) {
    if acts(step) && step.hazard.level == HazardLevel::Irreversible && step.hazard.text.is_empty() {
        broken.push(format!(
            "`{}` cannot be undone and does not say why",
            step.address
        ));
    }
    let Do::Act {
        action, effects, ..
    } = &step.what
    else {
        return;
    };
    if effects.is_empty() {
        broken.push(format!(
            "`{}` acts without naming what it changes",
            step.address
        ));
    }
    if *action != Action::Delete && deletes_unseen(effects, &step.diff) {
        broken.push(format!(
            "`{}` deletes something and is not shown as a deletion",
            step.address
        ));
    }
}

/// What is done a second time without need takes nothing away, and lays nothing older over it.
fn converges(step: &Step, broken: &mut Vec<String>) {
    let Do::Act { effects, .. } = &step.what else {
        return;
    };
    if effects.iter().any(|e| e.repeat != Repeat::Converge) {
        broken.push(format!(
            "`{}` is done again, which changes what is there",
            step.address
        ));
    }
}

/// What was there and cannot be brought back is overwritten only where a person accepted that, and
/// where a person did, it shows.
fn accepted_or_not(step: &Step, accepted: bool, broken: &mut Vec<String>) {
    if !writes(step) {
        return;
    }
    let irreversible = step.hazard.level == HazardLevel::Irreversible;
    let deletes_only = match &step.what {
        Do::Act { action, .. } => *action == Action::Delete,
        Do::Late { actions, .. } => actions.iter().all(|a| *a == Action::Delete),
        _ => false,
    };
    if irreversible && !accepted && !deletes_only {
        broken.push(format!(
            "`{}` overwrites for good, and nobody accepted that",
            step.address
        ));
    }
    let blind = step.sure != Sure::Exact
        && !matches!(&step.what, Do::Late { actions, .. } if actions.is_empty());
    if accepted && blind && !irreversible {
        broken.push(format!(
            "`{}` may overwrite what nobody can see now, and does not show it",
            step.address
        ));
    }
}

/// Whether something is deleted that nobody sees in the plan. What the step itself made before is seen
/// as made, and so is what its diff shows as gone.
fn deletes_unseen(effects: &[Effect], diff: &[Change]) -> bool {
    let gone: BTreeSet<&str> = diff
        .iter()
        .filter(|c| c.after.is_none())
        .map(|c| c.path.as_str())
        .collect();
    deletions(effects).any(|effect| !gone.contains(effect.object.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effect(verb: &str, object: &str) -> Effect {
        Effect {
            verb: verb.to_owned(),
            object: object.to_owned(),
            repeat: Repeat::Named,
            inverse: None,
        }
    }

    #[test]
    fn a_step_may_take_away_what_it_made_or_what_its_diff_shows_as_gone() {
        let gone = Change {
            path: "leftover".to_owned(),
            before: None,
            after: None,
            sensitive: false,
            text: None,
        };
        for (effects, diff, unseen) in [
            (
                vec![effect("create", "a"), effect("delete", "a")],
                vec![],
                false,
            ),
            (
                vec![effect("delete", "a"), effect("create", "a")],
                vec![],
                true,
            ),
            (
                vec![effect("create", "a"), effect("drop", "b")],
                vec![],
                true,
            ),
            (vec![effect("delete", "leftover")], vec![gone], false),
        ] {
            assert_eq!(deletes_unseen(&effects, &diff), unseen, "{effects:?}");
        }
    }
}
