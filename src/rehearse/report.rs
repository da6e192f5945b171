//! What a rehearsal found out, as data.

use std::collections::BTreeMap;

use drplan_api::Address;
use drplan_api::Timestamp;
use drplan_sandbox::world::By;
use serde::Serialize;

use super::began::Began;
use super::objective::Loss;
use super::objective::Time;
use super::timeline::Entry;
use crate::apply::Outcome;

/// The report of a rehearsal. It never says *recovered*.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The recovery that was rehearsed.
    pub recovery: String,
    /// The failure domains that its world file declares lost.
    pub lost: Vec<String>,
    /// Whether the first plan had nothing to do, so that nothing was rehearsed.
    pub nothing_to_do: bool,
    /// How its world began, if it began as a snapshot recorded it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Began>,
    /// What the clock of the world showed at the beginning.
    pub began_at: Timestamp,
    /// And at the end.
    pub ended_at: Timestamp,
    /// How long it took, held against the objective of the recovery.
    pub time: Time,
    /// How much is lost, held against the objective of the recovery.
    pub data_loss: Loss,
    /// Every step, in the order in which they ended.
    pub steps: Vec<Entry>,
    /// How many steps a simulator did, by what it is.
    pub simulated: BTreeMap<&'static str, u64>,
    /// How many questions the rehearsal answered for people.
    pub answered: u64,
    /// How many requests met a fault.
    pub faults: u64,
    /// The best-effort steps that it comes back without; `None` if it does not come back.
    pub without: Option<Vec<Address>>,
    /// The steps that a second plan still has, those left out; `None` if no second plan could be made.
    pub left: Option<Vec<Address>>,
    /// Why no second plan could be made, mistake by mistake; empty if it was made.
    pub unplanned: Vec<String>,
    /// The commands that nothing stood in for: program and arguments of each.
    pub strangers: Vec<Vec<String>>,
    /// The steps that were told to fail and never came to it: they were true by themselves, or blocked.
    pub unmet: Vec<Address>,
    /// The exit code.
    pub exit_code: u8,
}

impl Report {
    /// Counts what was simulated in a run.
    #[must_use]
    pub fn simulated(steps: &[Entry]) -> (BTreeMap<&'static str, u64>, u64) {
        let (mut simulated, mut answered) = (BTreeMap::new(), 0);
        let done = |e: &&Entry| e.outcome == Outcome::Done || e.outcome == Outcome::AlreadyTrue;
        for entry in steps.iter().filter(done) {
            match (entry.done_by, entry.with) {
                (Some(By::Simulator), Some(with)) => *simulated.entry(with).or_default() += 1,
                (Some(By::Nobody), _) => answered += 1,
                _ => {}
            }
        }
        (simulated, answered)
    }
}
