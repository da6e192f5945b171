//! What happens when a step's turn comes: it ends at once, or it runs.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use drplan_api::Address;
use drplan_api::DynKind;
use drplan_api::Evidence;
use drplan_api::Fut;
use drplan_api::Json;
use drplan_api::Mode;
use drplan_api::Registry;
use tokio::time::Instant;

use super::engine::Gatekeeper;
use super::event::Event;
use super::event::Outcome;
use super::guard::nothing_to_guard;
use super::journal::JournalError;
use super::question::Before;
use super::queue::Queue;
use super::shared::Shared;
use super::step::Ended;
use super::step::Turn;
use crate::bind::settle;
use crate::outs::Outs;
use crate::plan::Do;
use crate::plan::Step;

/// What beginning a step needs.
pub(super) struct Begin<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) registry: &'a Arc<Registry>,
    pub(super) gatekeeper: &'a Arc<dyn Gatekeeper>,
    pub(super) outs: &'a Arc<Outs>,
    /// What this run did before it was resumed.
    pub(super) answered: &'a BTreeMap<Address, Ended>,
    /// The words of each question before that.
    pub(super) asked: &'a BTreeMap<Address, String>,
    /// What was found true at the start, and why.
    pub(super) seen: &'a BTreeMap<Address, String>,
    /// What was true when planned, and of which nobody knew at the start whether it is.
    pub(super) unsure: &'a BTreeSet<Address>,
}

/// What came of a step's turn.
pub(super) enum Begun {
    /// It ended at once.
    Ended(Ended),
    /// It runs.
    Runs(Fut<'static, (Ended, Duration)>),
}

impl Begin<'_> {
    pub(super) async fn begin(&self, i: usize, queue: &Queue) -> Result<Begun, JournalError> {
        let step = &self.shared.plan.steps[i];
        let outcome = |outcome| Ok(Begun::Ended(Ended::with(outcome)));
        if let Some(by) = queue.blocker(i) {
            return outcome(Outcome::Blocked { by });
        }
        if let Some(because) = self.shared.orders.taken.skip.get(&step.address) {
            let note = self.shared.running_note(&step.address).await;
            let because = format!("{because}{note}");
            return outcome(Outcome::Skipped { because });
        }
        match &step.what {
            Do::Idle if self.may_run_still(&step.address).await => self.turn(i).await,
            Do::Barrier | Do::Idle => outcome(Outcome::Passed),
            Do::Nothing if step.address.is_data() || !self.is_in_doubt(i, queue).await => {
                Ok(Begun::Ended(self.passed(step)))
            }
            Do::Conflict | Do::Blocked { .. } => outcome(Outcome::Failed {
                because: format!("when this was planned: {}", step.because),
            }),
            Do::Check { asserts, warning } => {
                self.started(step).await?;
                let ended = assert_all(self.shared, step, asserts, *warning, self.outs);
                Ok(Begun::Ended(ended))
            }
            Do::Gate { ask } => Ok(self.gate(i, ask)),
            Do::Act { .. } | Do::Late { .. } | Do::Read | Do::Nothing => self.turn(i).await,
        }
    }

    /// What was true may not be any more: nobody knew at the start, something before it has acted, or a program of it
    /// still runs.
    async fn is_in_doubt(&self, i: usize, queue: &Queue) -> bool {
        let address = &self.shared.plan.steps[i].address;
        queue.behind_action(i) || self.unsure.contains(address) || self.may_run_still(address).await
    }

    async fn may_run_still(&self, address: &Address) -> bool {
        !matches!(self.shared.runs_still(address).await, Ok(None))
    }

    /// What was true at the start and that nothing of this run can have changed.
    fn passed(&self, step: &Step) -> Ended {
        let evidence = self.seen.get(&step.address).map(|because| Evidence {
            claim: because.clone(),
            source: "observed at the start of the run".to_owned(),
            holds: true,
        });
        Ended {
            outcome: Outcome::Passed,
            evidence: evidence.into_iter().collect(),
            outputs: step.outputs.clone(),
        }
    }

    async fn started(&self, step: &Step) -> Result<(), JournalError> {
        let event = Event::StepStarted {
            address: step.address.clone(),
            action: step.action(),
        };
        self.shared.write(event).await
    }

    fn gate(&self, i: usize, ask: &str) -> Begun {
        let step = &self.shared.plan.steps[i];
        let Some(kind) = self.kind(step) else {
            return Begun::Ended(Ended::with(unknown(step)));
        };
        let ask = ask.to_owned();
        let (gatekeeper, shared) = (Arc::clone(self.gatekeeper), Arc::clone(self.shared));
        let (registry, outs) = (Arc::clone(self.registry), Arc::clone(self.outs));
        let before = Before {
            answer: self.answered.get(&step.address).cloned(),
            asked: self.asked.get(&step.address).cloned(),
        };
        let began = Instant::now();
        let deadline = began + Duration::from_secs(step.timeout_s);
        Begun::Runs(Box::pin(async move {
            let turn = Turn {
                shared: &shared,
                step: &shared.plan.steps[i],
                kind,
                outs: Arc::clone(&outs),
                deadline,
            };
            let ended = match nothing_to_guard(&shared, &registry, i, &outs).await {
                true => Ok(Ended::with(Outcome::NotNeeded)),
                false => turn.asks(&*gatekeeper, ask, before).await,
            };
            (turn.or_stopped(ended).await, began.elapsed())
        }))
    }

    async fn turn(&self, i: usize) -> Result<Begun, JournalError> {
        let step = &self.shared.plan.steps[i];
        let Some(kind) = self.kind(step) else {
            return Ok(Begun::Ended(Ended::with(unknown(step))));
        };
        self.started(step).await?;
        let (shared, outs) = (Arc::clone(self.shared), Arc::clone(self.outs));
        let registry = Arc::clone(self.registry);
        // Of a guard with a goal of its own it can be seen whether it still holds.
        let answered = self.answered.get(&step.address);
        let answered = answered.filter(|_| !has_goal(&*kind, step)).cloned();
        let began = Instant::now();
        let deadline = began + Duration::from_secs(step.timeout_s);
        Ok(Begun::Runs(Box::pin(async move {
            let turn = Turn {
                shared: &shared,
                step: &shared.plan.steps[i],
                kind,
                outs: Arc::clone(&outs),
                deadline,
            };
            let done = match turn.step.what {
                Do::Idle => turn.passed().await,
                _ => turn.guarded_or_run(&registry, i, answered).await,
            };
            (turn.or_stopped(done).await, began.elapsed())
        })))
    }

    fn kind(&self, step: &Step) -> Option<Arc<dyn DynKind>> {
        let kind = if step.address.is_data() {
            self.registry.get_data(&step.kind)
        } else {
            self.registry.get_resource(&step.kind)
        };
        kind.cloned()
    }
}

fn unknown(step: &Step) -> Outcome {
    Outcome::Failed {
        because: format!("this build does not know the kind `{}`", step.kind),
    }
}

/// Whether it can be seen if what a step makes true holds.
fn has_goal(kind: &dyn DynKind, step: &Step) -> bool {
    match kind.def().mode {
        Mode::Goal => true,
        Mode::Guard | Mode::Data => false,
        Mode::GoalIf(arg) => {
            let args = step.want.as_ref().map(|want| &want.args);
            args.is_some_and(|args| !args[arg].is_null())
        }
    }
}

fn assert_all(
    shared: &Shared,
    step: &Step,
    asserts: &[(Json, Json)],
    warning: bool,
    outs: &Outs,
) -> Ended {
    let mut evidence = Vec::new();
    let mut broken = Vec::new();
    let source = format!("`{}` of the spec", step.address);
    for (n, (condition, message)) in (1..).zip(asserts) {
        let settled = settle(condition, &shared.plan.exprs, outs);
        let message = match settle(message, &shared.plan.exprs, outs) {
            Ok(Json::String(text)) => text,
            Ok(other) => other.to_string(),
            Err(error) => error.to_string(),
        };
        let (holds, claim) = match settled {
            Ok(Json::Bool(true)) if asserts.len() == 1 => (true, "the assertion holds".to_owned()),
            Ok(Json::Bool(true)) => {
                let of = asserts.len();
                (true, format!("assertion {n} of {of} holds"))
            }
            Ok(Json::Bool(false)) => (false, message),
            Ok(_) => (
                false,
                format!("the condition is neither true nor false ({message})"),
            ),
            Err(error) => (false, error.to_string()),
        };
        if !holds {
            broken.push(claim.clone());
        }
        evidence.push(Evidence {
            claim,
            source: source.clone(),
            holds,
        });
    }
    let outcome = if broken.is_empty() {
        Outcome::Done
    } else {
        Outcome::Refuted {
            because: shared.secrets.scrub(&broken.join("; ")),
            warning,
        }
    };
    Ended {
        outcome,
        evidence,
        outputs: Json::Null,
    }
}
