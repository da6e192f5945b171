//! `drplan rehearse`: the whole recovery in a world of this process.

use std::cell::OnceCell;
use std::net::SocketAddr;
use std::sync::Arc;

use super::Ambient;
use super::apply::stop_signal;
use super::args::Cli;
use super::args::RehearseArgs;
use super::failure::Failure;
use super::failure::diagnostics;
use super::print;
use super::talk;
use crate::apply::Sink;
use crate::rehearse::Failures;
use crate::rehearse::Planned;
use crate::rehearse::Report;
use crate::rehearse::Scene;
use crate::rehearse::Script;
use crate::rehearse::Timeline;
use crate::render;
use crate::report::Exit;
use crate::report::REHEARSAL;
use crate::report::done_without;
use crate::report::verdict;

/// Runs in a runtime of its own, whose time passes only where everything waits.
pub(super) fn run(cli: &Cli, args: &RehearseArgs, ambient: &Ambient) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        // One order of events for one seed, as far as files leave it to the runtime.
        .event_interval(1)
        .global_queue_interval(u32::MAX)
        .max_blocking_threads(1)
        .build()
        .map_err(anyhow::Error::from)?;
    let known = OnceCell::new();
    let done = runtime.block_on(async {
        tokio::select! {
            done = rehearse(cli, args, ambient, &known) => done,
            () = interrupted() => Ok(known.get().copied().unwrap_or(Exit::Stopped)),
        }
    });
    // What the world still does is of no interest to anybody.
    runtime.shutdown_background();
    done
}

/// Waits until somebody ends it: at the keyboard, or as a supervisor or a closed terminal does.
async fn interrupted() {
    if !stop_signal().await {
        std::future::pending::<()>().await;
    }
    talk("stopped; nothing of the rehearsal is left behind");
}

/// `known` tells how it ended while the world stays open.
async fn rehearse(
    cli: &Cli,
    args: &RehearseArgs,
    ambient: &Ambient,
    known: &OnceCell<Exit>,
) -> Result<Exit, Failure> {
    let dir = args.dir.as_deref().unwrap_or(&cli.chdir);
    let script = Script {
        vars: args.vars.clone(),
        faults: args.faults,
        fail: Arc::new(Failures::parse(&args.fail)),
        parallelism: args.parallelism,
    };
    let scene = Scene::set(dir, script, ambient)?;
    let planned = scene.plan().await?;
    let session = &planned.session;
    if !session.warnings.is_empty() {
        let sources = &session.source.sources;
        talk(&diagnostics(&session.warnings, sources, ambient.style()));
    }
    scene.can_be_rehearsed(&planned.plan)?;
    if !args.json {
        print(&render::plan::summary(&planned.plan, ambient.style()))?;
    }
    let (report, exit, unsure) = play(&scene, &planned, args.json).await?;
    if args.json {
        let line = serde_json::json!({ "type": "rehearsal", "rehearsal": report });
        print(&format!("{line}\n"))?;
    } else {
        print(&render::rehearsal::report(&report, ambient.style()))?;
    }
    if let Some(failure) = unsure {
        return Err(failure);
    }
    if let Some(address) = args.listen {
        known.set(exit).ok();
        stay_open(&scene, address).await?;
    }
    Ok(exit)
}

/// Lets people look around until they end it. From here on time passes as it does outside.
async fn stay_open(scene: &Scene, address: SocketAddr) -> Result<(), Failure> {
    tokio::time::resume();
    let open = scene.world().listen(address).await.map_err(|e| {
        Failure::refused(
            Exit::Error,
            e.to_string(),
            "give a free port of a loopback address, or none: `--listen`",
        )
    })?;
    talk("\nThe world stays open until Ctrl-C.");
    for (name, url, kubeconfig) in &open.clusters {
        let path = scene.dir().join(format!("{name}.kubeconfig"));
        crate::rehearse::write_private(&path, kubeconfig).map_err(anyhow::Error::from)?;
        let path = path.display();
        talk(&format!(
            "  cluster {name}     {url}  kubectl --kubeconfig {path} get pods -A"
        ));
    }
    std::future::pending::<()>().await;
    Ok(())
}

/// Applies the plan and asks a second plan what is left.
/// The third answer is why there is no second plan, if there is none.
async fn play(
    scene: &Scene,
    planned: &Planned,
    json: bool,
) -> Result<(Report, Exit, Option<Failure>), Failure> {
    let ambient = scene.ambient();
    let clock = ambient.doors.clock.clone();
    let began_at = clock.now();
    let heard: Arc<dyn Sink> = if json {
        print(&(render::json::version_line(began_at).to_string() + "\n"))?;
        Arc::new(render::run::JsonSink::new(clock.clone()))
    } else {
        Arc::new(render::run::TextSink::new(
            ambient.style(),
            ambient.stdout_is_terminal,
        ))
    };
    let timeline = Arc::new(Timeline::new(clock.clone(), heard));
    let store = scene.dir().join(".drplan");
    crate::apply::private_dir(&store).map_err(anyhow::Error::from)?;
    let sink = Arc::clone(&timeline) as Arc<dyn Sink>;
    let ending = scene.apply(planned, &store, REHEARSAL, sink).await;
    let ending = ending.map_err(anyhow::Error::from)?;
    let mut exit = verdict(&planned.plan, &ending.outcomes, ending.stopped);
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
    let (mut left, unsure) = match scene.left().await {
        Ok(left) => (left, None),
        Err(failure) => (Vec::new(), Some(failure)),
    };
    left.retain(|a| without.as_ref().is_none_or(|w| !w.contains(a)));
    let unmet = scene.failures_not_met();
    if exit == Exit::Ok && !(left.is_empty() && unmet.is_empty()) {
        exit = Exit::Partial;
    }
    let report = Report {
        recovery: planned.plan.head.recovery.clone(),
        began_at,
        ended_at,
        steps,
        simulated,
        answered,
        faults: scene.world().faults(),
        without,
        left,
        unmet,
        exit_code: exit.code(),
    };
    Ok((report, exit, unsure))
}
