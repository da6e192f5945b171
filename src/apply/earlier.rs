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
/// twice in one run, and nothing that has no state of its own is done twice.
pub(super) fn answered(plan: &Plan, earlier: Option<&Earlier>) -> BTreeMap<Address, Ended> {
    let guards = plan.steps.iter().filter(|s| !s.guards.is_empty());
    let guards: BTreeSet<&Address> = guards.map(|s| &s.address).collect();
    let done = lines(earlier).filter_map(|line| match &line.record {
        Event::StepEnded {
            address,
            outcome: Outcome::Done,
            evidence,
            outputs,
            ..
        } if guards.contains(address) => Some((
            address.clone(),
            Ended {
                outcome: Outcome::Done,
                evidence: evidence.clone(),
                outputs: outputs.clone(),
            },
        )),
        _ => None,
    });
    done.collect()
}

/// The words of a question in a run that goes on.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    /// Those in which it was asked last.
    pub(super) asked: String,
    /// Those to which somebody said yes last.
    pub(super) approved: Option<String>,
}

/// In which words each question was asked, and which of them were answered.
pub(super) fn asked(earlier: Option<&Earlier>) -> BTreeMap<Address, Words> {
    let mut out = BTreeMap::<Address, Words>::new();
    for line in lines(earlier) {
        match &line.record {
            Event::GateOpened { address, ask } => {
                out.entry(address.clone())
                    .or_default()
                    .asked
                    .clone_from(ask);
            }
            Event::GatePassed { address, .. } => {
                let words = out.entry(address.clone()).or_default();
                words.approved = Some(words.asked.clone());
            }
            _ => {}
        }
    }
    out
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
