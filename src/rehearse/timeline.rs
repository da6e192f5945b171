//! What happened in a run, in order, with times: what a rehearsal's report is made from.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use drplan_api::Address;
use drplan_api::Clock;
use drplan_api::Evidence;
use drplan_api::Timestamp;
use drplan_sandbox::world::By;
use drplan_sandbox::world::simulation;
use serde::Serialize;

use crate::apply::Event;
use crate::apply::Outcome;
use crate::apply::Sink;

/// One step of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// Which.
    pub address: Address,
    /// When its turn came.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Who did it; `None` for what drplan decides by itself and for what never began.
    pub done_by: Option<By>,
    /// What that is, in words.
    pub with: Option<&'static str>,
    /// What was read to prove it.
    pub evidence: Vec<Evidence>,
    /// How often an attempt failed and was made again.
    pub retries: u32,
}

/// Keeps what happens and passes it on.
pub struct Timeline {
    clock: Clock,
    next: Arc<dyn Sink>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    started: BTreeMap<Address, Timestamp>,
    retries: BTreeMap<Address, u32>,
    entries: Vec<Entry>,
}

impl Timeline {
    /// Keeps what `next` hears too.
    #[must_use]
    pub fn new(clock: Clock, next: Arc<dyn Sink>) -> Self {
        Self {
            clock,
            next,
            kept: Mutex::default(),
        }
    }

    /// The steps that ended, in the order in which they did.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.entries.clone()
    }
}

impl Sink for Timeline {
    fn hear(&self, seq: u64, event: &Event) {
        self.next.hear(seq, event);
        let now = self.clock.now();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::StepStarted { address, .. } | Event::GateOpened { address, .. } => {
                kept.started.insert(address.clone(), now);
            }
            Event::Retry { address, .. } => {
                *kept.retries.entry(address.clone()).or_default() += 1;
            }
            Event::StepEnded {
                address,
                outcome,
                evidence,
                ..
            } => {
                let began = !matches!(outcome, Outcome::Blocked { .. } | Outcome::Passed);
                let done = simulation(address.kind()).filter(|_| began);
                let entry = Entry {
                    address: address.clone(),
                    done_by: done.map(|s| s.by),
                    with: done.map(|s| s.what),
                    started_at: kept.started.get(address).copied().unwrap_or(now),
                    ended_at: now,
                    outcome: outcome.clone(),
                    evidence: evidence.clone(),
                    retries: kept.retries.get(address).copied().unwrap_or_default(),
                };
                kept.entries.push(entry);
            }
            _ => {}
        }
    }
}
