//! A spec on its stage in a world: plan it, apply it, ask again.

use std::path::Path;
use std::sync::Arc;

use drplan_api::Address;
use drplan_api::Fut;
use drplan_sandbox::world::Beginning;
use drplan_sandbox::world::Faults;
use drplan_sandbox::world::Stand;
use drplan_sandbox::world::World;
use drplan_sandbox::world::WorldError;
use drplan_sandbox::world::WorldFile;
use drplan_sandbox::world::simulation;
use tokio::sync::watch;

use super::Began;
use super::FILE;
use super::Failures;
use super::Stage;
use super::StageError;
use super::began::Recorded;
use crate::apply::Apply;
use crate::apply::Asked;
use crate::apply::Ending;
use crate::apply::Gatekeeper;
use crate::apply::Hold;
use crate::apply::Journal;
use crate::apply::JournalError;
use crate::apply::Orders;
use crate::apply::Sink;
use crate::apply::Stop;
use crate::cli::Ambient;
use crate::cli::Failure;
use crate::cli::PlanningArgs;
use crate::cli::Session;
use crate::cli::VarArgs;
use crate::diag::Diagnostics;
use crate::diag::Sources;
use crate::plan::Do;
use crate::plan::Plan;
use crate::plan::Step;
use crate::report::Exit;
use crate::spec::Surroundings;

/// The seed of a world if nobody gives one.
const SEED_DEFAULT: u64 = 1;

/// How variables of the spec are named in the environment.
const VARIABLE: &str = "DRPLAN_VAR_";

/// How a rehearsal is told to go.
#[derive(Clone, Debug)]
pub struct Script {
    /// Values of variables, over those of the world file.
    pub vars: VarArgs,
    /// The seed of faults; `None` for a world without.
    pub faults: Option<u64>,
    /// The steps that fail.
    pub fail: Arc<Failures>,
    /// How many steps may run at once.
    pub parallelism: usize,
}

/// A spec on its stage in a world.
pub struct Scene {
    stage: Stage,
    world: World,
    ambient: Ambient,
    script: Script,
    recorded: Option<Recorded>,
}

/// A plan, and what is needed to apply it.
pub struct Planned {
    /// The plan.
    pub plan: Arc<Plan>,
    /// What the spec was read to.
    pub(crate) session: Session,
}

impl Scene {
    /// Sets the stage and makes the world. Must be called inside of the runtime whose time the world
    /// follows.
    ///
    /// # Errors
    ///
    /// If the folder holds no world file, it has mistakes, or the world cannot be made.
    pub fn set(dir: &Path, script: Script, ambient: &Ambient) -> Result<Self, Failure> {
        Self::made(staged(dir)?, script, ambient, None)
    }

    /// Sets the stage and makes a world that begins as a snapshot recorded it. Time passes in it until it is
    /// as it was. Must be called inside of the runtime whose time the world follows.
    ///
    /// # Errors
    ///
    /// As [`Self::set`]; and if the snapshot cannot be used, or holds a connection that the world file says
    /// nothing of.
    pub async fn from_snapshot(
        dir: &Path,
        script: Script,
        ambient: &Ambient,
        snapshot: &Path,
    ) -> Result<Self, Failure> {
        let stage = staged(dir)?;
        let outside = with_variables(ambient, &stage);
        let planning = planning(&script, &stage);
        let recorded = Recorded::read(snapshot, &stage, &planning, &outside).await?;
        let scene = Self::made(stage, script, ambient, Some(recorded))?;
        scene.world.settle().await;
        Ok(scene)
    }

    fn made(
        stage: Stage,
        script: Script,
        ambient: &Ambient,
        recorded: Option<Recorded>,
    ) -> Result<Self, Failure> {
        let registry = crate::registry::registry();
        let beginning = Beginning {
            data_dir: &stage.origin,
            base_dir: stage.dir(),
            seed: script.faults.unwrap_or(SEED_DEFAULT),
            faults: script.faults.map_or_else(Faults::none, Faults::from_seed),
            recall: recorded.as_ref().map(|r| r.recall(&registry)),
        };
        let world = World::new(&stage.world, beginning).map_err(|e| {
            let file = stage.origin.join(FILE);
            let hint = match &e {
                WorldError::NoPlace { connection, block } => format!(
                    "add to {}: {block}; or, if a block there is it, give that one `connections = [\"{connection}\"]`",
                    file.display()
                ),
                WorldError::Recording { .. } => {
                    "make a new one with `drplan snapshot --out FILE`".to_owned()
                }
                WorldError::TwoInOne { other, block, .. } => format!(
                    "declare a second `{block}` in {} with `connections = [\"{other}\"]`",
                    file.display()
                ),
                _ => format!("correct `{}`", file.display()),
            };
            Failure::refused(Exit::Error, e.to_string(), hint)
        })?;
        let ambient = inside(ambient, &stage, &world);
        Ok(Self {
            stage,
            world,
            ambient,
            script,
            recorded,
        })
    }

    /// How the world began, if it began as a snapshot recorded it: what was loaded, and how its first plan
    /// compares with that of the snapshot.
    #[must_use]
    pub fn began(&self, plan: &Plan) -> Option<Began> {
        let loaded = self.world.loaded()?;
        Some(self.recorded.as_ref()?.began(loaded, plan))
    }

    /// The world.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The folder that the spec was copied to.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.stage.dir()
    }

    /// What the world started from.
    #[must_use]
    pub fn file(&self) -> &WorldFile {
        &self.stage.world
    }

    /// The programs of the world file that start a server.
    #[must_use]
    pub fn starters(&self, server: &str) -> Vec<String> {
        let programs = self.stage.world.program.iter();
        let stands = programs.flat_map(|(name, list)| list.iter().map(move |stand| (name, stand)));
        let starting = stands.filter(|(_, stand)| stand.starts.iter().any(|s| s == server));
        let line = |(name, stand): (&String, &Stand)| {
            let words = std::iter::once(name).chain(&stand.args);
            words.map(String::as_str).collect::<Vec<_>>().join(" ")
        };
        starting.map(line).collect()
    }

    /// The seed of the faults, if there are any.
    #[must_use]
    pub fn faults(&self) -> Option<u64> {
        self.script.faults
    }

    /// What somebody should look at in the world file, with its text.
    #[must_use]
    pub fn warnings(&self) -> &(Diagnostics, Sources) {
        &self.stage.warnings
    }

    /// What the time is in the world, and how it is reached.
    #[must_use]
    pub fn ambient(&self) -> &Ambient {
        &self.ambient
    }

    /// What each plan is told.
    pub(crate) fn planning(&self) -> PlanningArgs {
        planning(&self.script, &self.stage)
    }

    /// Plans against the world as it is now.
    ///
    /// # Errors
    ///
    /// If the spec has mistakes.
    pub async fn plan(&self) -> Result<Planned, Failure> {
        let session = self.session()?;
        let plan = session.plan(&self.planning(), &self.ambient, false).await?;
        Ok(Planned {
            plan: Arc::new(plan),
            session,
        })
    }

    /// The same plan with connections of its own, as if another process had read it from a file.
    ///
    /// # Errors
    ///
    /// If the spec has mistakes now.
    pub fn reopen(&self, planned: &Planned) -> Result<Planned, Failure> {
        Ok(Planned {
            plan: Arc::clone(&planned.plan),
            session: self.session()?,
        })
    }

    fn session(&self) -> Result<Session, Failure> {
        let mut session = Session::open(self.stage.dir(), &self.planning().vars, &self.ambient)?;
        session.registry = Arc::new(self.script.fail.in_front_of(&session.registry));
        Ok(session)
    }

    /// Refuses a plan with steps that nothing stands in for, and failures of steps that it has not.
    ///
    /// # Errors
    ///
    /// Names them.
    pub fn can_be_rehearsed(&self, plan: &Plan) -> Result<(), Failure> {
        let acting = |s: &&Step| matches!(s.what, Do::Act { .. } | Do::Late { .. });
        let named = |steps: &mut dyn Iterator<Item = &Step>| {
            let names: Vec<&str> = steps.map(|s| s.address.as_str()).collect();
            names.join(", ")
        };
        let stranger = |s: &&Step| simulation(s.address.kind()).is_none();
        let strangers = named(&mut plan.steps.iter().filter(acting).filter(stranger));
        if !strangers.is_empty() {
            return Err(Failure::refused(
                Exit::Error,
                format!("nothing stands in for {strangers} in a rehearsal"),
                "leave them out of the spec that you rehearse",
            ));
        }
        let known = |a: &Address| plan.steps.iter().filter(acting).any(|s| s.address == *a);
        match self.script.fail.addresses().iter().find(|a| !known(a)) {
            None => Ok(()),
            Some(unknown) => Err(Failure::refused(
                Exit::Usage,
                format!("`--fail {unknown}`: the plan has no such step that acts"),
                format!(
                    "its steps are: {}",
                    named(&mut plan.steps.iter().filter(acting))
                ),
            )),
        }
    }

    /// Applies a plan. Journal and private folders of the run lie in `store`.
    ///
    /// # Errors
    ///
    /// If the journal cannot be written.
    pub async fn apply(
        &self,
        planned: &Planned,
        store: &Path,
        run: &str,
        sink: Arc<dyn Sink>,
    ) -> Result<Ending, JournalError> {
        let (_going, stop) = watch::channel(Stop::No);
        let (_wishing, wishes) = watch::channel(None);
        let session = &planned.session;
        crate::apply::apply(Apply {
            plan: Arc::clone(&planned.plan),
            registry: Arc::clone(&session.registry),
            observer: Arc::clone(&session.observer),
            secrets: Arc::clone(&session.secrets),
            journal: Journal::create(&store.join(format!("{run}.jsonl")))?,
            earlier: None,
            sink,
            gatekeeper: Arc::new(Everybody),
            hold: Arc::new(Hold::Nobody),
            orders: Orders::default(),
            stop,
            wishes,
            run: run.to_owned(),
            base_dir: self.stage.dir().to_owned(),
            work_dir: store.join("work"),
            doors: self.ambient.doors.clone(),
            parallelism: self.script.parallelism,
            seed: self.script.faults.unwrap_or(SEED_DEFAULT),
            next: String::new(),
        })
        .await
    }

    /// The steps that were told to fail and did not.
    #[must_use]
    pub fn failures_not_met(&self) -> Vec<Address> {
        self.script.fail.not_met()
    }

    /// The steps that a second plan has.
    ///
    /// # Errors
    ///
    /// If the spec has mistakes now.
    pub async fn left(&self) -> Result<Vec<Address>, Failure> {
        let again = self.plan().await?;
        let open = |s: &&Step| {
            matches!(
                s.what,
                Do::Act { .. } | Do::Late { .. } | Do::Conflict | Do::Blocked { .. }
            )
        };
        let open = again.plan.steps.iter().filter(open);
        Ok(open.map(|s| s.address.clone()).collect())
    }
}

/// What each plan on a stage is told.
fn planning(script: &Script, stage: &Stage) -> PlanningArgs {
    PlanningArgs {
        vars: script.vars.clone(),
        lost: stage.world.lost.clone(),
        ..PlanningArgs::default()
    }
}

fn staged(dir: &Path) -> Result<Stage, Failure> {
    // A folder without a spec is told before one without a world.
    let source = crate::spec::Source::load(dir)?;
    // Its own mistakes are told when it is planned.
    let (module, _) = crate::spec::parse(&source);
    Stage::set(dir, &module).map_err(|e| no_stage(e, dir))
}

fn no_stage(error: StageError, dir: &Path) -> Failure {
    match error {
        StageError::Mistakes(both) => Failure::Spec(both),
        StageError::NoWorld { .. } => Failure::refused(
            Exit::Error,
            error.to_string(),
            format!(
                "write down what to start from in `{}`; docs/how-to/rehearse.md begins with a small one",
                dir.join(FILE).display()
            ),
        ),
        StageError::Copy { .. } => Failure::refused(
            Exit::Error,
            error.to_string(),
            "a rehearsal works in a copy of the spec's folder: make the folder readable, and keep large data in the buckets of the world file",
        ),
    }
}

/// The person's surroundings with the world in the place of this machine.
fn inside(ambient: &Ambient, stage: &Stage, world: &World) -> Ambient {
    let mut ambient = with_variables(ambient, stage);
    ambient.doors = world.doors();
    ambient.can_ask = false;
    ambient
}

/// The person's surroundings with the variables of the world file.
fn with_variables(ambient: &Ambient, stage: &Stage) -> Ambient {
    let mut ambient = ambient.clone();
    // What the person keeps for the real recovery must not get into a rehearsal.
    ambient.env.retain(|name, _| !name.starts_with(VARIABLE));
    ambient.surroundings = Surroundings::WorldFile;
    for (name, value) in &stage.world.variables {
        ambient
            .env
            .insert(format!("{VARIABLE}{name}"), value.clone());
    }
    ambient
}

/// Answers every question with yes, and says who it is.
struct Everybody;

impl Gatekeeper for Everybody {
    fn ask(&self, _: &Address, _: &str, _: bool) -> Fut<'_, Asked> {
        Box::pin(async { Asked::Approved("the rehearsal".to_owned()) })
    }
}
