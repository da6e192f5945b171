//! `drplan rehearse`: the whole recovery in a world of this process.

use std::cell::OnceCell;
use std::path::Path;
use std::sync::Arc;

use drplan_api::ConnId;
use drplan_api::Timestamp;

use super::Ambient;
use super::args::Cli;
use super::args::RehearseArgs;
use super::failure::Failure;
use super::failure::diagnostics;
use super::open_world::Moment;
use super::open_world::is_free;
use super::open_world::stay_open;
use super::print;
use super::talk;
use super::words::Words;
use crate::apply::Sink;
use crate::plan::Do;
use crate::plan::Plan;
use crate::plan::Step;
use crate::rehearse::FILE;
use crate::rehearse::Failures;
use crate::rehearse::Loss;
use crate::rehearse::Planned;
use crate::rehearse::Report;
use crate::rehearse::Scene;
use crate::rehearse::Script;
use crate::rehearse::Time;
use crate::rehearse::Timeline;
use crate::rehearse::Turnstile;
use crate::render;
use crate::render::rehearsal::Detail;
use crate::report::Exit;
use crate::report::REHEARSAL;
use crate::report::done_without;
use crate::report::verdict;

/// Runs in a runtime of its own, whose time passes only where everything waits.
pub(super) fn run(cli: &Cli, args: &RehearseArgs, ambient: &Ambient) -> Result<Exit, Failure> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let turnstile = Turnstile::default();
    turnstile.between(&mut builder);
    let runtime = builder.enable_all().build();
    let runtime = runtime.map_err(anyhow::Error::from)?;
    let known = OnceCell::new();
    let done = runtime.block_on(async {
        tokio::select! {
            // Listens before the first file is copied, so that a signal never leaves one behind.
            biased;
            () = interrupted() => None,
            done = rehearse(cli, args, ambient, &known) => Some(done),
        }
    });
    turnstile.open();
    // What the world still does is of no interest to anybody.
    runtime.shutdown_background();
    done.unwrap_or_else(|| {
        // Said last: what draws is gone only now.
        talk("stopped; nothing of the rehearsal is left behind");
        Ok(known.get().copied().unwrap_or(Exit::Stopped))
    })
}

/// Waits until somebody ends it: at the keyboard, or as a supervisor or a closed terminal does.
async fn interrupted() {
    let signal = match super::signals::Signals::listen() {
        Some(mut signals) => signals.next().await,
        None => None,
    };
    if signal.is_none() {
        std::future::pending::<()>().await;
    }
}

/// `known` tells how it ended while the world stays open.
async fn rehearse(
    cli: &Cli,
    args: &RehearseArgs,
    ambient: &Ambient,
    known: &OnceCell<Exit>,
) -> Result<Exit, Failure> {
    nothing_lost_by_hand(args)?;
    let dir = args.dir.as_deref().unwrap_or(&cli.chdir);
    let script = Script {
        vars: args.vars.clone(),
        faults: args.faults,
        fail: Arc::new(Failures::parse(&args.fail)),
        parallelism: args.parallelism,
    };
    if let Some(address) = args.listen {
        is_free(address)?;
    }
    let scene = match &args.from_snapshot {
        Some(path) => Scene::from_snapshot(dir, script, ambient, path).await?,
        None => Scene::set(dir, script, ambient)?,
    };
    let (warnings, sources) = scene.warnings();
    if !warnings.is_empty() {
        talk(&diagnostics(warnings, sources, ambient.style()));
    }
    if let Some(address) = args.listen.filter(|_| args.before) {
        known.set(Exit::Ok).ok();
        stay_open(&scene, address, Moment::Before).await?;
    }
    if let Some(out) = &args.snapshot {
        return keep(&scene, dir, out).await;
    }
    let planned = match scene.plan().await {
        Ok(planned) => planned,
        Err(failure) => {
            let strangers = scene.world().strangers();
            let blocks = render::rehearsal::stand_ins(&strangers, ambient.style());
            blocks.iter().for_each(|line| talk(line));
            return Err(failure);
        }
    };
    let session = &planned.session;
    if !session.warnings.is_empty() {
        let sources = &session.source.sources;
        talk(&diagnostics(&session.warnings, sources, ambient.style()));
    }
    if let Some(began) = scene.began(&planned.plan).filter(|_| !args.json) {
        print(&render::began::text(&began, ambient.style()))?;
    }
    scene.can_be_rehearsed(&planned.plan)?;
    for warning in [early(&planned.plan), made_again(&planned.plan)] {
        warning.iter().for_each(|text| talk(text));
    }
    let detail = if args.full {
        Detail::Full
    } else {
        Detail::Brief
    };
    if !args.json {
        print(&render::plan::rehearsed(
            &planned.plan,
            ambient.style(),
            detail,
        ))?;
    }
    let Played {
        report,
        events,
        exit,
    } = play(&scene, &planned, args.json).await?;
    if args.json {
        let line = render::json::rehearsal_line(report.ended_at, events + 1, &report);
        print(&format!("{line}\n"))?;
    } else {
        print(&render::rehearsal::report(&report, ambient.style(), detail))?;
    }
    if let Some(address) = args.listen {
        known.set(exit).ok();
        stay_open(&scene, address, Moment::After).await?;
    }
    Ok(exit)
}

/// Refuses what only the world file can say.
fn nothing_lost_by_hand(args: &RehearseArgs) -> Result<(), Failure> {
    if args.lost.is_empty() {
        return Ok(());
    }
    Err(Failure::refused(
        Exit::Usage,
        "`rehearse` has no `--lost`: its world file says what is lost",
        format!("write into {FILE}: lost = {:?}", args.lost),
    ))
}

/// What a rehearsal came to.
struct Played {
    report: Report,
    /// How many events there were.
    events: u64,
    exit: Exit,
}

/// Warns of a clock that begins before a backup was made which the plan takes.
fn early(plan: &Plan) -> Option<String> {
    let newer = Loss::of(plan).newer;
    let newest = newer.iter().max_by_key(|backup| backup.at)?;
    let zero = plan.head.incident_at.unwrap_or(plan.head.observed_at);
    Some(format!(
        "warning: the rehearsal begins at {zero}, before the backup `{}` of {} was made, so that ages and losses \
         say nothing\n  hint: set `start` in {} to a later time than that",
        newest.id, newest.at, FILE
    ))
}

/// Warns of a lost place that steps are to write to: what is built again is not lost but not there.
fn made_again(plan: &Plan) -> Option<String> {
    let lost = |conn: &ConnId| {
        let target = plan.targets.iter().find(|target| target.conn == *conn)?;
        Some((target.conn.clone(), target.lost.as_deref()?))
    };
    let (step, (conn, domain)) = plan.steps.iter().find_map(|step| {
        let is_blocked = step.what == Do::Blocked { unreadable: false };
        let want = step.want.as_ref().filter(|_| is_blocked)?;
        Some((step, want.roles.values().find_map(lost)?))
    })?;
    Some(format!(
        "warning: `{}` needs `{conn}`, which lies in `{domain}` and is lost: nothing is read or written there\n  hint: \
         a place that the recovery builds again is not `lost`: take that out of `lost` in {FILE}, and `running` out \
         of its block there, and let a `program` start it",
        step.address
    ))
}

/// Keeps what a plan of the world rests on as it is before the recovery.
async fn keep(scene: &Scene, dir: &Path, out: &Path) -> Result<Exit, Failure> {
    let planning = scene.planning();
    let mut next = Words::beside(Some(dir), &["plan"]);
    next.add("--live", out.display().to_string());
    let (inside, ambient) = (scene.dir(), scene.ambient());
    super::snapshot::keep(inside, &planning, out, next, ambient).await
}

/// Applies the plan and asks a second plan what is left.
async fn play(scene: &Scene, planned: &Planned, json: bool) -> Result<Played, Failure> {
    let ambient = scene.ambient();
    let clock = ambient.doors.clock.clone();
    let began_at = clock.now();
    let heard: Arc<dyn Sink> = if json {
        let line = render::json::rehearsed(render::json::version_line(began_at));
        print(&format!("{line}\n"))?;
        Arc::new(render::run::JsonSink::rehearsed(clock.clone()))
    } else {
        Arc::new(render::run::TextSink::new(
            ambient.style(),
            ambient.stdout_is_terminal,
            clock.clone(),
        ))
    };
    let timeline = Arc::new(Timeline::new(clock.clone(), heard));
    let store = scene.dir().join(".drplan");
    crate::private::folder(&store).map_err(anyhow::Error::from)?;
    let sink = Arc::clone(&timeline) as Arc<dyn Sink>;
    let ending = scene.apply(planned, &store, REHEARSAL, sink).await;
    let ending = ending.map_err(anyhow::Error::from)?;
    let mut exit = verdict(&planned.plan, &ending.outcomes, ending.stopped, None);
    if let Some(error) = &ending.broken {
        talk(&format!("error: {error}; nothing new was begun"));
        exit = Exit::Partial;
    }
    let ended_at = clock.now();
    let steps = timeline.entries();
    let (simulated, answered) = Report::simulated(&steps);
    let without = done_without(&planned.plan, &ending.outcomes);
    if !json {
        talk("asking a second plan what is left");
    }
    scene.world().calm();
    let (mut left, unplanned) = match scene.left().await {
        Ok(left) => (Some(left), Vec::new()),
        Err(failure) => (None, failure.lines()),
    };
    if let Some(left) = &mut left {
        left.retain(|a| without.as_ref().is_none_or(|w| !w.contains(a)));
    }
    let unmet = scene.failures_not_met();
    let is_settled = left.as_ref().is_some_and(Vec::is_empty) && unmet.is_empty();
    let nothing_to_do = !planned.plan.steps.iter().any(Step::is_action);
    if exit == Exit::Ok && (!is_settled || nothing_to_do) {
        exit = Exit::Partial;
    }
    let head = &planned.plan.head;
    let time = Time::judged(took_s(began_at, ended_at), head.rto_s, without.is_some());
    let report = Report {
        recovery: head.recovery.clone(),
        lost: head.lost.clone(),
        nothing_to_do,
        snapshot: scene.began(&planned.plan),
        began_at,
        ended_at,
        time: if nothing_to_do {
            time.of_nothing()
        } else {
            time
        },
        data_loss: Loss::of(&planned.plan),
        steps,
        simulated,
        answered,
        faults: scene.world().faults(),
        without,
        left,
        unplanned,
        strangers: scene.world().strangers(),
        unmet,
        exit_code: exit.code(),
    };
    Ok(Played {
        report,
        events: ending.events,
        exit,
    })
}

/// How long it took, in seconds of the world.
fn took_s(began_at: Timestamp, ended_at: Timestamp) -> u64 {
    let took = ended_at.duration_since(began_at);
    u64::try_from(took.as_secs()).unwrap_or_default()
}
