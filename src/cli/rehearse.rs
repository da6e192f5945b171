//! `drplan rehearse`: the whole recovery in a world of this process.

use std::path::Path;
use std::sync::Arc;

use drplan_api::Address;
use drplan_api::Fut;
use drplan_sandbox::world::Beginning;
use drplan_sandbox::world::Faults;
use drplan_sandbox::world::World;
use drplan_sandbox::world::simulation;
use tokio::sync::watch;

use super::Ambient;
use super::args::Cli;
use super::args::PlanningArgs;
use super::args::RehearseArgs;
use super::failure::Failure;
use super::failure::diagnostics;
use super::print;
use super::session::Session;
use super::talk;
use crate::apply::Apply;
use crate::apply::Asked;
use crate::apply::Gatekeeper;
use crate::apply::Journal;
use crate::apply::Sink;
use crate::apply::Stop;
use crate::plan::Do;
use crate::plan::Plan;
use crate::plan::Summary;
use crate::rehearse::FILE;
use crate::rehearse::Failures;
use crate::rehearse::Report;
use crate::rehearse::Stage;
use crate::rehearse::StageError;
use crate::rehearse::Timeline;
use crate::render;
use crate::report::Exit;
use crate::report::verdict;

/// The seed of a world if nobody gives one.
const SEED_DEFAULT: u64 = 1;

/// Runs in a runtime of its own, whose time passes only where everything waits.
pub(super) fn run(cli: &Cli, args: &RehearseArgs, ambient: &Ambient) -> Result<Exit, Failure> {
    let dir = args.dir.as_deref().unwrap_or(&cli.chdir);
    let stage = Stage::set(dir).map_err(|e| no_stage(e, dir))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .map_err(anyhow::Error::from)?;
    let done = runtime.block_on(async {
        tokio::select! {
            done = rehearse(&stage, args, ambient) => done,
            () = interrupted() => Ok(Exit::Stopped),
        }
    });
    // What the world still does is of no interest to anybody.
    runtime.shutdown_background();
    done
}

fn no_stage(error: StageError, dir: &Path) -> Failure {
    match error {
        StageError::Mistakes(both) => Failure::Spec(both),
        StageError::NoWorld { .. } => Failure::refused(
            Exit::Error,
            error.to_string(),
            format!(
                "write down what to start from in `{}`; the book's page on rehearsals begins with a small one",
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

async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
    talk("stopped; nothing of the rehearsal is left behind");
}

async fn rehearse(stage: &Stage, args: &RehearseArgs, ambient: &Ambient) -> Result<Exit, Failure> {
    let beginning = Beginning {
        data_dir: &stage.origin,
        base_dir: stage.dir(),
        seed: args.faults.unwrap_or(SEED_DEFAULT),
        faults: args.faults.map_or_else(Faults::none, Faults::from_seed),
    };
    let world = World::new(&stage.world, beginning).map_err(|e| {
        Failure::refused(
            Exit::Error,
            e.to_string(),
            format!("correct `{}`", stage.origin.join(FILE).display()),
        )
    })?;
    let ambient = inside(ambient, stage, &world);
    let failures = Arc::new(Failures::parse(&args.fail));
    let planning = PlanningArgs {
        vars: args.vars.clone(),
        lost: stage.world.lost.clone(),
        ..PlanningArgs::default()
    };
    let session = open(stage, &planning, &failures, &ambient)?;
    let plan = session.plan(&planning, &ambient, false).await?;
    can_be_rehearsed(&plan, &failures)?;
    if !args.json {
        print(&render::plan::summary(&plan, ambient.style()))?;
    }
    let (report, exit) = play(stage, args, &ambient, &world, session, Arc::new(plan)).await?;
    if args.json {
        let line =
            serde_json::to_string(&serde_json::json!({ "type": "rehearsal", "rehearsal": report }));
        print(&(line.map_err(anyhow::Error::from)? + "\n"))?;
    } else {
        print(&render::rehearsal::report(&report, ambient.style()))?;
    }
    Ok(match (exit, report.left) {
        (Exit::Ok, Some(0)) => Exit::Ok,
        (Exit::Ok, _) => Exit::Partial,
        (other, _) => other,
    })
}

/// The person's surroundings with the world in the place of this machine.
fn inside(ambient: &Ambient, stage: &Stage, world: &World) -> Ambient {
    let mut ambient = ambient.clone();
    ambient.doors = world.doors();
    ambient.can_ask = false;
    for (name, value) in &stage.world.variables {
        let name = format!("DRPLAN_VAR_{name}");
        ambient.env.entry(name).or_insert_with(|| value.clone());
    }
    ambient
}

fn open(
    stage: &Stage,
    planning: &PlanningArgs,
    failures: &Arc<Failures>,
    ambient: &Ambient,
) -> Result<Session, Failure> {
    let mut session = Session::open(stage.dir(), &planning.vars, ambient)?;
    if !session.warnings.is_empty() {
        talk(&diagnostics(
            &session.warnings,
            &session.source.sources,
            ambient.style(),
        ));
    }
    session.registry = Arc::new(failures.in_front_of(&session.registry));
    Ok(session)
}

/// What cannot be rehearsed is named before anything begins.
fn can_be_rehearsed(plan: &Plan, failures: &Failures) -> Result<(), Failure> {
    let acting = |s: &&crate::plan::Step| matches!(s.what, Do::Act { .. } | Do::Late { .. });
    let strangers: Vec<&str> = plan
        .steps
        .iter()
        .filter(acting)
        .filter(|s| simulation(s.address.kind()).is_none())
        .map(|s| s.address.as_str())
        .collect();
    if !strangers.is_empty() {
        return Err(Failure::refused(
            Exit::Error,
            format!(
                "nothing stands in for {} in a rehearsal",
                strangers.join(", ")
            ),
            "leave them out of the spec that you rehearse",
        ));
    }
    let unknown: Vec<String> = failures
        .addresses()
        .into_iter()
        .filter(|a| !plan.steps.iter().filter(acting).any(|s| s.address == *a))
        .map(|a| a.to_string())
        .collect();
    if !unknown.is_empty() {
        let all: Vec<&str> = plan
            .steps
            .iter()
            .filter(acting)
            .map(|s| s.address.as_str())
            .collect();
        return Err(Failure::refused(
            Exit::Usage,
            format!(
                "`--fail {}`: the plan has no such step that acts",
                unknown.join(" --fail ")
            ),
            format!("its steps are: {}", all.join(", ")),
        ));
    }
    Ok(())
}

/// Applies the plan and asks a second plan what is left.
async fn play(
    stage: &Stage,
    args: &RehearseArgs,
    ambient: &Ambient,
    world: &World,
    session: Session,
    plan: Arc<Plan>,
) -> Result<(Report, Exit), Failure> {
    let clock = ambient.doors.clock.clone();
    let began_at = clock.now();
    let heard: Arc<dyn Sink> = if args.json {
        print(&(render::json::version_line(began_at).to_string() + "\n"))?;
        Arc::new(render::run::JsonSink::new(clock.clone()))
    } else {
        Arc::new(render::run::TextSink::new(
            ambient.style(),
            ambient.stdout_is_terminal,
        ))
    };
    let timeline = Arc::new(Timeline::new(clock.clone(), heard));
    let store = stage.dir().join(".drplan");
    crate::apply::private_dir(&store).map_err(anyhow::Error::from)?;
    let (_going, stop) = watch::channel(Stop::No);
    let ending = crate::apply::apply(Apply {
        plan: Arc::clone(&plan),
        registry: Arc::clone(&session.registry),
        observer: Arc::clone(&session.observer),
        secrets: Arc::clone(&session.secrets),
        journal: Journal::create(&store.join("journal.jsonl")).map_err(anyhow::Error::from)?,
        sink: Arc::clone(&timeline) as Arc<dyn Sink>,
        gatekeeper: Arc::new(Everybody),
        stop,
        run: "rehearsal".to_owned(),
        base_dir: stage.dir().to_owned(),
        work_dir: store.join("work"),
        doors: ambient.doors.clone(),
        parallelism: args.parallelism,
        seed: args.faults.unwrap_or(SEED_DEFAULT),
        next: String::new(),
    })
    .await
    .map_err(anyhow::Error::from)?;
    let ended_at = clock.now();
    let exit = verdict(&plan, &ending.outcomes, ending.stopped);
    let left = match exit {
        Exit::Ok => Some(left_to_do(stage, ambient, &session).await?),
        _ => None,
    };
    let steps = timeline.entries();
    let (simulated, answered) = Report::simulated(&steps);
    let report = Report {
        recovery: plan.head.recovery.clone(),
        began_at,
        ended_at,
        steps,
        simulated,
        answered,
        faults: world.faults(),
        left,
        exit_code: exit.code(),
    };
    Ok((report, exit))
}

/// How many steps a second plan has.
async fn left_to_do(stage: &Stage, ambient: &Ambient, session: &Session) -> Result<u64, Failure> {
    let planning = PlanningArgs {
        lost: stage.world.lost.clone(),
        ..PlanningArgs::default()
    };
    let again = session.plan(&planning, ambient, false).await?;
    let summary = Summary::of(&again);
    Ok(summary.acting + summary.conflicts + summary.blocked)
}

/// Answers every question with yes, and says who it is.
struct Everybody;

impl Gatekeeper for Everybody {
    fn ask(&self, _: &Address, _: &str) -> Fut<'_, Asked> {
        Box::pin(async { Asked::Approved("the rehearsal".to_owned()) })
    }
}
