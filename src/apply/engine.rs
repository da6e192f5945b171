//! The ready queue: what runs next, what is blocked, and how a run ends.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use drplan_api::Address;
use drplan_api::Doors;
use drplan_api::Fut;
use drplan_api::Json;
use drplan_api::Registry;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::event::Event;
use super::event::Outcome;
use super::event::Sink;
use super::frontier::Frontier;
use super::journal::Journal;
use super::journal::JournalError;
use super::queue::Queue;
use super::shared::Shared;
use super::stale::stale;
use super::step::Ended;
use super::step::Turn;
use crate::bind::Outs;
use crate::bind::settle;
use crate::graph::with_secrets;
use crate::lang::FileId;
use crate::lang::Span;
use crate::observe::Observer;
use crate::plan::Do;
use crate::plan::Plan;
use crate::plan::Step;
use crate::secrets::Secrets;

/// How far a run is being stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// Goes on.
    #[default]
    No,
    /// Starts nothing new; what runs may end.
    Drain,
    /// Leaves what runs at its next safe point.
    Cancel,
}

/// How a person answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Yes, and how it was said.
    Approved(String),
    /// No, or nobody is there to answer.
    Unanswered,
}

/// Who asks people.
pub trait Gatekeeper: Send + Sync {
    /// Asks about one gate.
    fn ask(&self, address: &Address, ask: &str) -> Fut<'_, Asked>;
}

/// Everything that applying needs.
pub struct Apply {
    /// What to apply.
    pub plan: Arc<Plan>,
    /// The kinds.
    pub registry: Arc<Registry>,
    /// Connections.
    pub observer: Arc<Observer>,
    /// Secrets.
    pub secrets: Arc<Secrets>,
    /// The journal of this run.
    pub journal: Journal,
    /// Who hears of events.
    pub sink: Arc<dyn Sink>,
    /// Who asks people.
    pub gatekeeper: Arc<dyn Gatekeeper>,
    /// How far the run is being stopped.
    pub stop: watch::Receiver<Stop>,
    /// The run's id.
    pub run: String,
    /// The folder of the spec.
    pub base_dir: PathBuf,
    /// Where steps keep their private folders.
    pub work_dir: PathBuf,
    /// How the world is reached, and what time it is.
    pub doors: Doors,
    /// How many steps may run at once.
    pub parallelism: usize,
    /// Seeds the jitter of pauses.
    pub seed: u64,
    /// The command by which a person goes on after this run.
    pub next: String,
}

/// How a run ended.
pub struct Ending {
    /// How each step ended.
    pub outcomes: BTreeMap<Address, Outcome>,
    /// Where it stands.
    pub frontier: Frontier,
    /// How far it was stopped.
    pub stopped: Stop,
    /// How many events there were.
    pub events: u64,
    /// The chain of the journal's last record.
    pub head: String,
    /// Why the journal could not be written to the end, if it could not.
    pub broken: Option<JournalError>,
}

/// Applies a plan.
///
/// # Errors
///
/// If the journal cannot be written.
pub async fn apply(apply: Apply) -> Result<Ending, JournalError> {
    let (cancel, cancelled) = watch::channel(false);
    let (drain, draining) = watch::channel(false);
    let shared = Arc::new(Shared {
        plan: apply.plan,
        observer: apply.observer,
        secrets: apply.secrets,
        run: apply.run,
        base_dir: apply.base_dir,
        work_dir: apply.work_dir,
        doors: apply.doors,
        journal: apply.journal,
        sink: apply.sink,
        random: AtomicU64::new(apply.seed),
        met: Mutex::default(),
        cancel: cancelled,
        drain: draining,
    });
    let mut queue = Queue::new(&shared.plan);
    let seal = crate::plan::seal(&shared.plan).map_err(|e| shared.journal.refused(&e))?;
    shared.write(Event::RunStarted {
        run: shared.run.clone(),
        recovery: shared.plan.head.recovery.clone(),
        plan: seal,
        tool: shared.plan.head.tool.clone(),
        steps: usize::try_from(crate::plan::Summary::of(&shared.plan).acting).unwrap_or(usize::MAX),
    })?;
    let mut outs = Arc::new(known_outputs(&shared.plan));
    for (address, because) in stale(&shared, &apply.registry, &outs).await {
        if let Some(i) = queue.index(&address) {
            let ended = Ended::with(Outcome::Moved {
                because: shared.secrets.scrub(&because),
            });
            queue.end(&shared, i, ended, Duration::ZERO)?;
        }
    }
    let mut stop = apply.stop;
    let mut running: JoinSet<(usize, Ended, Duration)> = JoinSet::new();
    let mut stopped = Stop::No;
    // A journal that cannot be written any more: nothing new is begun, what runs may end.
    let mut broken = None;
    loop {
        while stopped == Stop::No && broken.is_none() && running.len() < apply.parallelism.max(1) {
            let Some(i) = queue.pop() else { break };
            let turn = Start {
                shared: &shared,
                registry: &apply.registry,
                gatekeeper: &apply.gatekeeper,
                outs: &outs,
            };
            broken = turn.start(i, &mut running, &mut queue).err();
        }
        if running.is_empty() {
            // Ending a step at once (a barrier, a block) may have made others ready.
            if stopped != Stop::No || broken.is_some() || queue.is_idle() {
                break;
            }
            continue;
        }
        tokio::select! {
            Some(done) = running.join_next() => {
                let (i, ended, took) = match done {
                    Ok(done) => done,
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
                };
                if ended.outcome.is_good() {
                    let address = shared.plan.steps[i].address.clone();
                    Arc::make_mut(&mut outs).insert(address, with_secrets(&ended.outputs, NOWHERE));
                }
                if let Err(error) = queue.end(&shared, i, ended, took) {
                    broken.get_or_insert(error);
                }
            }
            Ok(()) = stop.changed() => {
                stopped = *stop.borrow_and_update();
                drain.send_replace(true);
                if stopped >= Stop::Cancel {
                    cancel.send_replace(true);
                }
            }
        }
    }
    let frontier = Frontier::of(&shared.run, &shared.plan, &queue.ended, &[], apply.next);
    let exit_code = crate::report::verdict(&shared.plan, &queue.ended, stopped).code();
    shared.say(Event::RunEnded { exit_code });
    Ok(Ending {
        outcomes: queue.ended,
        frontier,
        stopped,
        events: shared.journal.last(),
        head: shared.journal.head(),
        broken,
    })
}

/// How long a guard may look at one of the steps that it guards.
const GUARDED_LOOK_TIMEOUT: Duration = Duration::from_secs(30);

const NOWHERE: Span = Span {
    file: FileId(u32::MAX),
    start: 0,
    end: 0,
};

/// Exports that were known while planning: those of steps with nothing to do.
fn known_outputs(plan: &Plan) -> Outs {
    plan.steps
        .iter()
        .filter(|s| s.what == Do::Nothing)
        .map(|s| (s.address.clone(), with_secrets(&s.outputs, NOWHERE)))
        .collect()
}

/// What starting a step needs.
struct Start<'a> {
    shared: &'a Arc<Shared>,
    registry: &'a Arc<Registry>,
    gatekeeper: &'a Arc<dyn Gatekeeper>,
    outs: &'a Arc<Outs>,
}

impl Start<'_> {
    fn start(
        &self,
        i: usize,
        running: &mut JoinSet<(usize, Ended, Duration)>,
        queue: &mut Queue,
    ) -> Result<(), JournalError> {
        let (shared, registry, gatekeeper, outs) =
            (self.shared, self.registry, self.gatekeeper, self.outs);
        let step = &shared.plan.steps[i];
        if let Some(root) = queue.blocker(i) {
            return queue.end(
                shared,
                i,
                Ended::with(Outcome::Blocked { by: root }),
                Duration::ZERO,
            );
        }
        let began = Instant::now();
        match &step.what {
            Do::Barrier | Do::Idle => {
                queue.end(shared, i, Ended::with(Outcome::Passed), Duration::ZERO)
            }
            Do::Nothing if !queue.behind_action(i) || step.address.is_data() => {
                let ended = Ended {
                    outcome: Outcome::Passed,
                    evidence: Vec::new(),
                    outputs: step.outputs.clone(),
                };
                queue.end(shared, i, ended, Duration::ZERO)
            }
            Do::Conflict | Do::Blocked { .. } => {
                let because = step.because.clone();
                queue.end(
                    shared,
                    i,
                    Ended::with(Outcome::Failed { because }),
                    Duration::ZERO,
                )
            }
            Do::Check { asserts, warning } => {
                shared.write(Event::StepStarted {
                    address: step.address.clone(),
                    action: None,
                })?;
                let ended = assert_all(shared, step, asserts, *warning, outs);
                queue.end(shared, i, ended, began.elapsed())
            }
            Do::Gate { ask } => {
                shared.write(Event::GateOpened {
                    address: step.address.clone(),
                    ask: ask.clone(),
                })?;
                let (gatekeeper, shared) = (Arc::clone(gatekeeper), Arc::clone(shared));
                let (registry, outs) = (Arc::clone(registry), Arc::clone(outs));
                let ask = ask.clone();
                running.spawn(async move {
                    let address = shared.plan.steps[i].address.clone();
                    if nothing_to_guard(&shared, &registry, i, &outs).await {
                        return (i, Ended::with(Outcome::AlreadyTrue), began.elapsed());
                    }
                    // Somebody who stops the run has no more questions to answer.
                    let mut draining = shared.drain.clone();
                    let answer = tokio::select! {
                        answer = gatekeeper.ask(&address, &ask) => answer,
                        _ = draining.wait_for(|draining| *draining) => Asked::Unanswered,
                    };
                    let ended = match answer {
                        Asked::Approved(how) => {
                            let by =
                                serde_json::json!({ "by": how, "at": shared.doors.clock.now() });
                            shared.say(Event::GatePassed { address, how });
                            Ended {
                                outcome: Outcome::Done,
                                evidence: Vec::new(),
                                outputs: by,
                            }
                        }
                        Asked::Unanswered => Ended::with(Outcome::Waiting { ask }),
                    };
                    (i, ended, began.elapsed())
                });
                Ok(())
            }
            // What was true may not be any more once something before it has acted.
            Do::Act { .. } | Do::Late { .. } | Do::Read | Do::Nothing => {
                let kind = if step.address.is_data() {
                    registry.get_data(&step.kind)
                } else {
                    registry.get_resource(&step.kind)
                };
                let Some(kind) = kind.cloned() else {
                    let because = format!("this build does not know the kind `{}`", step.kind);
                    return queue.end(
                        shared,
                        i,
                        Ended::with(Outcome::Failed { because }),
                        Duration::ZERO,
                    );
                };
                shared.write(Event::StepStarted {
                    address: step.address.clone(),
                    action: step.action(),
                })?;
                let (shared, outs) = (Arc::clone(shared), Arc::clone(outs));
                let registry = Arc::clone(registry);
                running.spawn(async move {
                    let step = &shared.plan.steps[i];
                    if nothing_to_guard(&shared, &registry, i, &outs).await {
                        return (i, Ended::with(Outcome::AlreadyTrue), began.elapsed());
                    }
                    let deadline = began + Duration::from_secs(step.timeout_s);
                    let turn = Turn {
                        shared: &shared,
                        step,
                        kind,
                        outs,
                        deadline,
                    };
                    let ended = turn.run().await;
                    (i, ended, began.elapsed())
                });
                Ok(())
            }
        }
    }
}

/// Whether a guard's turn has come and all that it guards has come true without it, as when the same
/// plan is applied again. Whatever cannot be told now still wants its guard.
async fn nothing_to_guard(
    shared: &Shared,
    registry: &Registry,
    i: usize,
    outs: &Arc<Outs>,
) -> bool {
    let guards = &shared.plan.steps[i].guards;
    for address in guards {
        let Some(step) = shared.plan.steps.iter().find(|s| s.address == *address) else {
            return false;
        };
        match step.what {
            Do::Nothing | Do::Idle => continue,
            Do::Act { .. } | Do::Late { .. } => {}
            _ => return false,
        }
        let Some(kind) = registry.get_resource(&step.kind).cloned() else {
            return false;
        };
        let deadline = Instant::now() + GUARDED_LOOK_TIMEOUT;
        let turn = Turn {
            shared,
            step,
            kind,
            outs: Arc::clone(outs),
            deadline,
        };
        if !matches!(
            tokio::time::timeout(GUARDED_LOOK_TIMEOUT, turn.is_true()).await,
            Ok(true)
        ) {
            return false;
        }
    }
    !guards.is_empty()
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
    for (condition, message) in asserts {
        let settled = settle(condition, &shared.plan.exprs, outs);
        let message = match settle(message, &shared.plan.exprs, outs) {
            Ok(Json::String(text)) => text,
            Ok(other) => other.to_string(),
            Err(error) => error.to_string(),
        };
        let (holds, claim) = match settled {
            Ok(Json::Bool(true)) => (true, "the assertion holds".to_owned()),
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
        evidence.push(drplan_api::Evidence {
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
