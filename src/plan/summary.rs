//! The figures of a plan, counted once for all renderers.

use std::collections::BTreeMap;

use drplan_api::Action;
use drplan_api::HazardLevel;
use serde::Serialize;

use super::step::Do;
use super::step::Plan;
use super::step::Sure;

/// Counts of a plan. Barriers and idle guards do not count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Steps by action.
    pub actions: BTreeMap<String, u64>,
    /// Steps that change the world.
    pub acting: u64,
    /// Questions to people.
    pub gates: u64,
    /// Checks.
    pub checks: u64,
    /// Already true, data sources included.
    pub true_already: u64,
    /// Conflicts.
    pub conflicts: u64,
    /// Blocked steps.
    pub blocked: u64,
    /// Steps whose decision is approximate or not made yet.
    pub unsure: u64,
    /// Steps that cannot be undone.
    pub irreversible: u64,
    /// Whether something could not be read.
    pub incomplete: bool,
}

impl Summary {
    /// Counts.
    pub fn of(plan: &Plan) -> Self {
        let mut out = Self::default();
        for step in &plan.steps {
            match &step.what {
                Do::Act { .. } | Do::Late { .. } => {
                    out.acting += 1;
                    let word = step.action().map_or("decide", Action::as_str);
                    *out.actions.entry(word.to_owned()).or_default() += 1;
                    out.unsure += u64::from(step.sure != Sure::Exact);
                    out.irreversible += u64::from(step.hazard.level == HazardLevel::Irreversible);
                }
                Do::Gate { .. } => out.gates += 1,
                Do::Check { .. } => out.checks += 1,
                Do::Nothing => out.true_already += 1,
                Do::Conflict => out.conflicts += 1,
                Do::Blocked { unreadable } => {
                    out.blocked += 1;
                    out.incomplete |= unreadable;
                }
                Do::Read | Do::Barrier | Do::Idle => {}
            }
        }
        out
    }
}
