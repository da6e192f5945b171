//! One step, from its turn to its proof.

use std::sync::Arc;
use std::time::Duration;

use drplan_api::BoundOp;
use drplan_api::DynKind;
use drplan_api::Effect;
use drplan_api::ErrorKind;
use drplan_api::Evidence;
use drplan_api::Facts;
use drplan_api::Json;
use drplan_api::Landed;
use drplan_api::LookError;
use drplan_api::Looked;
use drplan_api::Planned;
use drplan_api::Progress;
use drplan_api::Proposal;
use drplan_api::ProviderError;
use drplan_api::RawWant;
use drplan_api::ReadCx;
use drplan_api::View;
use tokio::time::Instant;
use tokio::time::sleep;

use super::envelope::because_of;
use super::envelope::within;
use super::envelope::within_limits;
use super::event::Event;
use super::event::Outcome;
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

/// How often it is looked whether a program of a step that is true already has ended.
const PROGRAM_PAUSE: Duration = Duration::from_secs(1);

/// The shortest and the longest pause between polls, whatever a kind asks for.
const POLL_PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(30));

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

/// How far one effect has come in this run.
struct Tries {
    attempt: u32,
    /// Whether a request may have left in an earlier turn.
    left_before: bool,
    /// Whether a request may have left.
    left: bool,
    /// Whether one is waited for that this run has not begun.
    adopted: bool,
    /// Whether it was answered that it is begun.
    begun: bool,
}

impl Turn<'_> {
    /// Runs the step to its end.
    pub(crate) async fn run(self) -> Ended {
        match self.whole().await {
            Ok(ended) => ended,
            Err(Stop::Cancelled) => Ended::with(Outcome::Stopped),
            Err(Stop::Moved(because)) => Ended::with(Outcome::Moved {
                because: self.shared.secrets.scrub(&because),
            }),
            Err(Stop::Unproven(evidence)) => {
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
            Err(Stop::Failed(error)) => {
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

    /// Whether the step's goal holds already; false where that cannot be told.
    pub(crate) async fn is_true(&self) -> bool {
        let Some(raw) = &self.step.want else {
            return false;
        };
        let Ok(args) = settle(&raw.args, &self.shared.plan.exprs, &self.outs) else {
            return false;
        };
        let want = RawWant {
            args,
            ..raw.clone()
        };
        matches!(self.look_once(&want).await, Ok((looked, _)) if matches!(looked.planned, Planned::Nothing(_)))
    }

    async fn whole(&self) -> Result<Ended, Stop> {
        let Some(raw) = &self.step.want else {
            return Ok(Ended::with(Outcome::Passed));
        };
        let want = RawWant {
            args: settle(&raw.args, &self.shared.plan.exprs, &self.outs)?,
            ..raw.clone()
        };
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
                let observed = Evidence {
                    claim: because.to_string(),
                    source: "observed when its turn came".to_owned(),
                    holds: true,
                };
                if self.said_by_hand().is_none() && self.has_come_true(&want).await? {
                    return Ok(Ended {
                        outcome: Outcome::Done,
                        evidence: vec![observed],
                        outputs: self.settled(&want).await?,
                    });
                }
                return Ok(Ended {
                    outcome: Outcome::AlreadyTrue,
                    evidence: [observed].into_iter().chain(self.said_by_hand()).collect(),
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
        let outputs = self.settled(&want).await?;
        Ok(Ended {
            outcome: Outcome::Done,
            evidence,
            outputs,
        })
    }

    /// Whether it is this run's own work that is true now: it began it, and was cut off before it saw the end. What
    /// still goes on is waited for, as it was then: that its goal holds already does not mean that it is over.
    async fn has_come_true(&self, want: &RawWant) -> Result<bool, Stop> {
        let open = self.shared.effects().open(&self.step.address);
        for &effect in &open {
            self.waited_for(want, effect).await?;
            let finished = Event::EffectFinished {
                address: self.step.address.clone(),
                effect,
                found: false,
            };
            self.shared.record(finished).await?;
        }
        Ok(self.has_waited_for_programs().await? || !open.is_empty())
    }

    /// Waits for the end of an effect, if the plan tells enough to ask for it. Passing trouble is waited out.
    async fn waited_for(&self, want: &RawWant, n: usize) -> Result<(), Stop> {
        let Do::Act { op, effects, .. } = &self.step.what else {
            return Ok(());
        };
        if n >= effects.len() {
            return Ok(());
        }
        let op = self.kind.bind(op, &self.step.address)?;
        let mut attempt = 1;
        loop {
            match self.come_to_its_end(want, &*op, n).await {
                Err(Stop::Failed(error)) => {
                    attempt += 1;
                    self.wait_after(error, attempt).await?;
                }
                ended => return ended,
            }
        }
    }

    async fn come_to_its_end(
        &self,
        want: &RawWant,
        op: &dyn BoundOp,
        n: usize,
    ) -> Result<(), Stop> {
        let tries = Tries {
            attempt: 1,
            left_before: true,
            left: true,
            adopted: false,
            begun: false,
        };
        let cx = ReadCx {
            begun: true,
            ..self.read_cx(want, tries.attempt).await?
        };
        match self.reading(op.probe(&cx, n)).await? {
            Landed::Running => self.poll(want, op, n, &tries).await,
            _ => Ok(()),
        }
    }

    /// Waits for programs of the step, whichever run began them, and says whether there were some.
    async fn has_waited_for_programs(&self) -> Result<bool, Stop> {
        let mut has_waited = false;
        while self.shared.runs_still(&self.step.address).await {
            has_waited = true;
            if Instant::now() >= self.deadline {
                return Err(self.overdue("the program runs").into());
            }
            self.rest(PROGRAM_PAUSE).await?;
        }
        Ok(has_waited)
    }

    fn overdue(&self, note: &str) -> ProviderError {
        let late = ProviderError::new(
            ErrorKind::Invalid,
            "finish in time",
            self.step.address.to_string(),
        );
        late.because(format!(
            "its time-out of {} s passed, and it still goes on; last seen: {note}",
            self.step.timeout_s
        ))
        .hint("go on with the run to wait as long again; a longer `timeout` takes a new plan")
    }

    /// Looks at this one resource with fresh facts. Passing trouble is waited out within bounds.
    async fn look(&self, want: &RawWant) -> Result<(Looked, Facts), Stop> {
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
    async fn wait_after(&self, error: ProviderError, next: u32) -> Result<(), Stop> {
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

    async fn rest(&self, pause: Duration) -> Result<(), Stop> {
        let mut cancelled = self.shared.cancelled();
        tokio::select! {
            () = sleep(pause) => Ok(()),
            _ = cancelled.wait_for(|cancelled| *cancelled) => Err(Stop::Cancelled),
        }
    }

    async fn act(&self, want: &RawWant, proposal: &Proposal<Json>) -> Result<Vec<Evidence>, Stop> {
        let op = self.kind.bind(&proposal.op, &self.step.address)?;
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

    async fn effect(
        &self,
        want: &RawWant,
        op: &dyn BoundOp,
        n: usize,
        effect: &Effect,
    ) -> Result<(), Stop> {
        let left = self.shared.effects().has_left(&self.step.address, n);
        let mut tries = Tries {
            attempt: 0,
            left_before: left,
            left,
            adopted: self.shared.effects().is_adopted(&self.step.address, n),
            begun: false,
        };
        loop {
            tries.attempt += 1;
            match self.attempt(want, op, n, effect, &mut tries).await {
                Ok(()) => {
                    self.shared
                        .record(Event::EffectFinished {
                            address: self.step.address.clone(),
                            effect: n,
                            found: !tries.left,
                        })
                        .await?;
                    return Ok(());
                }
                Err(Stop::Failed(error)) => self.wait_after(error, tries.attempt + 1).await?,
                Err(other) => return Err(other),
            }
        }
    }

    /// One attempt: probe first, whatever the journal says; begin only what did not happen.
    async fn attempt(
        &self,
        want: &RawWant,
        op: &dyn BoundOp,
        n: usize,
        effect: &Effect,
        tries: &mut Tries,
    ) -> Result<(), Stop> {
        let cx = ReadCx {
            begun: tries.left || tries.adopted,
            ..self.read_cx(want, tries.attempt).await?
        };
        let landed = match self.reading(op.probe(&cx, n)).await? {
            // What is done again was there before; only of what this run began is this the answer.
            Landed::Yes
                if self.shared.is_to_redo(&self.step.address)
                    && !tries.begun
                    && !tries.left_before =>
            {
                Landed::No
            }
            landed => landed,
        };
        match landed {
            Landed::Yes => return Ok(()),
            Landed::Running if tries.left || tries.adopted => {}
            Landed::Running => {
                let address = self.step.address.clone();
                let adopted = Event::EffectAdopted { address, effect: n };
                self.shared.record(adopted).await?;
                tries.adopted = true;
            }
            Landed::Foreign(because) => return Err(Stop::Moved(because.to_string())),
            Landed::Partly {
                disposable: false,
                because,
            } => {
                return Err(ProviderError::new(
                    ErrorKind::Invalid,
                    "go on with what is half done",
                    self.step.address.to_string(),
                )
                .because(because.to_string())
                .hint("a person must look; then go on with the run")
                .into());
            }
            Landed::No
            | Landed::Partly {
                disposable: true, ..
            } => {
                let secrets = &self.shared.secrets;
                // One in which a secret stood would lead back to something else.
                let inverse = effect.inverse.clone();
                let inverse = inverse.filter(|inverse| secrets.scrub_json(inverse) == *inverse);
                let started = Event::EffectStarted {
                    address: self.step.address.clone(),
                    effect: n,
                    attempt: tries.attempt,
                    verb: effect.verb.clone(),
                    object: secrets.scrub(&effect.object),
                    inverse,
                };
                self.shared.record(started).await?;
                let cx = self.write_cx(want, tries.attempt).await?;
                // Before a request leaves, and for as long as it is on its way, nobody else may apply this
                // recovery.
                self.shared.hold.outlives_request().await?;
                tries.left = true;
                tokio::select! {
                    begun = self.bounded(op.begin(&cx, n)) => begun?,
                    failed = self.shared.hold.fails() => return Err(failed.into()),
                }
                tries.begun = true;
            }
        }
        self.poll(want, op, n, tries).await
    }

    async fn poll(
        &self,
        want: &RawWant,
        op: &dyn BoundOp,
        n: usize,
        tries: &Tries,
    ) -> Result<(), Stop> {
        let mut lost = 1;
        loop {
            let cx = ReadCx {
                begun: tries.left,
                ..self.read_cx(want, tries.attempt).await?
            };
            let progress = match self.bounded(op.poll(&cx, n)).await {
                Ok(progress) => progress,
                Err(error) => {
                    lost += 1;
                    self.wait_after(error, lost).await?;
                    continue;
                }
            };
            lost = 1;
            match progress {
                Progress::Done => return Ok(()),
                Progress::Failed { because, retry } => {
                    let kind = if retry {
                        ErrorKind::Unreachable
                    } else {
                        ErrorKind::Invalid
                    };
                    return Err(
                        ProviderError::new(kind, "finish", self.step.address.to_string())
                            .because(because.to_string())
                            .into(),
                    );
                }
                Progress::Going {
                    done,
                    of,
                    note,
                    again_in,
                } => {
                    if Instant::now() >= self.deadline {
                        return Err(self.overdue(&note).into());
                    }
                    let event = Event::Progress {
                        address: self.step.address.clone(),
                        effect: n,
                        done,
                        of,
                        note: self.shared.secrets.scrub(&note),
                    };
                    self.shared.say(event).await;
                    self.rest(again_in.clamp(POLL_PAUSES.0, POLL_PAUSES.1))
                        .await?;
                }
            }
        }
    }

    /// The free postcondition: decided again, nothing may be left to do.
    async fn settled(&self, want: &RawWant) -> Result<Json, Stop> {
        for look in 1.. {
            let (looked, _) = self.look(want).await?;
            match &looked.planned {
                Planned::Nothing(_) => return Ok(looked.outputs),
                // A guard always acts; that it did is its proof.
                Planned::Step(_) if !self.step.guards.is_empty() => return Ok(looked.outputs),
                other if look == SETTLE_LOOKS_MAX => {
                    return Err(ProviderError::new(
                        ErrorKind::Invalid,
                        "come to rest",
                        self.step.address.to_string(),
                    )
                    .because(format!(
                        "done and proven, yet there is still something to do: {}",
                        because_of(other)
                    ))
                    .into());
                }
                _ => self.rest(SETTLE_PAUSE).await?,
            }
        }
        Ok(Json::Null)
    }

    /// An attempt that may be long, such as a download or a proof by counting: the step's own time-out
    /// bounds it, or a minimum where that is short.
    async fn bounded<T>(
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
    async fn reading<T>(
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
