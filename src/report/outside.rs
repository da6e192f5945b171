//! Holds what was done against what the plan showed. Pure. Shares no code with the engine on purpose.

use drplan_api::Action;
use drplan_api::Effect;
use drplan_api::is_like;

use super::data::Deviation;
use super::data::End;
use super::data::Outside;
use super::fold::Track;
use crate::plan::Do;
use crate::plan::Step;
use crate::plan::Sure;
use crate::secrets::HIDDEN;

/// What a plan shows for a step, in a word or two.
pub(super) fn planned(step: &Step) -> String {
    match &step.what {
        Do::Act { action, .. } => action.as_str().to_owned(),
        Do::Late { actions, .. } => {
            let words: Vec<&str> = actions.iter().map(|a| a.as_str()).collect();
            words.join(" or ")
        }
        Do::Nothing => "nothing".to_owned(),
        Do::Barrier => "barrier".to_owned(),
        Do::Read => "read".to_owned(),
        Do::Gate { .. } => "ask".to_owned(),
        Do::Check { .. } => "check".to_owned(),
        Do::Conflict => "conflict".to_owned(),
        Do::Blocked { .. } => "blocked".to_owned(),
        Do::Idle => "nothing".to_owned(),
    }
}

/// Where a step went another way than the plan showed.
pub(super) fn deviation(step: &Step, end: End, because: Option<&str>) -> Option<Deviation> {
    let refused = matches!(step.what, Do::Conflict | Do::Blocked { .. });
    let actual = match end {
        End::Idle if step.what != Do::Idle => "nothing: what it guards was true".to_owned(),
        End::AlreadyTrue => "nothing: it was true before its turn came".to_owned(),
        End::Moved => format!("refused: {}", because.unwrap_or("the world had moved")),
        End::Failed if refused => "refused, as the plan said".to_owned(),
        End::Done if step.what == Do::Nothing => {
            "done: it was not true any more when its turn came, or a program of it still ran"
                .to_owned()
        }
        _ => return None,
    };
    Some(Deviation {
        address: step.address.to_string(),
        planned: planned(step),
        actual,
    })
}

/// What a step did and the plan does not show: nothing, or drplan has a bug.
pub(super) fn outside(step: &Step, track: &Track) -> Vec<Outside> {
    let mut did = Vec::new();
    if let Some(action) = track.action.filter(|action| !allows(step, *action)) {
        did.push(format!("it set out to {}", action.as_str()));
    }
    for (_, verb, object) in track.effects.values().flat_map(|e| &e.begun) {
        if !shows(step, verb, object) {
            did.push(format!("{verb} {object}"));
        }
    }
    did.into_iter()
        .map(|did| Outside {
            address: step.address.to_string(),
            did,
        })
        .collect()
}

fn allows(step: &Step, began: Action) -> bool {
    match &step.what {
        Do::Act { action, .. } => *action == began,
        Do::Late { actions, .. } => actions.contains(&began),
        _ => false,
    }
}

fn shows(step: &Step, verb: &str, object: &str) -> bool {
    let reads = |verb: &str| matches!(verb, "wait" | "get");
    let same = |e: &Effect| is_as_shown(verb, &e.verb) && is_as_shown(object, &e.object);
    match (&step.what, &step.sure) {
        // Taking away what its own effects make is inside of what the plan shows.
        (Do::Act { effects, .. }, Sure::Exact) => {
            let undoes = |e: &Effect| {
                verb == "delete" && e.verb == "create" && is_as_shown(object, &e.object)
            };
            effects.iter().any(|e| same(e) || undoes(e))
        }
        // Decided when their turn came: the plan shows actions and the worst hazard, not requests.
        (Do::Act { .. } | Do::Late { .. }, _) => true,
        (Do::Nothing, _) => reads(verb),
        _ => false,
    }
}

/// Whether what a journal tells is what a plan shows, where the journal may hide what is a secret of the run: a short
/// one may stand in an ordinary word of the spec.
fn is_as_shown(told: &str, shown: &str) -> bool {
    is_like(shown, told, HIDDEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_journal_hides_may_be_anything_and_all_else_is_as_the_plan_shows_it() {
        for (told, shown, is_same) in [
            ("touch a", "touch a", true),
            ("touch a", "touch ab", false),
            ("touch (secret).ready", "touch postgres.ready", true),
            ("touch (secret).ready", "touch postgres.done", false),
            ("(secret) and (secret)", "a and b", true),
            ("(secret) and (secret)", "a or b", false),
            ("rm (secret)", "touch a", false),
            ("(secret)", "all of it", true),
            ("a(secret)a", "a", false),
        ] {
            assert_eq!(is_as_shown(told, shown), is_same, "{told} {shown}");
        }
    }
}
