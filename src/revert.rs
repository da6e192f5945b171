//! Plans to take back what a run changed: one step of the same kind for each effect whose inverse the
//! journal kept, decided against the live world. Nothing that somebody changed since is touched.

use drplan_api::Address;
use drplan_api::Json;
use drplan_api::Looked;
use drplan_api::Planned;
use drplan_api::Proposal;
use drplan_api::RawWant;

use crate::eyes::Eyes;
use crate::eyes::and_run_store;
use crate::graph::EdgeWhy;
use crate::plan::Do;
use crate::plan::Plan;
use crate::plan::PlanEdge;
use crate::plan::Step;
use crate::plan::Sure;
use crate::plan::TargetPin;
use crate::report::Run;
use crate::report::Track;

/// Why nothing is taken back.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevertError {
    /// The run moved no traffic.
    #[error("run {run} changed no DNS record")]
    Nothing {
        /// Which run.
        run: String,
    },
    /// It cannot be told or done.
    #[error("`{address}` cannot be taken back: {why}")]
    Cannot {
        /// Which step.
        address: Address,
        /// Why.
        why: String,
    },
    /// Somebody changed it since.
    #[error("`{address}` is not what the run left behind: {why}")]
    Changed {
        /// Which step.
        address: Address,
        /// What is there now.
        why: String,
    },
}

/// Makes the plan that takes back every cutover of a run. A record that is again as it was before is a
/// step with nothing to do.
///
/// # Errors
///
/// If the run moved no traffic, or one of its changes cannot be taken back exactly; then none is.
pub async fn revert(plan: &Plan, run: &Run, eyes: &Eyes<'_>) -> Result<Plan, RevertError> {
    let mut steps = Vec::new();
    let mut targets: Vec<TargetPin> = Vec::new();
    // What was changed last is taken back first.
    for (step, track) in plan.steps.iter().zip(&run.tracks).rev() {
        if !step.cutover || !track.effects.values().any(|e| !e.begun.is_empty()) {
            continue;
        }
        let backwards = Backwards { plan, step, eyes };
        let cannot = |why: String| RevertError::Cannot {
            address: step.address.clone(),
            why,
        };
        steps.push(backwards.step(track, &mut targets, &cannot).await?);
    }
    if steps.is_empty() {
        let run = run.id.clone();
        return Err(RevertError::Nothing { run });
    }
    and_run_store(plan, &mut targets);
    for (wave, step) in steps.iter_mut().enumerate() {
        step.wave = wave;
    }
    Ok(Plan {
        head: crate::plan::Head {
            observed_at: eyes.now,
            incident_at: None,
            lost: Vec::new(),
            declared: None,
            partial: None,
            policy: crate::plan::Policy::default(),
            points: std::collections::BTreeMap::new(),
            accept: Vec::new(),
            redo: Vec::new(),
            rpo_s: None,
            rto_s: None,
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            reverts: Some(run.id.clone()),
            releases: false,
            ..plan.head.clone()
        },
        targets,
        exprs: plan.exprs.clone(),
        edges: one_after_the_other(steps.len()),
        steps,
        points: Vec::new(),
        findings: Vec::new(),
        forecast: None,
        outputs: std::collections::BTreeMap::new(),
    })
}

/// The order of the steps, which whoever goes on with the plan keeps too, however many may run at once.
fn one_after_the_other(steps: usize) -> Vec<PlanEdge> {
    let edge = |after: usize| PlanEdge {
        before: after - 1,
        after,
        why: EdgeWhy::Needs {
            what: "way back".to_owned(),
            because: "what was changed last is taken back first".to_owned(),
        },
    };
    (1..steps).map(edge).collect()
}

/// One step of the run, and how to take it back.
struct Backwards<'a> {
    plan: &'a Plan,
    step: &'a Step,
    eyes: &'a Eyes<'a>,
}

impl Backwards<'_> {
    async fn step(
        &self,
        track: &Track,
        targets: &mut Vec<TargetPin>,
        cannot: &(dyn Fn(String) -> RevertError + Sync),
    ) -> Result<Step, RevertError> {
        let kind = self
            .eyes
            .registry
            .get_resource(&self.step.kind)
            .ok_or_else(|| cannot(format!("this build does not know `{}`", self.step.kind)))?;
        let [effect] = track.effects.values().collect::<Vec<_>>()[..] else {
            return Err(cannot("it has several effects".to_owned()));
        };
        let (Some(inverse), Some((_, _, object))) = (&effect.inverse, effect.begun.last()) else {
            return Err(cannot("the journal does not hold how".to_owned()));
        };
        let args = kind
            .back(object, inverse)
            .map_err(|why| cannot(why.to_string()))?;
        let want = RawWant {
            args,
            address: self.step.address.clone(),
            recovery: self.plan.head.recovery.clone(),
            roles: self
                .step
                .want
                .as_ref()
                .map(|w| w.roles.clone())
                .unwrap_or_default(),
        };
        // Somebody who may overwrite looks: whether that is right is decided here, and what is found is
        // what people must hear of.
        let looked = self.eyes.look(self.plan, kind, &want, true, targets);
        let looked = looked.await.map_err(cannot)?;
        let what = match &looked.planned {
            Planned::Nothing(_) => Do::Nothing,
            Planned::Step(proposal) if kind.takes_back(inverse, &proposal.op) => act(proposal),
            Planned::Step(proposal) => return Err(self.changed(proposal.because.to_string())),
            Planned::Conflict(because, _) => return Err(self.changed(because.to_string())),
            Planned::Blocked(because) | Planned::Gate { because, .. } => {
                return Err(cannot(because.to_string()));
            }
        };
        Ok(self.shown(what, want, looked))
    }

    fn changed(&self, why: String) -> RevertError {
        RevertError::Changed {
            address: self.step.address.clone(),
            why,
        }
    }

    fn shown(&self, what: Do, want: RawWant, looked: Looked) -> Step {
        let (because, diff, hazard) = match looked.planned {
            Planned::Step(p) => (p.because.to_string(), p.diff, p.hazard),
            Planned::Nothing(because) => {
                (because.to_string(), Vec::new(), drplan_api::Hazard::none())
            }
            _ => (String::new(), Vec::new(), drplan_api::Hazard::none()),
        };
        Step {
            wave: 0,
            what,
            because,
            diff,
            hazard,
            sure: Sure::Exact,
            breakdown: None,
            warnings: looked.notes.warnings,
            manual: looked.notes.manual,
            want: Some(want),
            outputs: looked.outputs,
            best_effort: false,
            guards: Vec::new(),
            ..self.step.clone()
        }
    }
}

fn act(proposal: &Proposal<Json>) -> Do {
    Do::Act {
        action: proposal.action,
        op: proposal.op.clone(),
        effects: proposal.effects.clone(),
        binding: proposal.binding.clone(),
    }
}
