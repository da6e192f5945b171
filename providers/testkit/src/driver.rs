//! A small engine for one resource.

use std::any::Any;
use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use drplan_api::Action;
use drplan_api::Because;
use drplan_api::Conn;
use drplan_api::ConnId;
use drplan_api::Doors;
use drplan_api::DynKind;
use drplan_api::Facts;
use drplan_api::Fut;
use drplan_api::Json;
use drplan_api::Landed;
use drplan_api::LookError;
use drplan_api::Looked;
use drplan_api::PlanCx;
use drplan_api::Planned;
use drplan_api::Progress;
use drplan_api::Proof;
use drplan_api::Proposal;
use drplan_api::ProviderError;
use drplan_api::RawWant;
use drplan_api::ReadCx;
use drplan_api::Registry;
use drplan_api::TargetState;
use drplan_api::Timestamp;
use drplan_api::View;
use drplan_api::WriteCx;
use drplan_api::process::ProcessDoor;
use tempfile::TempDir;

use crate::Secrets;
use crate::facts;

/// The most polls of one effect.
const POLLS_MAX: usize = 4000;
/// The most attempts of one effect, of a proof and of a decision; only transient failures are repeated.
const ATTEMPTS_MAX: u32 = 4;
/// The longest pause between polls, however long a kind asks for.
const PACE_MAX: Duration = Duration::from_millis(50);
/// The instant of all observations unless a test says another, in seconds since the epoch:
/// 2026-01-05 03:10:00 UTC.
const OBSERVED_AT_S: i64 = 1_767_582_600;

type Fingerprint = Box<dyn Fn() -> Fut<'static, Json> + Send + Sync>;

/// Where a driver can be stopped as if it had been killed. The number is the index of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// After `begin` returned.
    Begun(usize),
    /// After the first `poll` returned.
    Polled(usize),
    /// After the effect ended well.
    Ended(usize),
}

/// Why an apply did not end well.
#[derive(Debug)]
pub enum Failure {
    /// The decision is neither a step nor nothing.
    NotAStep(Planned<Json>),
    /// A method of the kind failed, transient failures several times.
    Error(ProviderError),
    /// `poll` said that the effect ended badly.
    Failed(Because),
    /// `probe` found something half done that may not be cleared away.
    NeedsAPerson(Because),
    /// `probe` found something that is not ours.
    Foreign(Because),
    /// `poll` never came to an end.
    Endless,
    /// `prove` returned no evidence or some that does not hold.
    Unproven(Proof),
    /// After everything the kind still wants to do something.
    NotIdempotent(Planned<Json>),
}

impl From<ProviderError> for Failure {
    fn from(error: ProviderError) -> Self {
        Self::Error(error)
    }
}

/// A successful apply.
#[derive(Debug)]
pub struct Applied {
    /// The decision before.
    pub before: Looked,
    /// What was proven; `None` if nothing had to be done.
    pub proof: Option<Proof>,
    /// The decision after: always [`Planned::Nothing`].
    pub after: Looked,
}

impl Applied {
    /// Returns what the step did; `None` if nothing had to be done.
    pub fn action(&self) -> Option<Action> {
        step(&self.before.planned).map(|p| p.action)
    }
}

pub(crate) fn step(planned: &Planned<Json>) -> Option<&Proposal<Json>> {
    match planned {
        Planned::Step(proposal) => Some(proposal),
        _ => None,
    }
}

/// Drives one resource through look, probe, begin, poll and prove.
pub struct Driver {
    kind: Arc<dyn DynKind>,
    want: RawWant,
    conns: BTreeMap<ConnId, Arc<dyn Conn>>,
    targets: BTreeMap<ConnId, TargetState>,
    secrets: Secrets,
    doors: Doors,
    base_dir: PathBuf,
    plan_cx: PlanCx,
    fingerprint: Option<Fingerprint>,
    kept: Vec<Box<dyn Any + Send>>,
    folder: TempDir,
    runs: AtomicU32,
    begins: AtomicUsize,
}

impl Driver {
    /// Makes a driver of one kind.
    pub fn new(kind: Arc<dyn DynKind>, want: impl Into<RawWant>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self {
            kind,
            want: want.into(),
            conns: BTreeMap::new(),
            targets: BTreeMap::new(),
            secrets: Secrets::default(),
            doors: Doors::local(),
            base_dir: folder.path().to_owned(),
            plan_cx: PlanCx {
                observed_at: Timestamp::from_second(OBSERVED_AT_S).expect("an instant"),
                incident_at: None,
                accept_overwrite: false,
            },
            fingerprint: None,
            kept: Vec::new(),
            folder,
            runs: AtomicU32::new(0),
            begins: AtomicUsize::new(0),
        }
    }

    /// Makes a driver of the kind that the address names.
    pub fn of(registry: &Registry, want: impl Into<RawWant>) -> Self {
        let want = want.into();
        let name = want.address.kind();
        let kind = if want.address.is_data() {
            registry.get_data(name)
        } else {
            registry.get_resource(name)
        };
        match kind {
            Some(kind) => Self::new(Arc::clone(kind), want),
            None => panic!("the registry has no kind for `{}`", want.address),
        }
    }

    /// Gives a connection.
    #[must_use]
    pub fn conn(mut self, id: &str, conn: Arc<dyn Conn>) -> Self {
        self.conns.insert(ConnId::new(id), conn);
        self
    }

    /// Fixes the state of a target (not yet made, lost) instead of asking its connection.
    #[must_use]
    pub fn target(mut self, id: &str, state: TargetState) -> Self {
        self.targets.insert(ConnId::new(id), state);
        self
    }

    /// Fills a hole.
    #[must_use]
    pub fn secret(mut self, expr: usize, value: impl Into<Json>) -> Self {
        self.secrets.set(expr, value);
        self
    }

    /// Puts another door in front of programs than the real one.
    #[must_use]
    pub fn process(mut self, door: Arc<dyn ProcessDoor>) -> Self {
        self.doors.process = door;
        self
    }

    /// Says where relative paths start; an empty temporary folder otherwise.
    #[must_use]
    pub fn base_dir(mut self, path: &Path) -> Self {
        path.clone_into(&mut self.base_dir);
        self
    }

    /// Says when the facts are read and, if there was one, when the incident was.
    #[must_use]
    pub fn at(mut self, observed_at: Timestamp, incident_at: Option<Timestamp>) -> Self {
        self.plan_cx.observed_at = observed_at;
        self.plan_cx.incident_at = incident_at;
        self
    }

    /// Accepts that foreign data is overwritten.
    #[must_use]
    pub fn accept_overwrite(mut self) -> Self {
        self.plan_cx.accept_overwrite = true;
        self
    }

    /// Says how the world is read for "the same end state". Leave out what may differ, such as times
    /// and ids.
    #[must_use]
    pub fn fingerprint(
        mut self,
        read: impl Fn() -> Fut<'static, Json> + Send + Sync + 'static,
    ) -> Self {
        self.fingerprint = Some(Box::new(read));
        self
    }

    /// Keeps a server or a folder alive as long as the driver.
    #[must_use]
    pub fn keep(mut self, thing: impl Any + Send) -> Self {
        self.kept.push(Box::new(thing));
        self
    }

    /// Changes the arguments, for the next look.
    #[must_use]
    pub fn want(mut self, want: impl Into<RawWant>) -> Self {
        self.want = want.into();
        self
    }

    /// Returns the folder with the work folders of all runs so far, to see what was left in them.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns how many effects were begun so far.
    pub fn begins(&self) -> usize {
        self.begins.load(Ordering::Relaxed)
    }

    /// Reads the world and decides.
    ///
    /// # Panics
    ///
    /// If the arguments cannot be decoded or the facts never suffice.
    pub async fn look(&self) -> Looked {
        match self.try_look().await {
            Ok(looked) => looked,
            Err(error) => panic!("`{}` cannot look: {error:?}", self.want.address),
        }
    }

    /// Reads the world and decides, for tests of bad arguments.
    ///
    /// # Errors
    ///
    /// If the arguments cannot be decoded.
    pub async fn try_look(&self) -> Result<Looked, LookError> {
        let facts = Facts {
            targets: self.targets.clone(),
            answers: BTreeMap::new(),
        };
        facts::look(&*self.kind, &self.plan_cx, &self.want, &self.conns, facts).await
    }

    /// Decides over facts made by hand, without any connection.
    ///
    /// # Errors
    ///
    /// If something is missing in the facts, or the arguments cannot be decoded.
    pub fn look_at(&self, facts: &Facts) -> Result<Looked, LookError> {
        self.kind.look(&self.plan_cx, &self.want, &View::new(facts))
    }

    /// Applies and requires success; see [`Self::try_apply`].
    ///
    /// # Panics
    ///
    /// With the failure.
    pub async fn apply(&self) -> Applied {
        match self.try_apply().await {
            Ok(applied) => applied,
            Err(failure) => panic!("`{}` was not applied: {failure:#?}", self.want.address),
        }
    }

    /// Looks, does every effect in order, proves, and looks again: nothing may be left.
    ///
    /// # Errors
    ///
    /// The first thing that did not go well.
    pub async fn try_apply(&self) -> Result<Applied, Failure> {
        let before = self.decide().await?;
        let proof = match step(&before.planned) {
            Some(proposal) => self.resume(&proposal.op, proposal.effects.len()).await?,
            None => None,
        };
        let after = self.decide().await?;
        match after.planned {
            Planned::Nothing(_) => Ok(Applied {
                before,
                proof,
                after,
            }),
            planned => Err(Failure::NotIdempotent(planned)),
        }
    }

    /// A decision, made again while reads fail in a transient way.
    async fn decide(&self) -> Result<Looked, Failure> {
        let mut looked = self.look().await;
        for _ in 1..ATTEMPTS_MAX {
            match &looked.present {
                Err(error) if error.is_transient() => looked = self.look().await,
                _ => break,
            }
        }
        match looked.planned {
            Planned::Nothing(_) | Planned::Step(_) => Ok(looked),
            planned => Err(Failure::NotAStep(planned)),
        }
    }

    /// Does every effect of a payload as a successor with an empty work folder does: `probe` decides
    /// what is still to be done. Then proves.
    ///
    /// # Errors
    ///
    /// The first thing that did not go well.
    pub async fn resume(&self, op: &Json, effects: usize) -> Result<Option<Proof>, Failure> {
        self.run(op, effects, None).await
    }

    /// Runs until a point and stops there as if killed. Whatever runs outside goes on.
    ///
    /// # Errors
    ///
    /// The first thing that did not go well before the point.
    pub async fn crash_at(&self, op: &Json, effects: usize, point: Point) -> Result<(), Failure> {
        self.run(op, effects, Some(point)).await.map(|_| ())
    }

    async fn run(
        &self,
        op: &Json,
        effects: usize,
        stop: Option<Point>,
    ) -> Result<Option<Proof>, Failure> {
        let run = self.runs.fetch_add(1, Ordering::Relaxed) + 1;
        let work_dir = self.folder.path().join(format!("run-{run}"));
        // The folder around it is private, so this one is too.
        std::fs::create_dir(&work_dir).expect("a work folder");
        for n in 0..effects {
            let mut attempt = 1;
            let crashed = loop {
                let cx = self.context(run, attempt, &work_dir);
                match self.attempt(&cx, op, n, stop).await {
                    Err(Failure::Error(e)) if e.is_transient() && attempt < ATTEMPTS_MAX => {}
                    Err(Failure::Failed(_)) if attempt < ATTEMPTS_MAX => {}
                    ended => break ended?,
                }
                attempt += 1;
                tokio::time::sleep(PACE_MAX).await;
            };
            if crashed {
                return Ok(None);
            }
        }
        self.prove(op, run, &work_dir).await.map(Some)
    }

    /// One attempt of one effect; tells whether it was stopped.
    async fn attempt(
        &self,
        cx: &WriteCx,
        op: &Json,
        n: usize,
        stop: Option<Point>,
    ) -> Result<bool, Failure> {
        match self.kind.probe(cx, op, n).await? {
            Landed::Yes => return Ok(false),
            Landed::Running => {}
            Landed::No
            | Landed::Partly {
                disposable: true, ..
            } => {
                self.begins.fetch_add(1, Ordering::Relaxed);
                self.kind.begin(cx, op, n).await?;
            }
            Landed::Partly { because, .. } => return Err(Failure::NeedsAPerson(because)),
            Landed::Foreign(because) => return Err(Failure::Foreign(because)),
        }
        if stop == Some(Point::Begun(n)) {
            return Ok(true);
        }
        for _ in 0..POLLS_MAX {
            let progress = self.kind.poll(cx, op, n).await?;
            if stop == Some(Point::Polled(n)) {
                return Ok(true);
            }
            match progress {
                Progress::Done => return Ok(stop == Some(Point::Ended(n))),
                Progress::Failed {
                    because,
                    retry: true,
                } => return Err(Failure::Failed(because)),
                Progress::Failed {
                    because,
                    retry: false,
                } => {
                    return Err(Failure::NeedsAPerson(because));
                }
                Progress::Going { again_in, .. } => {
                    tokio::time::sleep(again_in.min(PACE_MAX)).await
                }
            }
        }
        Err(Failure::Endless)
    }

    async fn prove(&self, op: &Json, run: u32, work_dir: &Path) -> Result<Proof, Failure> {
        let mut attempt = 1;
        loop {
            let cx = self.context(run, attempt, work_dir);
            match self.kind.prove(&cx, op).await {
                Ok(proof) if proof.holds() => return Ok(proof),
                Ok(proof) => return Err(Failure::Unproven(proof)),
                Err(error) if error.is_transient() && attempt < ATTEMPTS_MAX => attempt += 1,
                Err(error) => return Err(Failure::Error(error)),
            }
        }
    }

    /// Makes the context of an attempt, for tests that call a method of a kind directly.
    pub fn context(&self, run: u32, attempt: u32, work_dir: &Path) -> WriteCx {
        let open = |(role, id): (&String, &ConnId)| {
            self.conns
                .get(id)
                .map(|conn| (role.clone(), Arc::clone(conn)))
        };
        let read = ReadCx {
            address: self.want.address.clone(),
            recovery: self.want.recovery.clone(),
            run: format!("test-run-{run}"),
            attempt,
            begun: true,
            conns: self.want.roles.iter().filter_map(open).collect(),
            base_dir: self.base_dir.clone(),
            work_dir: work_dir.to_owned(),
            doors: self.doors.clone(),
        };
        WriteCx::new(read, Arc::new(self.secrets.clone()))
    }

    pub(crate) async fn end_state(&self) -> Option<Json> {
        match &self.fingerprint {
            Some(read) => Some(read().await),
            None => None,
        }
    }
}
