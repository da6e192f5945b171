//! What a run did before it was resumed.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use drplan_api::Address;

use super::effects::Effects;
use super::event::Event;
use super::event::Outcome;
use super::event::Taken;
use super::journal::Line;
use super::step::Ended;
use crate::plan::Plan;

/// What a run did before it goes on.
pub struct Earlier {
    /// What its journal holds.
    pub lines: Vec<Line>,
    /// Who resumes it.
    pub by: String,
}

/// What is known of the effects of its steps.
pub(super) fn effects(earlier: Option<&Earlier>) -> Effects {
    Effects::of(lines(earlier))
}

/// Questions that were answered, and guards that acted, before the run was resumed: nobody is asked
/// twice in one run, and nothing that has no state of its own is done twice. Who is asked anew has
/// not answered yet, whatever was said before.
pub(super) fn answered(plan: &Plan, earlier: Option<&Earlier>) -> BTreeMap<Address, Ended> {
    let guards = plan.steps.iter().filter(|s| !s.guards.is_empty());
    let guards: BTreeSet<&Address> = guards.map(|s| &s.address).collect();
    let mut out = BTreeMap::new();
    for line in lines(earlier) {
        match &line.record {
            Event::GateOpened { address, .. } => drop(out.remove(address)),
            Event::StepEnded {
                address,
                outcome: Outcome::Done,
                evidence,
                outputs,
                ..
            } if guards.contains(address) => {
                let ended = Ended {
                    outcome: Outcome::Done,
                    evidence: evidence.clone(),
                    outputs: outputs.clone(),
                };
                out.insert(address.clone(), ended);
            }
            _ => {}
        }
    }
    out
}

/// In which words each question was asked last.
pub(super) fn asked(earlier: Option<&Earlier>) -> BTreeMap<Address, String> {
    let asked = lines(earlier).filter_map(|line| match &line.record {
        Event::GateOpened { address, ask } => Some((address.clone(), ask.clone())),
        _ => None,
    });
    asked.collect()
}

/// What the run has done.
pub(super) fn done(earlier: Option<&Earlier>) -> BTreeSet<Address> {
    let done = lines(earlier).filter_map(|line| match &line.record {
        Event::StepEnded {
            address,
            outcome: Outcome::Done,
            ..
        } => Some(address.clone()),
        _ => None,
    });
    done.collect()
}

/// How steps ended that ended well, and by which record, where nobody has turned to them since.
pub(super) fn ended_well(earlier: Option<&Earlier>) -> BTreeMap<Address, (Outcome, u64)> {
    let mut out = BTreeMap::new();
    for line in lines(earlier) {
        match &line.record {
            Event::StepEnded {
                address, outcome, ..
            } if outcome.is_good() => {
                out.insert(address.clone(), (outcome.clone(), line.seq));
            }
            Event::StepStarted { address, .. }
            | Event::GateOpened { address, .. }
            | Event::StepEnded { address, .. } => drop(out.remove(address)),
            _ => {}
        }
    }
    out
}

/// What a person took on when a run began, or last went on.
pub fn taken(lines: &[Line]) -> Taken {
    let mut said = lines.iter().filter_map(|line| match &line.record {
        Event::RunStarted { taken, .. } | Event::RunResumed { taken, .. } => Some(taken),
        _ => None,
    });
    said.next_back().cloned().unwrap_or_default()
}

/// Questions that a person has answered with no.
pub fn refused(lines: &[Line]) -> BTreeSet<Address> {
    let refused = lines.iter().filter_map(|line| match &line.record {
        Event::StepEnded {
            address,
            outcome: Outcome::Waiting {
                refused: Some(_), ..
            },
            ..
        } => Some(address.clone()),
        _ => None,
    });
    refused.collect()
}

/// What is to be done again; what the run did has been.
pub(super) fn to_redo(plan: &Plan, earlier: Option<&Earlier>) -> BTreeSet<Address> {
    let mut redo: BTreeSet<Address> = plan.head.redo.iter().cloned().collect();
    for address in done(earlier) {
        redo.remove(&address);
    }
    redo
}

fn lines(earlier: Option<&Earlier>) -> impl Iterator<Item = &Line> {
    earlier.into_iter().flat_map(|earlier| &earlier.lines)
}
