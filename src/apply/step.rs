//! One step, from its turn to its proof.

use std::sync::Arc;
use std::time::Duration;

use drplan_api::BoundOp;
use drplan_api::DynKind;
use drplan_api::ErrorKind;
use drplan_api::Evidence;
use drplan_api::Facts;
use drplan_api::Json;
use drplan_api::LookError;
use drplan_api::Looked;
use drplan_api::Planned;
use drplan_api::Proposal;
use drplan_api::ProviderError;
use drplan_api::RawWant;
use drplan_api::Registry;
use drplan_api::View;
use tokio::time::Instant;
use tokio::time::sleep;

use super::envelope::because_of;
use super::envelope::within;
use super::envelope::within_limits;
use super::event::Event;
use super::event::Outcome;
use super::guard::nothing_to_guard;
use super::shared::Shared;
use crate::bind::settle;
use crate::outs::Outs;
use crate::patience::Patient;
use crate::plan::Do;
use crate::plan::Step;
use crate::retry::pause;

/// How often a kind may come back for more answers within one look.
const LOOK_ROUNDS_MAX: usize = 16;

/// How often a step is looked at again after its proof, for systems that are only eventually
/// consistent.
const SETTLE_LOOKS_MAX: u32 = 6;

/// How long to wait between those looks.
const SETTLE_PAUSE: Duration = Duration::from_secs(1);

/// How long one attempt may take even where less of the step's time-out is left.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(60);

/// What came out of a step.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub(crate) outcome: Outcome,
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) outputs: Json,
}

impl Ended {
    pub(crate) fn with(outcome: Outcome) -> Self {
        Self {
            outcome,
            evidence: Vec::new(),
            outputs: Json::Null,
        }
    }
}

pub(super) enum Stop {
    Failed(ProviderError),
    Unproven(Vec<Evidence>),
    Moved(String),
    Cancelled,
}

impl From<ProviderError> for Stop {
    fn from(error: ProviderError) -> Self {
        Self::Failed(error)
    }
}

/// A step whose turn has come.
pub(crate) struct Turn<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) step: &'a Step,
    pub(crate) kind: Arc<dyn DynKind>,
    pub(crate) outs: Arc<Outs>,
    pub(crate) deadline: Instant,
}

impl Turn<'_> {
    /// Ends a step that has nothing to do as soon as nothing of it runs any more.
    pub(super) async fn passed(&self) -> Result<Ended, Stop> {
        self.has_waited_for_programs().await?;
        Ok(Ended::with(Outcome::Passed))
    }

    /// Runs the step to its end, unless it is a guard that nothing needs or that has done its work before the run was
    /// resumed; also then it ends when nothing of it runs any more.
    pub(super) async fn guarded_or_run(
        &self,
        registry: &Registry,
        i: usize,
        answered: Option<Ended>,
    ) -> Result<Ended, Stop> {
        while nothing_to_guard(self.shared, registry, i, &self.outs).await {
            // What was waited for may have undone what is guarded.
            if !self.has_waited_for_programs().await? {
                return Ok(Ended::with(Outcome::NotNeeded));
            }
        }
        match answered {
            Some(ended) => {
                self.has_waited_for_programs().await?;
                Ok(ended)
            }
            None => self.whole().await,
        }
    }

    /// Says how a step ended that may have been stopped on its way.
    pub(super) async fn or_stopped(&self, done: Result<Ended, Stop>) -> Ended {
        match done {
            Ok(ended) => ended,
            Err(stop) => self.stopped(stop).await,
        }
    }

    async fn stopped(&self, stop: Stop) -> Ended {
        match stop {
            Stop::Cancelled => Ended::with(Outcome::Stopped),
            Stop::Moved(because) => Ended::with(Outcome::Moved {
                because: self.shared.secrets.scrub(&because),
            }),
            Stop::Unproven(evidence) => {
                let broken: Vec<&str> = evidence
                    .iter()
                    .filter(|e| !e.holds)
                    .map(|e| e.claim.as_str())
                    .collect();
                let because = self.shared.secrets.scrub(&self.unproven(&broken));
                Ended {
                    evidence,
                    ..Ended::with(Outcome::Failed { because })
                }
            }
            Stop::Failed(error) => {
                let error = self.shared.observer.scrub(error);
                let because = match &error.hint {
                    Some(hint) => format!("{error}; {hint}"),
                    None => error.to_string(),
                };
                Ended::with(Outcome::Failed { because })
            }
        }
    }

    fn unproven(&self, broken: &[&str]) -> String {
        let is_by_hand = self.said_by_hand().is_some();
        let broken_text = broken.join("; ");
        match (is_by_hand, broken.is_empty()) {
            (false, true) => "it is done, but nothing proves it".to_owned(),
            (false, false) => format!("it is done, but not proven: {broken_text}"),
            (true, true) => "it is said to be done by hand, and nothing proves it".to_owned(),
            (true, false) => {
                format!("it is said to be done by hand, and its proof does not hold: {broken_text}")
            }
        }
    }

    /// What the spec wants of the step, with the values that are known by now.
    pub(super) fn want(&self) -> Result<Option<RawWant>, Stop> {
        let Some(raw) = &self.step.want else {
            return Ok(None);
        };
        Ok(Some(RawWant {
            args: settle(&raw.args, &self.shared.plan.exprs, &self.outs)?,
            ..raw.clone()
        }))
    }

    /// Whether the step's goal holds already; false where that cannot be told.
    pub(crate) async fn is_true(&self) -> bool {
        let Ok(Some(want)) = self.want() else {
            return false;
        };
        matches!(self.look_once(&want).await, Ok((looked, _)) if matches!(looked.planned, Planned::Nothing(_)))
    }

    async fn whole(&self) -> Result<Ended, Stop> {
        let Some(want) = self.want()? else {
            return Ok(Ended::with(Outcome::Passed));
        };
        if self.said_by_hand().is_some() {
            // What a person did may be undone by what still runs.
            self.has_waited_for_programs().await?;
        }
        let (looked, _) = self.look(&want).await?;
        if self.step.what == Do::Read {
            return match &looked.planned {
                Planned::Nothing(_) => Ok(Ended {
                    outcome: Outcome::Done,
                    evidence: Vec::new(),
                    outputs: looked.outputs,
                }),
                other => Err(Stop::Moved(format!(
                    "it finds nothing usable: {}",
                    because_of(other)
                ))),
            };
        }
        let proposal = match looked.planned {
            Planned::Nothing(because) => {
                let observed = |because: &str| Evidence {
                    claim: because.to_owned(),
                    source: "observed when its turn came".to_owned(),
                    holds: true,
                };
                if let Some(said) = self.said_by_hand() {
                    return Ok(Ended {
                        outcome: Outcome::AlreadyTrue,
                        evidence: vec![observed(&because.0), said],
                        outputs: looked.outputs,
                    });
                }
                if !self.has_come_true(&want).await? {
                    return Ok(Ended {
                        outcome: Outcome::AlreadyTrue,
                        evidence: vec![observed(&because.0)],
                        outputs: looked.outputs,
                    });
                }
                // What was waited for may have undone what was seen.
                let looked = self.settled(&want, false).await?;
                return Ok(Ended {
                    outcome: Outcome::Done,
                    evidence: vec![observed(&because_of(&looked.planned))],
                    outputs: looked.outputs,
                });
            }
            Planned::Step(proposal) => *proposal,
            other => return Err(Stop::Moved(because_of(&other))),
        };
        let evidence = match self.said_by_hand() {
            Some(said) => self.done_by_hand(&want, &proposal, said).await?,
            None => {
                let secrets = &self.shared.secrets;
                within(self.step, &*self.kind, &proposal, secrets).map_err(Stop::Moved)?;
                within_limits(&self.shared.plan, self.step, &proposal).map_err(Stop::Moved)?;
                self.act(&want, &proposal).await?
            }
        };
        self.shared.redone(&self.step.address);
        // A guard always acts; that it did is its proof.
        let outputs = self
            .settled(&want, !self.step.guards.is_empty())
            .await?
            .outputs;
        Ok(Ended {
            outcome: Outcome::Done,
            evidence,
            outputs,
        })
    }

    /// Looks at this one resource with fresh facts. Passing trouble is waited out within bounds.
    pub(super) async fn look(&self, want: &RawWant) -> Result<(Looked, Facts), Stop> {
        let mut attempt = 1;
        loop {
            let (looked, facts) = self.look_once(want).await?;
            let Err(error) = &looked.present else {
                return Ok((looked, facts));
            };
            attempt += 1;
            let error = error.clone();
            for conn in want.roles.keys().filter_map(|role| want.roles.get(role)) {
                self.shared.observer.forget(conn).await;
            }
            self.wait_after(error, attempt).await?;
        }
    }

    async fn look_once(&self, want: &RawWant) -> Result<(Looked, Facts), Stop> {
        let mut facts = Facts::default();
        for conn in want.roles.values() {
            let state = self
                .shared
                .target(conn, &self.outs)
                .await
                .map_err(Stop::Moved)?;
            facts.targets.insert(conn.clone(), state);
        }
        for _ in 0..LOOK_ROUNDS_MAX {
            let (looked, queries) = {
                let view = View::new(&facts);
                let looked = self.shared.looked(&*self.kind, want, &view);
                (looked, view.missing().0)
            };
            match looked {
                Ok(looked) => return Ok((looked, facts)),
                Err(LookError::Pending) => self.shared.observer.fetch(queries, &mut facts).await,
                Err(LookError::Decode(why)) => {
                    return Err(ProviderError::new(
                        ErrorKind::Invalid,
                        "read the arguments",
                        self.step.address.to_string(),
                    )
                    .because(why)
                    .into());
                }
            }
        }
        Err(
            ProviderError::new(ErrorKind::Bug, "observe", self.step.address.to_string())
                .because(format!(
                    "the kind asked for more facts {LOOK_ROUNDS_MAX} times"
                ))
                .into(),
        )
    }

    /// Waits before the next attempt, or gives the error back if another one changes nothing.
    pub(super) async fn wait_after(&self, error: ProviderError, next: u32) -> Result<(), Stop> {
        let Some(pause) = pause(&error, next, self.shared.random()) else {
            return Err(error.into());
        };
        if Instant::now() + pause >= self.deadline {
            return Err(error
                .because("the time-out of the step would pass before another attempt")
                .into());
        }
        let event = Event::Retry {
            address: self.step.address.clone(),
            because: self.shared.observer.scrub(error).to_string(),
            in_ms: u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
        };
        self.shared.say(event).await;
        self.rest(pause).await
    }

    pub(super) async fn rest(&self, pause: Duration) -> Result<(), Stop> {
        let mut cancelled = self.shared.cancelled();
        tokio::select! {
            () = sleep(pause) => Ok(()),
            _ = cancelled.wait_for(|cancelled| *cancelled) => Err(Stop::Cancelled),
        }
    }

    async fn act(&self, want: &RawWant, proposal: &Proposal<Json>) -> Result<Vec<Evidence>, Stop> {
        let op = self.kind.bind(&proposal.op, &self.step.address)?;
        self.keep_late(proposal)?;
        for (n, effect) in proposal.effects.iter().enumerate() {
            self.effect(want, &*op, n, effect).await?;
        }
        self.proven(want, &*op).await
    }

    /// A person says that it is done: nothing is begun, and the step's own proof decides.
    async fn done_by_hand(
        &self,
        want: &RawWant,
        proposal: &Proposal<Json>,
        said: Evidence,
    ) -> Result<Vec<Evidence>, Stop> {
        let op = self.kind.bind(&proposal.op, &self.step.address)?;
        let mut evidence = self.proven(want, &*op).await?;
        evidence.push(said);
        Ok(evidence)
    }

    /// What a person said of the step, who did it by hand.
    fn said_by_hand(&self) -> Option<Evidence> {
        let reason = self.shared.orders.taken.by_hand.get(&self.step.address)?;
        Some(Evidence {
            claim: format!("it was done by hand: {reason}"),
            source: "the person who applies".to_owned(),
            holds: true,
        })
    }

    async fn proven(&self, want: &RawWant, op: &dyn BoundOp) -> Result<Vec<Evidence>, Stop> {
        let mut attempt = 1;
        loop {
            let mut cx = self.read_cx(want, attempt).await?;
            for conn in cx.conns.values_mut() {
                *conn = Arc::new(Patient(Arc::clone(conn)));
            }
            let proof = self.bounded(op.prove(&cx)).await;
            match proof {
                Ok(proof) if proof.holds() => return Ok(proof.evidence),
                Ok(proof) => return Err(Stop::Unproven(proof.evidence)),
                Err(error) => {
                    attempt += 1;
                    self.wait_after(error, attempt).await?;
                }
            }
        }
    }

    /// The free postcondition: decided again, nothing may be left to do.
    async fn settled(&self, want: &RawWant, acts_always: bool) -> Result<Looked, Stop> {
        let mut look = 1;
        loop {
            let (looked, _) = self.look(want).await?;
            match &looked.planned {
                Planned::Nothing(_) => return Ok(looked),
                Planned::Step(_) if acts_always => return Ok(looked),
                other if look == SETTLE_LOOKS_MAX => {
                    return Err(ProviderError::new(
                        ErrorKind::Invalid,
                        "come to rest",
                        self.step.address.to_string(),
                    )
                    .because(format!(
                        "what was begun is over, yet there is still something to do: {}",
                        because_of(other)
                    ))
                    .into());
                }
                _ => self.rest(SETTLE_PAUSE).await?,
            }
            look += 1;
        }
    }

    /// An attempt that may be long, such as a download or a proof by counting: the step's own time-out
    /// bounds it, or a minimum where that is short.
    pub(super) async fn bounded<T>(
        &self,
        attempt: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, ProviderError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let limit = left.max(ATTEMPT_TIMEOUT);
        tokio::time::timeout(limit, attempt).await.map_err(|_| {
            ProviderError::new(
                ErrorKind::Unreachable,
                "wait for one request",
                self.step.address.to_string(),
            )
            .because(format!("no answer within {} s", limit.as_secs()))
        })?
    }

    /// An attempt that only reads: a person who leaves at a safe point need not wait for it.
    pub(super) async fn reading<T>(
        &self,
        attempt: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, Stop> {
        let mut cancelled = self.shared.cancelled();
        tokio::select! {
            done = self.bounded(attempt) => Ok(done?),
            _ = cancelled.wait_for(|cancelled| *cancelled) => Err(Stop::Cancelled),
        }
    }
}
