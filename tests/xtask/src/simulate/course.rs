//! What a seed draws: faults, failing steps, crashes, and how each run goes on after the one before.

use std::sync::Arc;
use std::time::Duration;

use drplan::cli::VarArgs;
use drplan::rehearse::Failures;
use drplan::rehearse::Script;
use drplan_api::Address;

use super::trace::Lost;
use super::trace::Point;

/// How many crashes one life has at most.
const CRASHES_MAX: usize = 4;
/// How many answers to writes, and to creations, one life loses at most beside those that faults lose.
const LOST_MAX: usize = 2;
/// How long a life may pause between two runs, in minutes.
const PAUSE_MIN_MAX: u64 = 30;
/// How often a step that was chosen to fail does so at most. The engine's own attempts are fewer, so
/// that some runs end with it.
const FAILURES_MAX: u32 = 16;

/// What an undisturbed life looks like, which the others are measured by.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    /// How many records its journal has.
    pub(super) records: u64,
    /// How many requests it makes.
    pub(super) requests: u64,
    /// How many of those change something.
    pub(super) writes: u64,
    /// How many of those make something new.
    pub(super) creations: u64,
    /// The steps that act.
    pub(super) acting: Vec<Address>,
}

/// The end of a run before its time, and how the next goes on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crash {
    /// Where the run ends.
    pub(super) at: Point,
    /// How much time passes until the next run.
    pub(super) pause: Duration,
    /// Whether the next run finds the folder of runs empty.
    pub(super) empty_folder: bool,
}

/// The course of one life.
#[derive(Clone, Debug)]
pub(super) struct Course {
    /// The seed of faults; `None` for a world without.
    pub(super) faults: Option<u64>,
    /// How many steps run at once.
    pub(super) parallelism: usize,
    /// A step that fails, as `ADDRESS:N`.
    pub(super) fail: Option<String>,
    /// Whose answers are lost.
    pub(super) lost: Lost,
    /// The crashes, in order.
    pub(super) crashes: Vec<Crash>,
}

impl Course {
    /// A life in which nothing happens.
    pub(super) fn undisturbed() -> Self {
        Self {
            faults: None,
            parallelism: 4,
            fail: None,
            lost: Lost::default(),
            crashes: Vec::new(),
        }
    }

    /// The same for a scene.
    pub(super) fn script(&self) -> Script {
        Script {
            vars: VarArgs::default(),
            faults: self.faults,
            fail: Arc::new(Failures::parse(self.fail.as_slice())),
            parallelism: self.parallelism,
        }
    }

    /// Draws a course.
    pub(super) fn draw(seed: u64, scale: &Scale) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let fail = random.choice(&scale.acting).cloned();
        let fail = fail.filter(|_| random.u8(0..3) == 0);
        let fail = fail.map(|step| format!("{step}:{}", random.u32(1..=FAILURES_MAX)));
        let crashes = random.usize(0..=CRASHES_MAX);
        let mut some = |of: u64| {
            let count = random.usize(0..=LOST_MAX);
            (0..count).map(|_| random.u64(1..=of.max(1))).collect()
        };
        let lost = Lost {
            writes: some(scale.writes),
            creations: some(scale.creations),
        };
        Self {
            faults: Some(seed),
            parallelism: *random.choice(&[1, 3, 10]).unwrap_or(&1),
            fail,
            lost,
            crashes: (0..crashes).map(|_| crash(&mut random, scale)).collect(),
        }
    }
}

fn crash(random: &mut fastrand::Rng, scale: &Scale) -> Crash {
    let request = random.u64(1..=scale.requests.max(1));
    let at = match random.u8(0..3) {
        0 => Point::Record(random.u64(1..=scale.records.max(1))),
        1 => Point::Request(request),
        _ => Point::Answer(request),
    };
    let pause = match random.bool() {
        true => Duration::from_secs(60 * random.u64(1..=PAUSE_MIN_MAX)),
        false => Duration::ZERO,
    };
    Crash {
        at,
        pause,
        empty_folder: random.bool(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_draws_the_same_course_and_another_another() {
        let scale = Scale {
            records: 50,
            requests: 200,
            writes: 30,
            creations: 5,
            acting: vec![Address::new("command.a")],
        };
        let text = |seed| format!("{:?}", Course::draw(seed, &scale));
        assert_eq!(text(7), text(7));
        assert_ne!(text(7), text(8));
    }
}
