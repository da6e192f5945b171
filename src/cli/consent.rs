//! What a person says yes to.

use std::collections::BTreeMap;
use std::io::Write as _;

use drplan_api::Action;
use drplan_api::Address;
use drplan_api::HazardLevel;

use super::Ambient;
use super::failure::Failure;
use crate::plan::Do;
use crate::plan::Plan;
use crate::plan::Step;
use crate::plan::Summary;
use crate::report::Exit;

/// The kind that asks.
const APPROVAL: &str = "approval";

/// What a person has said yes to: actions by address, and how bad they may be.
#[derive(Default)]
pub(super) struct Approved(BTreeMap<Address, (Option<Action>, HazardLevel)>);

impl Approved {
    pub(super) fn add(&mut self, plan: &Plan) {
        for step in plan.steps.iter().filter(|s| s.is_action()) {
            let what = (step.action(), step.hazard.level);
            self.0.insert(step.address.clone(), what);
        }
    }

    /// Whether a new plan does nothing that the person has not seen. Gates ask for themselves.
    pub(super) fn covers(&self, plan: &Plan) -> bool {
        let mut acting = plan
            .steps
            .iter()
            .filter(|s| matches!(s.what, Do::Act { .. } | Do::Late { .. }));
        acting.all(|step| {
            let known = self.0.get(&step.address);
            known.is_some_and(|(action, hazard)| {
                *action == step.action() && step.hazard.level <= *hazard
            })
        })
    }
}

/// Asks whether to start.
pub(super) fn confirm(plan: &Plan, ambient: &Ambient) -> Result<(), Failure> {
    if !ambient.can_ask {
        return Err(Failure::refused(
            Exit::Refused,
            "nobody can be asked here whether to start",
            "give `--auto-approve`; a plan that `plan --out FILE` saved is applied without a question",
        ));
    }
    // What cannot be undone is started by typing the recovery's name, not a word that fingers know.
    let word = if Summary::of(plan).irreversible > 0 {
        plan.head.recovery.as_str()
    } else {
        "yes"
    };
    super::gate::forget_what_was_typed();
    let mut out = std::io::stderr().lock();
    write!(out, "\nStart? Type `{word}`: ")
        .and_then(|()| out.flush())
        .map_err(anyhow::Error::from)?;
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .map_err(anyhow::Error::from)?;
    if line.trim() == word {
        Ok(())
    } else {
        Err(Failure::refused(
            Exit::Refused,
            "not started",
            "nothing was changed",
        ))
    }
}

/// Makes sure that every answer belongs to a gate of the plan.
pub(super) fn known_gates(plan: &Plan, approve: &[String]) -> Result<(), Failure> {
    for address in approve {
        let asks = |s: &Step| matches!(s.what, Do::Gate { .. } | Do::Idle | Do::Blocked { .. });
        let is_gate = plan
            .step(address)
            .is_some_and(|s| s.kind == APPROVAL && asks(s));
        if !is_gate {
            let gates: Vec<&str> = plan
                .steps
                .iter()
                .filter(|s| matches!(s.what, Do::Gate { .. }))
                .map(|s| s.address.as_str())
                .collect();
            return Err(Failure::refused(
                Exit::Usage,
                format!("`--approve {address}`: the plan has no such gate"),
                if gates.is_empty() {
                    "it asks nobody: leave the option out".to_owned()
                } else {
                    format!("its gates are: {}", gates.join(", "))
                },
            ));
        }
    }
    Ok(())
}
