//! What every ending writes: done, failed, running, blocked, not started, and the next command.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use drplan_api::Address;
use serde::Deserialize;
use serde::Serialize;

use super::event::Outcome;
use crate::graph::EdgeWhy;
use crate::plan::Do;
use crate::plan::Plan;
use crate::plan::Step;

/// Where a run stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frontier {
    /// The run.
    pub run: String,
    /// Done and proven, or already true.
    pub done: Vec<Address>,
    /// Failed, refuted or moved, with the reason.
    pub failed: BTreeMap<Address, String>,
    /// Begun and not ended: probe before anything else.
    pub running: Vec<Address>,
    /// Waiting for a person, with the question, or refused by one.
    pub waiting: BTreeMap<Address, String>,
    /// Blocked, with the step at the root.
    pub blocked: BTreeMap<Address, Address>,
    /// Left out by a person, with the reason.
    #[serde(default)]
    pub skipped: BTreeMap<Address, String>,
    /// Not started.
    pub not_started: Vec<Address>,
    /// What steps left behind and none has ended yet, such as paused objects, and what they did.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left: BTreeMap<Address, String>,
    /// The exact next command; empty if nothing is left to do.
    pub next: String,
    /// The folder that it is meant for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub from: String,
}

impl Frontier {
    /// Sorts the steps of a plan by how they ended. Barriers and idle guards are left out.
    pub fn of(
        run: &str,
        plan: &Plan,
        ended: &BTreeMap<Address, Outcome>,
        running: &[Address],
        next: String,
    ) -> Self {
        let mut out = Self {
            run: run.to_owned(),
            left: left(plan, ended, running),
            next,
            ..Self::default()
        };
        for step in plan
            .steps
            .iter()
            .filter(|s| is_told(s, ended.get(&s.address), running))
        {
            let address = step.address.clone();
            match ended.get(&address) {
                Some(Outcome::Skipped { because }) => {
                    out.skipped.insert(address, because.clone());
                }
                Some(outcome) if outcome.is_good() => out.done.push(address),
                Some(Outcome::Blocked { by }) => {
                    out.blocked.insert(address, by.clone());
                }
                Some(outcome @ Outcome::Waiting { .. }) => {
                    out.waiting
                        .insert(address, outcome.because().unwrap_or_default());
                }
                Some(Outcome::Stopped) => out.running.push(address),
                Some(outcome) => {
                    out.failed
                        .insert(address, outcome.because().unwrap_or_default());
                }
                None if running.contains(&address) => out.running.push(address),
                None => out.not_started.push(address),
            }
        }
        out
    }
}

/// Barriers do nothing, and of guards that the plan left out only one of which a program still runs, or ran to no good
/// end, is worth a word.
fn is_told(step: &Step, outcome: Option<&Outcome>, running: &[Address]) -> bool {
    match (&step.what, outcome) {
        (Do::Barrier, _) | (Do::Idle, Some(Outcome::Blocked { .. })) => false,
        (Do::Idle, Some(outcome)) => !outcome.is_good(),
        (Do::Idle, None) => running.contains(&step.address),
        _ => true,
    }
}

/// What was left behind by steps that acted, or may have before they stopped, and that no step has ended.
fn left(
    plan: &Plan,
    ended: &BTreeMap<Address, Outcome>,
    running: &[Address],
) -> BTreeMap<Address, String> {
    let began = |step: &Step| match ended.get(&step.address) {
        Some(outcome) => matches!(
            outcome,
            Outcome::Done | Outcome::Failed { .. } | Outcome::Stopped
        ),
        None => running.contains(&step.address),
    };
    let ends = plan.edges.iter().filter(|edge| {
        let after = &plan.steps[edge.after].address;
        matches!(edge.why, EdgeWhy::Ends { .. }) && ended.get(after).is_some_and(Outcome::is_good)
    });
    let gone: BTreeSet<usize> = ends.map(|edge| edge.before).collect();
    let steps = plan.steps.iter().enumerate();
    let left = steps.filter(|(i, step)| step.leaves.is_some() && began(step) && !gone.contains(i));
    left.map(|(_, step)| {
        (
            step.address.clone(),
            step.leaves.clone().unwrap_or_default(),
        )
    })
    .collect()
}
