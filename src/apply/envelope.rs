//! Whether what a kind proposes now lies inside what the plan shows.

use std::collections::BTreeSet;

use serde_json::Map;

use crate::plan::Deed;
use crate::plan::Do;
use crate::plan::Plan;
use crate::plan::Step;
use crate::plan::Sure;
use drplan_api::Because;
use drplan_api::DynKind;
use drplan_api::Effect;
use drplan_api::HazardLevel;
use drplan_api::Json;
use drplan_api::Planned;
use drplan_api::Proposal;

/// The reason inside a decision that is not a step.
pub(crate) fn because_of(planned: &Planned<Json>) -> String {
    match planned {
        Planned::Nothing(Because(text))
        | Planned::Gate {
            because: Because(text),
            ..
        }
        | Planned::Blocked(Because(text)) => text.clone(),
        Planned::Conflict(Because(text), changes) => {
            let names: Vec<&str> = changes.iter().map(|c| c.path.as_str()).take(5).collect();
            if names.is_empty() {
                text.clone()
            } else {
                format!("{text} ({})", names.join(", "))
            }
        }
        Planned::Step(p) => p.because.to_string(),
    }
}

/// Whether a proposal lies inside what the plan shows.
pub(crate) fn within(step: &Step, kind: &dyn DynKind, now: &Proposal<Json>) -> Result<(), String> {
    // What is there by now and not ready is only waited for.
    let waits = only_waits(now) && !now.effects.is_empty();
    if waits && matches!(step.what, Do::Act { .. }) || only_takes_back(step, now) {
        return Ok(());
    }
    let def = kind.def();
    let (allowed, hazard_max, bound) = match (&step.what, &step.sure) {
        (
            Do::Act {
                action, binding, ..
            },
            Sure::Exact,
        ) => (vec![*action], step.hazard.level, Some(binding)),
        (Do::Act { action, .. }, _) => {
            let mut allowed = def.envelope.to_vec();
            allowed.push(*action);
            // What cannot be undone happens only if the plan shows it.
            let hazard_max = def.hazard_max.min(HazardLevel::Reversible);
            (allowed, hazard_max.max(step.hazard.level), None)
        }
        (
            Do::Late {
                actions,
                hazard_max,
            },
            _,
        ) => (actions.clone(), *hazard_max, None),
        // Waiting for what was true when planned changes nothing.
        (Do::Nothing, _) if only_waits(now) => return Ok(()),
        _ => {
            return Err(format!(
                "the plan shows no action, but now it would {}: {}",
                now.action.as_str(),
                now.because
            ));
        }
    };
    // Where a part came true by itself, what is left may have a gentler name.
    let is_less = bound.is_some_and(|binding| has_less(binding, &now.binding))
        && def.envelope.contains(&now.action);
    if !allowed.contains(&now.action) && !is_less {
        return Err(format!(
            "the plan shows {}, but now it would {}: {}",
            allowed
                .iter()
                .map(|a| a.as_str())
                .collect::<Vec<_>>()
                .join(" or "),
            now.action.as_str(),
            now.because
        ));
    }
    if now.hazard.level > hazard_max {
        return Err(format!(
            "it is more dangerous than the plan shows: {}",
            now.hazard.text
        ));
    }
    match bound {
        Some(binding) if !is_less && *binding != now.binding => Err(moved(binding, &now.binding)),
        _ => Ok(()),
    }
}

/// Whether nothing is left to do but to wait or to ask.
fn only_waits(now: &Proposal<Json>) -> bool {
    now.effects.iter().all(Effect::only_reads)
}

/// Whether of what a plan rests on some entries are gone, and the others are as they were.
fn has_less(then: &Json, now: &Json) -> bool {
    let (Json::Object(then), Json::Object(now)) = (then, now) else {
        return false;
    };
    now.len() < then.len() && now.iter().all(|(key, value)| then.get(key) == Some(value))
}

/// Whether a proposal keeps the limits that the plan was asked to keep. What was planned against what was
/// not there yet may turn out to be more than the plan could show.
pub(crate) fn within_limits(plan: &Plan, step: &Step, now: &Proposal<Json>) -> Result<(), String> {
    let deed = Deed {
        actions: std::slice::from_ref(&now.action),
        sure: true,
        effects: &now.effects,
        diff: &now.diff,
        worst: now.hazard.level,
        cutover: step.cutover,
        accepted: plan.has_accepted(&step.address),
    };
    let broken = plan.head.policy.forbid.iter().find_map(|forbidden| {
        let how = forbidden.done_by(&deed)?;
        Some((forbidden.as_str(), how))
    });
    match broken {
        Some((word, how)) => Err(format!(
            "now it {how}, which `--forbid {word}` of this plan does not allow: {}",
            now.because
        )),
        None => Ok(()),
    }
}

/// Whether all that is left to do is to take away what the plan's own effects make: a run that died in
/// between has done the rest.
fn only_takes_back(step: &Step, now: &Proposal<Json>) -> bool {
    let Do::Act { effects, .. } = &step.what else {
        return false;
    };
    let makes = |object: &str| {
        let mut made = effects.iter().filter(|e| e.verb == "create");
        made.any(|e| e.object == object)
    };
    let mut changes = now.effects.iter().filter(|e| !e.only_reads()).peekable();
    changes.peek().is_some() && changes.all(|e| e.verb == "delete" && makes(&e.object))
}

/// Names what differs between what the plan rests on and what is there now.
fn moved(then: &Json, now: &Json) -> String {
    if let (Json::Object(a), Json::Object(b)) = (then, now) {
        let parts = differing(a, b, &[]);
        return format!("somebody changed it since the plan: {}", parts.join("; "));
    }
    format!(
        "somebody changed it since the plan: it was {} and is {} now",
        brief(then),
        brief(now)
    )
}

/// Names the entries that differ, and how; those of some names are left out.
pub(super) fn differing(
    then: &Map<String, Json>,
    now: &Map<String, Json>,
    without: &[&str],
) -> Vec<String> {
    const NAMED_MAX: usize = 5;
    let keys: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    let text = |of: &Map<String, Json>, key: &str| of.get(key).map_or("nothing".to_owned(), brief);
    keys.into_iter()
        .filter(|key| !without.contains(&key.as_str()) && then.get(*key) != now.get(*key))
        .take(NAMED_MAX)
        .map(|key| {
            let (then, now) = (text(then, key), text(now, key));
            format!("`{key}` was {then} when planned and is {now} now")
        })
        .collect()
}

fn brief(json: &Json) -> String {
    const CHARACTERS_MAX: usize = 160;
    let text = json.to_string();
    if text.chars().count() <= CHARACTERS_MAX {
        return text;
    }
    let head: String = text.chars().take(CHARACTERS_MAX).collect();
    format!("{head}…")
}

#[cfg(test)]
mod tests {
    use drplan_api::Action;
    use drplan_api::Hazard;

    use super::*;
    use crate::plan::Forbidden;
    use crate::tests::memory::Case;

    #[tokio::test]
    async fn what_turns_out_to_be_an_update_does_not_get_round_a_limit() {
        let spec = "resource \"thing\" \"a\" {\n  value = 1\n}\n";
        let mut plan = Case::new(spec).plan().await;
        let step = plan.steps[0].clone();
        let now = Proposal {
            action: Action::Update,
            because: "it holds another value".into(),
            diff: Vec::new(),
            hazard: Hazard::none(),
            op: Json::Null,
            effects: Vec::new(),
            binding: Json::Null,
        };
        assert_eq!(within_limits(&plan, &step, &now), Ok(()));
        plan.head.policy.forbid = [Forbidden::Update].into();
        let said = within_limits(&plan, &step, &now).expect_err("it is forbidden");
        assert!(said.contains("`--forbid update`"), "{said}");
    }
}
