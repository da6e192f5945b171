//! Where a run stands, folded from its plan and its journal while it goes on or after it ended.

use std::collections::BTreeMap;

use drplan_api::Address;
use drplan_api::Timestamp;
use serde::Serialize;

use crate::apply::Event;
use crate::apply::Frontier;
use crate::apply::Outcome;
use crate::store::StoredRun;

/// Where a run stands.
#[derive(Clone, Debug, Serialize)]
pub struct Standing {
    /// The run.
    pub run: String,
    /// The recovery.
    pub recovery: String,
    /// Whether something that the whole recovery needs is not in its plan.
    pub is_part: bool,
    /// Whether it goes on, is paused, has ended or died.
    pub state: State,
    /// When it began.
    pub began_at: Option<Timestamp>,
    /// When its journal last grew.
    pub last_at: Option<Timestamp>,
    /// How long it took, or takes until now, in seconds.
    pub seconds: u64,
    /// The steps, sorted by how they ended. Its command is the one that the run has kept: from the beginning, for one
    /// that dies.
    pub frontier: Frontier,
    /// What runs now, and since when.
    pub running: BTreeMap<Address, Timestamp>,
    /// Of which steps a program runs on this machine although no run goes on, and its process group.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub programs: BTreeMap<Address, String>,
    /// Why it is not known whether a program runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub programs_unknown: Option<String>,
}

/// What a run does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// It goes on.
    Running,
    /// It begins nothing new.
    Paused {
        /// Since somebody wished it, or something failed.
        because: String,
    },
    /// It ended.
    Ended {
        /// The exit code.
        exit_code: u8,
    },
    /// It did not end, and nobody holds the lock for it.
    Died,
}

impl Standing {
    /// Folds a run; `holder` is who holds the lock of its recovery.
    #[must_use]
    pub fn of(stored: &StoredRun, holder: Option<&str>, now: Timestamp) -> Self {
        let mut ended: BTreeMap<Address, Outcome> = BTreeMap::new();
        let mut running: BTreeMap<Address, Timestamp> = BTreeMap::new();
        let mut state = State::Running;
        for line in &stored.records.lines {
            match &line.record {
                Event::RunStarted { .. } | Event::RunResumed { .. } => {
                    state = State::Running;
                    running.clear();
                    // What waited, waits anew. What failed may have left something behind.
                    ended.retain(|_, outcome| {
                        !matches!(
                            outcome,
                            Outcome::Blocked { .. }
                                | Outcome::Waiting { .. }
                                | Outcome::Moved { .. }
                                | Outcome::Refuted { warning: false, .. }
                        )
                    });
                }
                Event::RunPaused { because } => {
                    let because = because.clone();
                    state = State::Paused { because };
                }
                Event::RunWentOn { .. } => state = State::Running,
                Event::RunEnded { exit_code } => {
                    let exit_code = *exit_code;
                    state = State::Ended { exit_code };
                }
                Event::StepStarted { address, .. } => {
                    ended.remove(address);
                    running.insert(address.clone(), line.at);
                }
                Event::GateOpened { address, ask } => {
                    let ask = ask.clone();
                    let waiting = Outcome::Waiting { ask, refused: None };
                    ended.insert(address.clone(), waiting);
                }
                Event::GatePassed { address, .. } => {
                    ended.insert(address.clone(), Outcome::Done);
                }
                Event::StepEnded {
                    address, outcome, ..
                } => {
                    running.remove(address);
                    ended.insert(address.clone(), outcome.clone());
                }
                _ => {}
            }
        }
        let lives = holder.is_some_and(|about| about.contains(&stored.id));
        if !matches!(state, State::Ended { .. }) && !lives {
            state = State::Died;
        }
        if matches!(state, State::Running | State::Paused { .. }) {
            // What was left at a safe point before the run went on has not begun again.
            ended.retain(|_, outcome| *outcome != Outcome::Stopped);
        }
        let open: Vec<Address> = running.keys().cloned().collect();
        let kept = stored.frontier.clone().unwrap_or_default();
        let frontier = Frontier {
            from: kept.from,
            ..Frontier::of(&stored.id, &stored.plan, &ended, &open, kept.next)
        };
        let began_at = stored.records.lines.first().map(|line| line.at);
        let last_at = stored.records.lines.last().map(|line| line.at);
        let until = if lives { Some(now) } else { last_at };
        let took = began_at
            .zip(until)
            .map(|(from, to)| to.duration_since(from));
        Self {
            run: stored.id.clone(),
            recovery: stored.plan.head.recovery.clone(),
            is_part: stored.plan.is_part(),
            state,
            began_at,
            last_at,
            seconds: took.map_or(0, |took| u64::try_from(took.as_secs()).unwrap_or(0)),
            frontier,
            programs: BTreeMap::new(),
            programs_unknown: None,
            running,
        }
    }
}
