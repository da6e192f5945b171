//! What must hold after every life, whatever went wrong in it. Each rule is a function of what the
//! world and the journals hold; none asks the engine.

mod cutover;
mod doubles;
mod ending;
mod journals;
mod order;
mod pauses;

use drplan::apply::Outcome;

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
    let all: [(&'static str, Vec<String>); 8] = [
        ("nothing is done twice", doubles::broken(life)),
        ("nothing of others is touched", foreign::broken(&life.scene)),
        ("DNS never before its checks", cutover::broken(life)),
        (
            "nothing begins before what it waits for",
            order::broken(life),
        ),
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

/// Whether a step ended well, in words of its own: the engine's opinion is what is judged here.
fn is_good(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Done | Outcome::AlreadyTrue | Outcome::Passed => true,
        Outcome::Refuted { warning, .. } => *warning,
        Outcome::Failed { .. }
        | Outcome::Moved { .. }
        | Outcome::Blocked { .. }
        | Outcome::Waiting { .. }
        | Outcome::Stopped
        | Outcome::Skipped { .. } => false,
    }
}
