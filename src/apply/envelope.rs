//! Whether what a kind proposes now lies inside what the plan shows.

use std::collections::BTreeSet;

use serde_json::Map;

use crate::plan::Deed;
use crate::plan::Do;
use crate::plan::Plan;
use crate::plan::Step;
use crate::plan::Sure;
use crate::secrets::Secrets;
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
pub(crate) fn within(
    step: &Step,
    kind: &dyn DynKind,
    now: &Proposal<Json>,
    secrets: &Secrets,
) -> Result<(), String> {
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
        Some(binding) if !is_less && *binding != now.binding => {
            Err(moved(binding, &now.binding, secrets))
        }
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
fn moved(then: &Json, now: &Json, secrets: &Secrets) -> String {
    let parts = match (then, now) {
        (Json::Object(then), Json::Object(now)) => differing(then, now, &[], secrets).join("; "),
        _ => {
            let (then, now) = side_by_side(Some(then), Some(now), secrets);
            format!("it was {then} and is {now} now")
        }
    };
    format!("somebody changed it since the plan: {parts}")
}

/// Names the entries that differ, and how; those of some names are left out.
pub(super) fn differing(
    then: &Map<String, Json>,
    now: &Map<String, Json>,
    without: &[&str],
    secrets: &Secrets,
) -> Vec<String> {
    const NAMED_MAX: usize = 5;
    let keys: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    keys.into_iter()
        .filter(|key| !without.contains(&key.as_str()) && then.get(*key) != now.get(*key))
        .take(NAMED_MAX)
        .map(|key| {
            let (then, now) = side_by_side(then.get(key), now.get(key), secrets);
            format!("`{key}` was {then} when planned and is {now} now")
        })
        .collect()
}

/// Writes two values that differ, from shortly before the place where they do. Secrets are taken out before
/// anything is cut: half of one would be found by nobody.
fn side_by_side(then: Option<&Json>, now: Option<&Json>, secrets: &Secrets) -> (String, String) {
    const BEFORE_MAX: usize = 40;
    let text = |json: Option<&Json>| {
        json.map_or("nothing".to_owned(), |json| {
            secrets.scrub(&secrets.scrub_json(json).to_string())
        })
    };
    let (then, now) = (text(then), text(now));
    if then == now {
        return (then, "another, in what is secret,".to_owned());
    }
    let same = then.chars().zip(now.chars()).take_while(|(a, b)| a == b);
    let from = same.count().saturating_sub(BEFORE_MAX);
    (part(&then, from), part(&now, from))
}

/// A text, or what a person needs to see of it if it is long.
fn part(text: &str, from: usize) -> String {
    const CHARACTERS_MAX: usize = 160;
    let all = text.chars().count();
    if all <= CHARACTERS_MAX {
        return text.to_owned();
    }
    // The end of a text is as long as its beginning.
    let from = from.min(all - CHARACTERS_MAX);
    let shown: String = text.chars().skip(from).take(CHARACTERS_MAX).collect();
    let before = if from > 0 { "…" } else { "" };
    let behind = if from + CHARACTERS_MAX < all {
        "…"
    } else {
        ""
    };
    format!("{before}{shown}{behind}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use drplan_api::Action;
    use drplan_api::Hazard;
    use drplan_api::Registry;
    use drplan_api::Repeat;
    use serde_json::json;

    use super::*;
    use crate::plan::Forbidden;
    use crate::tests::memory;
    use crate::tests::memory::Case;

    fn no_secrets() -> Secrets {
        Secrets::new(Path::new("."), BTreeMap::new())
    }

    fn proposal(action: Action, effects: Vec<Effect>, binding: Json) -> Proposal<Json> {
        Proposal {
            action,
            because: "it holds another value".into(),
            diff: Vec::new(),
            hazard: Hazard::none(),
            op: Json::Null,
            effects,
            binding,
        }
    }

    fn effect(verb: &str) -> Effect {
        Effect {
            verb: verb.to_owned(),
            object: "thing.a".to_owned(),
            repeat: Repeat::Converge,
            inverse: None,
        }
    }

    /// A step that updates what two parts of a binding tell, and its kind.
    async fn step() -> (Step, Registry) {
        let case = Case::new("resource \"thing\" \"a\" {\n  value = 1\n}\n");
        let mut step = case.plan().await.steps[0].clone();
        if let Do::Act {
            action, binding, ..
        } = &mut step.what
        {
            (*action, *binding) = (Action::Update, json!({"a": 1, "b": 2}));
        }
        (step, memory::registry(&case.world))
    }

    #[tokio::test]
    async fn that_a_part_came_true_by_itself_is_inside_and_that_one_changed_or_came_is_not() {
        let (step, registry) = step().await;
        let kind = registry.get_resource("thing").expect("the kind");
        let is_within = |action: Action, binding: Json| {
            let now = proposal(action, vec![effect("set")], binding);
            within(&step, &**kind, &now, &no_secrets())
        };
        for binding in [json!({"a": 1, "b": 2}), json!({"b": 2}), json!({})] {
            assert_eq!(
                is_within(Action::Update, binding.clone()),
                Ok(()),
                "{binding}"
            );
        }
        // What is left may have another name of those that the kind may use, and no others.
        assert_eq!(is_within(Action::Create, json!({"b": 2})), Ok(()));
        assert!(is_within(Action::Create, json!({"a": 1, "b": 2})).is_err());
        assert!(is_within(Action::Delete, json!({"b": 2})).is_err());
        for (binding, says) in [
            (
                json!({"a": 1, "b": 3}),
                "`b` was 2 when planned and is 3 now",
            ),
            (json!({"b": 3}), "`b` was 2"),
            (
                json!({"a": 1, "c": 2}),
                "`c` was nothing when planned and is 2",
            ),
            (json!({"a": 1, "b": 2, "c": 3}), "`c` was nothing"),
            (json!(null), "it was {\"a\":1,\"b\":2} and is null now"),
        ] {
            let said = is_within(Action::Update, binding).expect_err("it moved");
            assert!(said.contains(says), "{said}");
        }
    }

    #[tokio::test]
    async fn what_is_only_waited_for_is_inside_whatever_it_rests_on() {
        let (step, registry) = step().await;
        let kind = registry.get_resource("thing").expect("the kind");
        let is_within = |step: &Step, effects: Vec<Effect>| {
            let now = proposal(Action::Update, effects, json!({"x": 9}));
            within(step, &**kind, &now, &no_secrets())
        };
        assert_eq!(is_within(&step, vec![effect("wait")]), Ok(()));
        assert!(is_within(&step, vec![effect("wait"), effect("set")]).is_err());
        assert!(is_within(&step, Vec::new()).is_err(), "that is no wait");
        let nothing = Step {
            what: Do::Nothing,
            ..step
        };
        assert_eq!(is_within(&nothing, vec![effect("wait")]), Ok(()));
        assert!(is_within(&nothing, vec![effect("set")]).is_err());
    }

    #[test]
    fn two_long_values_are_shown_where_they_differ() {
        let value = |end: &str| json!(format!("{}{end}{}", "a".repeat(300), "b".repeat(300)));
        let (then, now) = (value("then"), value("now!"));
        let (then, now) = side_by_side(Some(&then), Some(&now), &no_secrets());
        let (same, rest) = ("a".repeat(40), "b".repeat(116));
        assert_eq!(then, format!("…{same}then{rest}…"));
        assert_eq!(now, format!("…{same}now!{rest}…"));
    }

    #[test]
    fn of_a_secret_nothing_is_shown_wherever_a_value_is_cut() {
        let secrets = no_secrets();
        secrets.remember("hunter22-hunter22");
        for length in 100..220 {
            let long = "x".repeat(length);
            let then = json!({"a": format!("{long} hunter22-hunter22"), "b": long});
            let now = json!({"a": format!("{long} hunter22-hunter22"), "b": "y"});
            let said = moved(&json!([then]), &json!([now]), &secrets);
            assert!(!said.contains("hunt") && !said.contains("er22"), "{said}");
        }
        let said = moved(&json!("hunter22-hunter22"), &json!("(secret)"), &secrets);
        assert!(said.ends_with("it was \"(secret)\" and is another, in what is secret, now"));
    }

    #[tokio::test]
    async fn what_turns_out_to_be_an_update_does_not_get_round_a_limit() {
        let spec = "resource \"thing\" \"a\" {\n  value = 1\n}\n";
        let mut plan = Case::new(spec).plan().await;
        let step = plan.steps[0].clone();
        let now = proposal(Action::Update, Vec::new(), Json::Null);
        assert_eq!(within_limits(&plan, &step, &now), Ok(()));
        plan.head.policy.forbid = [Forbidden::Update].into();
        let said = within_limits(&plan, &step, &now).expect_err("it is forbidden");
        assert!(said.contains("`--forbid update`"), "{said}");
    }
}
