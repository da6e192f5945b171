//! What a rehearsal found out, as data.

use std::collections::BTreeMap;

use drplan_api::Address;
use drplan_api::Timestamp;
use drplan_sandbox::world::By;
use drplan_sandbox::world::simulation;
use serde::Serialize;

use super::timeline::Entry;
use crate::apply::Outcome;

/// The report of a rehearsal. It never says *recovered*.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The recovery that was rehearsed.
    pub recovery: String,
    /// What the clock of the world showed at the beginning.
    pub began_at: Timestamp,
    /// And at the end.
    pub ended_at: Timestamp,
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
    /// The steps that a second plan still has, those left out.
    pub left: Vec<Address>,
    /// The steps that were told to fail and never came to it: they were true by themselves.
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
            match simulation(entry.address.kind()) {
                Some(s) if s.by == By::Simulator => *simulated.entry(s.what).or_default() += 1,
                Some(s) if s.by == By::Nobody => answered += 1,
                _ => {}
            }
        }
        (simulated, answered)
    }

    /// How long the recovery took in the world's time, in seconds.
    #[must_use]
    pub fn seconds(&self) -> u64 {
        let took = self.ended_at.duration_since(self.began_at);
        u64::try_from(took.as_secs()).unwrap_or_default()
    }
}
