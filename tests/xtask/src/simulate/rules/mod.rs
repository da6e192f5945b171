//! What must hold after every life, whatever went wrong in it. Each rule is a function of what the
//! world and the journals hold; none asks the engine.

mod adopted;
mod cutover;
mod databases;
mod doubles;
mod ending;
#[cfg(test)]
pub(super) mod hand_made;
mod journals;
mod order;
mod owner;
mod pauses;
mod programs;
mod proofs;
mod retries;

use drplan::apply::Outcome;
use drplan::plan::Do;
use drplan::plan::Step;

use super::canonical::State;
use super::foreign;
use super::life::Life;

/// A rule that does not hold.
#[derive(Clone, Debug)]
pub(super) struct Broken {
    /// Which rule.
    pub(super) rule: &'static str,
    /// How it is broken.
    pub(super) how: String,
}

/// Judges a life by all rules. `wanted` is how an undisturbed life ends.
pub(super) fn judge(life: &Life, wanted: Option<&State>) -> Vec<Broken> {
    let all: [(&'static str, Vec<String>); 13] = [
        ("nothing is done twice", doubles::broken(life)),
        ("no program does its work twice", programs::broken(life)),
        ("no database is restored twice", databases::broken(life)),
        ("retries stay in their envelope", retries::broken(life)),
        ("nothing of others is touched", foreign::broken(&life.scene)),
        ("DNS never before its checks", cutover::broken(life)),
        (
            "nothing begins before what it waits for",
            order::broken(life),
        ),
        ("what is done is proven", proofs::broken(life)),
        ("nothing stale is adopted", adopted::broken(life)),
        ("journal and world agree", journals::broken(life)),
        (
            "nothing stays paused after a complete life",
            pauses::broken(life),
        ),
        ("only what is complete passes", ending::verdicts(life)),
        ("every life ends the same", ending::states(life, wanted)),
    ];
    let broken = |(rule, hows): (&'static str, Vec<String>)| {
        hows.into_iter().map(move |how| Broken { rule, how })
    };
    all.into_iter().flat_map(broken).collect()
}

/// Whether a step ended well, in words of its own: the engine's opinion is what is judged here. That
/// nothing was to be done is a good ending only of a step for which the plan says so.
fn is_good(step: &Step, outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Done | Outcome::AlreadyTrue => true,
        Outcome::NotNeeded => !step.guards.is_empty(),
        Outcome::Passed => matches!(step.what, Do::Barrier | Do::Idle | Do::Nothing),
        Outcome::Refuted { .. } => matches!(step.what, Do::Check { warning: true, .. }),
        Outcome::Failed { .. }
        | Outcome::Moved { .. }
        | Outcome::Blocked { .. }
        | Outcome::Waiting { .. }
        | Outcome::Stopped
        | Outcome::Skipped { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::hand_made::step;
    use super::*;

    #[test]
    fn to_pass_is_good_only_where_the_plan_has_nothing_to_do() {
        let restore = step("velero_restore.a", json!({ "do": "read" }));
        assert!(!is_good(&restore, &Outcome::Passed));
        assert!(is_good(&restore, &Outcome::Done));
        for what in ["barrier", "idle", "nothing"] {
            let step = step("x.a", json!({ "do": what }));
            assert!(is_good(&step, &Outcome::Passed), "{what}");
        }
    }

    #[test]
    fn neither_a_skip_nor_a_check_that_fails_is_good() {
        let check = |warning| {
            step(
                "check.a",
                json!({ "do": "check", "asserts": [], "warning": warning }),
            )
        };
        let refuted = Outcome::Refuted {
            because: String::new(),
            // What the engine says of it does not count.
            warning: true,
        };
        assert!(is_good(&check(true), &refuted));
        assert!(!is_good(&check(false), &refuted));
        let skipped = Outcome::Skipped {
            because: String::new(),
        };
        assert!(!is_good(&check(true), &skipped));
    }
}
