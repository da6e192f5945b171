//! One step, from its turn to its proof.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use drplan_api::Address;
use drplan_api::Because;
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
use drplan_api::Opener;
use drplan_api::PlanCx;
use drplan_api::Planned;
use drplan_api::Progress;
use drplan_api::Proposal;
use drplan_api::ProviderError;
use drplan_api::RawWant;
use drplan_api::ReadCx;
use drplan_api::TargetState;
use drplan_api::View;
use drplan_api::WriteCx;
use drplan_api::process::ProcessDoor;
use tokio::time::Instant;
use tokio::time::sleep;

use super::engine::Shared;
use super::event::Event;
use super::event::Outcome;
use super::retry::pause;
use crate::bind::Outs;
use crate::bind::StepOpener;
use crate::bind::settle;
use crate::plan::Do;
use crate::plan::Step;
use crate::plan::Sure;

/// How often a kind may come back for more answers within one look.
const LOOK_ROUNDS_MAX: usize = 16;

/// How often a step is looked at again after its proof, for systems that are only eventually
/// consistent.
const SETTLE_LOOKS_MAX: u32 = 6;

/// How long to wait between those looks.
const SETTLE_PAUSE: Duration = Duration::from_secs(1);

/// How long one attempt may take; waiting is polling.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// The shortest and the longest pause between polls, whatever a kind asks for.
const POLL_PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(30));

/// What came out of a step.
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

enum Stop {
    Failed(ProviderError),
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
    pub(crate) outs: Outs,
    pub(crate) deadline: Instant,
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
                self.clear_work_dir();
                return Ok(Ended {
                    outcome: Outcome::AlreadyTrue,
                    evidence: vec![Evidence {
                        claim: because.to_string(),
                        source: "observed when its turn came".to_owned(),
                        holds: true,
                    }],
                    outputs: looked.outputs,
                });
            }
            Planned::Step(proposal) => *proposal,
            other => return Err(Stop::Moved(because_of(&other))),
        };
        within(self.step, &*self.kind, &proposal).map_err(Stop::Moved)?;
        let evidence = self.act(&want, &proposal).await?;
        let outputs = self.settled(&want).await?;
        self.clear_work_dir();
        Ok(Ended {
            outcome: Outcome::Done,
            evidence,
            outputs,
        })
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
                let looked = self
                    .kind
                    .look(&self.shared.plan_cx(&self.step.address), want, &view);
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
        self.shared.say(Event::Retry {
            address: self.step.address.clone(),
            because: self.shared.observer.scrub(error).to_string(),
            in_ms: u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
        });
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
        let mut attempt = 1;
        loop {
            let cx = self.read_cx(want, attempt).await?;
            let proof = self.bounded(op.prove(&cx)).await;
            match proof {
                Ok(proof) if proof.holds() => return Ok(proof.evidence),
                Ok(proof) => {
                    let missing: Vec<String> = proof
                        .evidence
                        .iter()
                        .filter(|e| !e.holds)
                        .map(|e| e.claim.clone())
                        .collect();
                    let why = if proof.evidence.is_empty() {
                        "there is no evidence".to_owned()
                    } else {
                        missing.join("; ")
                    };
                    return Err(ProviderError::new(
                        ErrorKind::Invalid,
                        "prove the step",
                        self.step.address.to_string(),
                    )
                    .because(why)
                    .into());
                }
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
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.attempt(want, op, n, effect, attempt).await {
                Ok(found) => {
                    self.shared.record(Event::EffectFinished {
                        address: self.step.address.clone(),
                        effect: n,
                        found,
                    })?;
                    return Ok(());
                }
                Err(Stop::Failed(error)) => self.wait_after(error, attempt + 1).await?,
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
        attempt: u32,
    ) -> Result<bool, Stop> {
        let cx = self.read_cx(want, attempt).await?;
        let landed = self.bounded(op.probe(&cx, n)).await?;
        match landed {
            Landed::Yes => return Ok(true),
            Landed::Running => {}
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
                .hint("a person must look; then apply again")
                .into());
            }
            Landed::No
            | Landed::Partly {
                disposable: true, ..
            } => {
                self.shared.record(Event::EffectStarted {
                    address: self.step.address.clone(),
                    effect: n,
                    attempt,
                    verb: effect.verb.clone(),
                    object: effect.object.clone(),
                })?;
                let cx = self.write_cx(want, attempt).await?;
                self.bounded(op.begin(&cx, n)).await?;
            }
        }
        self.poll(want, op, n, attempt).await?;
        Ok(false)
    }

    async fn poll(
        &self,
        want: &RawWant,
        op: &dyn BoundOp,
        n: usize,
        attempt: u32,
    ) -> Result<(), Stop> {
        let mut lost = 1;
        loop {
            let cx = self.read_cx(want, attempt).await?;
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
                        return Err(ProviderError::new(
                            ErrorKind::Invalid,
                            "finish in time",
                            self.step.address.to_string(),
                        )
                        .because(format!(
                            "its time-out of {} s passed: {note}",
                            self.step.timeout_s
                        ))
                        .hint("apply again to go on waiting, or raise `timeout` in the spec")
                        .into());
                    }
                    self.shared.say(Event::Progress {
                        address: self.step.address.clone(),
                        effect: n,
                        done,
                        of,
                        note: self.shared.secrets.scrub(&note),
                    });
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

    async fn bounded<T>(
        &self,
        attempt: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, ProviderError> {
        tokio::time::timeout(ATTEMPT_TIMEOUT, attempt)
            .await
            .map_err(|_| {
                ProviderError::new(
                    ErrorKind::Unreachable,
                    "wait for one request",
                    self.step.address.to_string(),
                )
                .because(format!("no answer within {} s", ATTEMPT_TIMEOUT.as_secs()))
            })?
    }

    async fn read_cx(&self, want: &RawWant, attempt: u32) -> Result<ReadCx, Stop> {
        let mut conns = BTreeMap::new();
        for (role, id) in &want.roles {
            let conn = self.shared.conn(id, &self.outs).await?;
            conns.insert(role.clone(), conn);
        }
        Ok(ReadCx {
            address: self.step.address.clone(),
            recovery: self.shared.plan.head.recovery.clone(),
            run: self.shared.run.clone(),
            attempt,
            conns,
            base_dir: self.shared.base_dir.clone(),
            work_dir: self.work_dir()?,
            process: Arc::clone(&self.shared.process) as Arc<dyn ProcessDoor>,
        })
    }

    async fn write_cx(&self, want: &RawWant, attempt: u32) -> Result<WriteCx, Stop> {
        let opener = StepOpener {
            exprs: self.shared.plan.exprs.clone(),
            outs: self.outs.clone(),
            secrets: Arc::clone(&self.shared.secrets),
        };
        Ok(WriteCx::new(
            self.read_cx(want, attempt).await?,
            Arc::new(opener) as Arc<dyn Opener>,
        ))
    }

    fn work_path(&self) -> PathBuf {
        let address = &self.step.address;
        let name = format!(
            "{}-{}",
            address.slug(48),
            drplan_api::short_hash(&address.as_str())
        );
        self.shared.work_dir.join(name)
    }

    fn work_dir(&self) -> Result<PathBuf, ProviderError> {
        let path = self.work_path();
        private_dir(&path).map_err(|e| {
            ProviderError::new(
                ErrorKind::Invalid,
                "make a private folder",
                path.display().to_string(),
            )
            .caused_by(&e)
        })?;
        Ok(path)
    }

    /// The folder matters only while something of the step may run.
    fn clear_work_dir(&self) {
        std::fs::remove_dir_all(self.work_path()).ok();
    }
}

/// Makes a folder that only its owner can enter.
pub(crate) fn private_dir(path: &std::path::Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// The reason inside a decision that is not a step.
pub(crate) fn because_of(planned: &Planned<Json>) -> String {
    match planned {
        Planned::Nothing(Because(text))
        | Planned::Gate {
            because: Because(text),
            ..
        }
        | Planned::Blocked(Because(text)) => text.clone(),
        Planned::Conflict(Because(text), changes) => {
            let names: Vec<&str> = changes.iter().map(|c| c.path.as_str()).take(5).collect();
            if names.is_empty() {
                text.clone()
            } else {
                format!("{text} ({})", names.join(", "))
            }
        }
        Planned::Step(p) => p.because.to_string(),
    }
}

/// Whether a proposal lies inside what the plan shows.
pub(crate) fn within(step: &Step, kind: &dyn DynKind, now: &Proposal<Json>) -> Result<(), String> {
    let def = kind.def();
    let (allowed, hazard_max, bound) = match (&step.what, &step.sure) {
        (
            Do::Act {
                action, binding, ..
            },
            Sure::Exact,
        ) => (vec![*action], step.hazard.level, Some(binding)),
        (Do::Act { action, .. }, _) => {
            let mut allowed = def.envelope.to_vec();
            allowed.push(*action);
            (allowed, def.hazard_max.max(step.hazard.level), None)
        }
        (
            Do::Late {
                actions,
                hazard_max,
            },
            _,
        ) => (actions.clone(), *hazard_max, None),
        // Waiting for what was true when planned changes nothing.
        (Do::Nothing, _) if now.effects.iter().all(Effect::only_reads) => return Ok(()),
        _ => {
            return Err(format!(
                "the plan shows no action, but now it would {}: {}",
                now.action.as_str(),
                now.because
            ));
        }
    };
    if !allowed.contains(&now.action) {
        return Err(format!(
            "the plan shows {}, but now it would {}: {}",
            allowed
                .iter()
                .map(|a| a.as_str())
                .collect::<Vec<_>>()
                .join(" or "),
            now.action.as_str(),
            now.because
        ));
    }
    if now.hazard.level > hazard_max {
        return Err(format!(
            "it is more dangerous than the plan shows: {}",
            now.hazard.text
        ));
    }
    match bound {
        Some(binding) if *binding != now.binding => Err(moved(binding, &now.binding)),
        _ => Ok(()),
    }
}

/// Names what differs between what the plan rests on and what is there now.
fn moved(then: &Json, now: &Json) -> String {
    if let (Json::Object(a), Json::Object(b)) = (then, now) {
        let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
        let parts: Vec<String> = keys
            .into_iter()
            .filter(|key| a.get(*key) != b.get(*key))
            .take(5)
            .map(|key| {
                let text = |m: &serde_json::Map<String, Json>| {
                    m.get(key).map_or("nothing".to_owned(), brief)
                };
                format!(
                    "`{key}` was {} when planned and is {} now",
                    text(a),
                    text(b)
                )
            })
            .collect();
        return format!("somebody changed it since the plan: {}", parts.join("; "));
    }
    format!(
        "somebody changed it since the plan: it was {} and is {} now",
        brief(then),
        brief(now)
    )
}

fn brief(json: &Json) -> String {
    const CHARACTERS_MAX: usize = 160;
    let text = json.to_string();
    if text.chars().count() <= CHARACTERS_MAX {
        return text;
    }
    let head: String = text.chars().take(CHARACTERS_MAX).collect();
    format!("{head}…")
}

impl Shared {
    pub(crate) fn plan_cx(&self, address: &Address) -> PlanCx {
        PlanCx {
            observed_at: self.plan.head.observed_at,
            incident_at: self.plan.head.incident_at,
            accept_overwrite: self.plan.head.accept.iter().any(|a| a == address.as_str()),
        }
    }

    /// The state of a connection now; `Err` if somebody else answers than the plan knows.
    pub(crate) async fn target(
        &self,
        id: &drplan_api::ConnId,
        outs: &Outs,
    ) -> Result<TargetState, String> {
        let Some(pin) = self.plan.targets.iter().find(|t| t.conn == *id) else {
            return Err(format!("the plan holds no connection `{id}`"));
        };
        if let Some(domain) = &pin.lost {
            return Ok(TargetState::Lost {
                domain: domain.clone(),
            });
        }
        let config = match settle(&pin.config, &self.plan.exprs, outs) {
            Ok(config) => config,
            Err(error) => return Ok(TargetState::Unreadable(error)),
        };
        match self.observer.connect(id, &config, &self.plan.exprs).await {
            Ok((_, found)) => match &pin.identity {
                Some(known) if *known != found => Err(format!(
                    "`{id}` is another target than the plan was made for: it was {} and is {} now",
                    known.0, found.0
                )),
                _ => Ok(TargetState::Ready(found)),
            },
            Err(error) => Ok(TargetState::Unreadable(self.observer.scrub(error))),
        }
    }

    async fn conn(
        &self,
        id: &drplan_api::ConnId,
        outs: &Outs,
    ) -> Result<Arc<dyn drplan_api::Conn>, Stop> {
        let pin = self
            .plan
            .targets
            .iter()
            .find(|t| t.conn == *id)
            .ok_or_else(|| Stop::Moved(format!("the plan holds no connection `{id}`")))?;
        let config = settle(&pin.config, &self.plan.exprs, outs)?;
        Ok(self
            .observer
            .connect(id, &config, &self.plan.exprs)
            .await?
            .0)
    }
}
