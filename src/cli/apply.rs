//! `drplan apply`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use drplan_api::Timestamp;
use tokio::sync::watch;

use super::Ambient;
use super::args::ApplyArgs;
use super::args::Cli;
use super::consent::Approved;
use super::consent::confirm;
use super::consent::known_gates;
use super::failure::Failure;
use super::next;
use super::open_store;
use super::orders::orders;
use super::print;
use super::run::Beginning;
use super::running::tell_running;
use super::session::Session;
use super::session::applicable;
use super::session::trusted;
use super::show::given;
use super::shown::Shown;
use super::signals;
use super::talk;
use super::values;
use super::world::World;
use super::world::needs_secrets;
use super::world::world_of;
use crate::apply::Frontier;
use crate::apply::Stop;
use crate::apply::refused;
use crate::apply::taken;
use crate::plan::CLOCKS_DIFFER;
use crate::plan::Do;
use crate::plan::Plan;
use crate::render;
use crate::render::style::span;
use crate::report::Exit;
use crate::signature::Signature;
use crate::signature::Trusted;

/// Up to which age a plan is as good as a new one.
const PLAN_FRESH: Duration = Duration::from_secs(60 * 60);

/// Kinds whose programs and paths start in the folder of the spec.
const STARTS_IN_THE_FOLDER: &[&str] = &["command", "helm_release"];

/// How often `apply` without a plan file plans anew.
const ROUNDS_MAX: usize = 10;

pub(super) async fn run(cli: &Cli, args: &ApplyArgs, ambient: &Ambient) -> Result<Exit, Failure> {
    match (&args.plan, &args.resume) {
        (Some(path), _) => {
            let (plan, signature) = given(path, args.signed_by.as_deref())?;
            let plan = Arc::new(trusted(plan)?);
            decided(args)?;
            values::are_open(&plan, &args.planning.vars)?;
            if let Some(warning) = aged(&plan, ambient.doors.clock.now()) {
                talk(&warning);
            }
            elsewhere(&plan, cli)?;
            if let Some(warning) = changed(&plan, cli) {
                talk(&warning);
            }
            let world = world_of(
                cli,
                &args.planning.vars,
                &plan,
                &path.display().to_string(),
                ambient,
            )?;
            let stop = signals::stops(ambient)?;
            let given = (plan, signature);
            once(cli, args, ambient, &world, given, Shown::default(), stop).await
        }
        (None, Some(run)) => resume(cli, args, run, ambient).await,
        (None, None) if args.signed_by.is_some() => Err(Failure::refused(
            Exit::Usage,
            "`--signed-by` needs a plan that is signed already",
            "name a plan file, or a run with `--resume`",
        )),
        (None, None) => until_nothing_is_left(cli, args, ambient).await,
    }
}

/// Refuses a plan whose programs would run in a folder that is not the spec's, unless a person names that
/// folder; where none runs, it only says so.
fn elsewhere(plan: &Plan, cli: &Cli) -> Result<(), Failure> {
    let dir = &cli.chdir;
    let mut files = plan.head.spec.keys();
    let Some(missing) = files.find(|file| !dir.join(file).exists()) else {
        return Ok(());
    };
    let what = format!(
        "`{missing}`, which the plan was made from, is not in `{}`",
        dir.display()
    );
    let hint = format!(
        "name the folder of the spec, or of a copy, with `--chdir`; `--chdir {}` says that it is this one",
        dir.display()
    );
    let mut starting = plan
        .steps
        .iter()
        .filter(|s| STARTS_IN_THE_FOLDER.contains(&&*s.kind));
    match starting.next().filter(|_| !cli.is_chdir_given) {
        Some(step) => Err(Failure::refused(
            Exit::Refused,
            format!(
                "{what}: programs and paths of `{}` start there",
                step.address
            ),
            hint,
        )),
        None => {
            talk(&format!(
                "warning: {what}: programs and relative paths start there"
            ));
            Ok(())
        }
    }
}

/// Says that the spec is not what it was when the plan was made. Apply does what the plan says, no more and no less.
fn changed(plan: &Plan, cli: &Cli) -> Option<String> {
    let is_other = |(file, was): &(&String, &String)| {
        let now = crate::spec::digest_of(&cli.chdir.join(file));
        now.is_some_and(|now| now != **was)
    };
    let (file, _) = plan.head.spec.iter().find(is_other)?;
    Some(format!(
        "warning: `{file}` has changed since the plan was made, and what came since is not in it; `drplan plan` makes a \
         new one"
    ))
}

/// Says that a plan is old. Each step looks again before it acts, but a recovery point that was chosen
/// then stays chosen.
fn aged(plan: &Plan, now: Timestamp) -> Option<String> {
    let age_s = now.duration_since(plan.head.observed_at).as_secs();
    let ahead_s = u64::try_from(-age_s).unwrap_or_default();
    if ahead_s > CLOCKS_DIFFER.as_secs() {
        return Some(format!(
            "warning: by the clock of this machine the plan was made {} from now: this clock, or the one that it was \
             made by, is wrong, and nobody can tell how old the plan is or what is lost by now",
            span(ahead_s)
        ));
    }
    let age_s = u64::try_from(age_s).unwrap_or_default();
    if age_s < PLAN_FRESH.as_secs() {
        return None;
    }
    let mut text = format!(
        "warning: this plan was made from what was there {} ago; a newer backup is not in it",
        span(age_s)
    );
    let lost = plan
        .points
        .iter()
        .filter(|p| p.used)
        .map(|p| p.loss_s)
        .max();
    let lost = lost.filter(|_| plan.head.incident_at.is_none());
    if let Some((lost_s, rpo_s)) = lost.zip(plan.head.rpo_s)
        && lost_s + age_s > rpo_s
    {
        let _ = write!(
            text,
            ": what was written in the last {} is lost by now, MORE than the objective {}",
            span(lost_s + age_s),
            span(rpo_s)
        );
    }
    Some(text)
}

/// Plans and applies until a plan has nothing left, or something needs a person.
async fn until_nothing_is_left(
    cli: &Cli,
    args: &ApplyArgs,
    ambient: &Ambient,
) -> Result<Exit, Failure> {
    if args.json && !args.auto_approve {
        return Err(Failure::refused(
            Exit::Usage,
            "`apply --json` cannot ask whether to start",
            "give a plan file or `--auto-approve`",
        ));
    }
    let mut approved = Approved::default();
    let shown = Shown::default();
    let mut exit = Exit::Ok;
    // Until something runs, a signal ends the process, as that of `plan`.
    let mut stop = None;
    let mut planning = args.planning.clone();
    for round in 0..ROUNDS_MAX {
        let session = Session::open(&cli.chdir, &args.planning.vars, ambient)?;
        let plan = tokio::select! {
            plan = session.plan(&planning, ambient, false) => plan?,
            () = signals::asked(stop.as_ref()) => return Ok(Exit::Stopped),
        };
        applicable(&plan)?;
        let checks = plan
            .steps
            .iter()
            .any(|s| matches!(s.what, Do::Check { .. }));
        // After a stale step, the checks behind it have not been asked.
        let is_checked = round > 0 && exit == Exit::Ok;
        // What an earlier run began and is true already is waited for all the same.
        let running = open_store::still_running(&cli.chdir, &plan, ambient).await;
        // Where that cannot be read, the steps of the first run have looked themselves.
        let may_run = running.as_ref().map_or(round == 0, |r| !r.is_empty());
        if plan.is_empty() && (is_checked || !checks) && !may_run {
            nothing_left(&plan, round, args.json, ambient)?;
            return Ok(Exit::Ok);
        }
        if !args.json {
            if round > 0 {
                print("\nSomething is left; a new plan:\n\n")?;
            }
            print(&render::plan::summary(&plan, ambient.style()))?;
        }
        tell_running(&running);
        // A mistake in an option shows before anybody is asked.
        known_gates(&plan, &args.approve)?;
        orders(&args.orders, &plan)?;
        let within = round > 0 && approved.covers(&plan);
        if !args.auto_approve && !plan.is_empty() && !within {
            confirm(&plan, ambient)?;
        }
        approved.add(&plan);
        shown.note(&plan);
        let args = &ApplyArgs {
            approve: shown.counting(&args.approve),
            ..args.clone()
        };
        let world = World::from(session);
        let heard = match &stop {
            Some(stop) => watch::Receiver::clone(stop),
            None => signals::stops(ambient)?,
        };
        stop = Some(heard.clone());
        let made = (Arc::new(plan), None);
        exit = once(cli, args, ambient, &world, made, shown.clone(), heard).await?;
        // What failed or waits needs a person; what moved, or came to light, only a new plan. Where
        // something should be done once more, nobody but a person knows whether it was.
        let is_unsure = exit == Exit::Stale && !planning.redo.is_empty();
        if !matches!(exit, Exit::Ok | Exit::Stale) || is_unsure {
            return Ok(exit);
        }
        // It has been done again.
        planning.redo.clear();
    }
    talk(&format!(
        "there is still something to do after {ROUNDS_MAX} plans; nothing more is tried"
    ));
    Ok(Exit::Partial)
}

fn nothing_left(plan: &Plan, round: usize, json: bool, ambient: &Ambient) -> Result<(), Failure> {
    match (round, json) {
        (0, true) => nothing_to_do(plan, ambient.doors.clock.now()),
        (0, false) => print(&render::plan::summary(plan, ambient.style())),
        (_, true) => Ok(()),
        (_, false) if plan.is_part() => {
            print("A second plan of this part has nothing left to do.\n")
        }
        (_, false) => print("A second plan has nothing left to do.\n"),
    }
}

async fn once(
    cli: &Cli,
    args: &ApplyArgs,
    ambient: &Ambient,
    world: &World,
    (plan, signature): (Arc<Plan>, Option<Signature>),
    shown: Shown,
    stop: watch::Receiver<Stop>,
) -> Result<Exit, Failure> {
    ready(&plan, world, args)?;
    let orders = orders(&args.orders, &plan)?;
    let store = open_store::of_plan(&plan, &world.observer, &cli.chdir).await?;
    let beginning = Beginning {
        again: next::again(cli, args, &orders.taken, &plan),
        orders,
        plan,
        signature,
        resumed: None,
        refused: BTreeSet::new(),
        store,
        shown,
        stop,
    };
    super::run::run(cli, args, ambient, world, beginning).await
}

/// Whether a plan has all that it needs to begin.
fn ready(plan: &Plan, world: &World, args: &ApplyArgs) -> Result<(), Failure> {
    applicable(plan)?;
    needs_secrets(plan, &world.secrets)?;
    known_gates(plan, &args.approve)
}

/// Goes on with a run: with its plan, and with the answers that were given.
async fn resume(
    cli: &Cli,
    args: &ApplyArgs,
    wanted: &str,
    ambient: &Ambient,
) -> Result<Exit, Failure> {
    decided(args)?;
    let (store, recovery) = open_store::of_spec(cli, &args.planning.vars, ambient).await?;
    let run = store.find(Some(wanted)).await?;
    let stored = store.open(&run).await?;
    if stored.has_ended_well() {
        return Err(Failure::refused(
            Exit::Usage,
            format!("run {run} has ended, and nothing of it is left"),
            "`drplan plan` says what there is to do now",
        ));
    }
    let by = args.signed_by.as_deref().map(Trusted::read).transpose()?;
    let kept = store.texts(&run).await?.plan;
    let name = format!("the plan of run {run}");
    let (plan, signature) = crate::plan::parse_signed(&kept, &name, by.as_ref())?;
    let plan = Arc::new(trusted(plan)?);
    of_this_recovery(&run, &plan, &recovery, cli)?;
    values::are_open(&plan, &args.planning.vars)?;
    elsewhere(&plan, cli)?;
    if let Some(warning) = changed(&plan, cli) {
        talk(&warning);
    }
    let world = world_of(cli, &args.planning.vars, &plan, &run, ambient)?;
    ready(&plan, &world, args)?;
    let mut orders = orders(&args.orders, &plan)?;
    orders.taken.and_before(taken(&stored.records.lines));
    // The lock lies where the plan says, whatever has become of the spec.
    let store = open_store::of_plan(&plan, &world.observer, &cli.chdir).await?;
    let beginning = Beginning {
        // What failed is tried again by who goes on once more.
        again: next::resume(cli, args, &orders.taken, &plan, &run),
        orders,
        plan,
        signature,
        resumed: Some(run),
        refused: refused(&stored.records.lines),
        store,
        // The run knows what it asked.
        shown: Shown::default(),
        stop: signals::stops(ambient)?,
    };
    super::run::run(cli, args, ambient, &world, beginning).await
}

/// Refuses a run of another recovery than that of the spec, where that can be told: one place may keep the
/// runs of several, and the programs of each start in its own folder.
fn of_this_recovery(run: &str, plan: &Plan, spec: &str, cli: &Cli) -> Result<(), Failure> {
    let ran = &plan.head.recovery;
    if spec.is_empty() || spec == ran {
        return Ok(());
    }
    Err(Failure::refused(
        Exit::Refused,
        format!(
            "run {run} is one of recovery `{ran}`, and the spec in `{}` is that of `{spec}`: its programs and paths \
             start in the folder of its own spec",
            cli.chdir.display()
        ),
        format!("go to the folder of the spec of `{ran}`, or name it with `--chdir DIR`"),
    ))
}

/// What a plan rests on was decided when it was made.
fn decided(args: &ApplyArgs) -> Result<(), Failure> {
    let planning = &args.planning;
    if planning.decides() {
        return Err(Failure::refused(
            Exit::Usage,
            "a saved plan is decided already",
            "leave out `--lost`, `--incident-at`, `--accept`, `--redo` and the like, or plan again with them",
        ));
    }
    Ok(())
}

/// The frame of an event stream without a run in it.
fn nothing_to_do(plan: &Plan, at: Timestamp) -> Result<(), Failure> {
    let frontier = Frontier {
        done: plan
            .steps
            .iter()
            .filter(|s| s.what == Do::Nothing)
            .map(|s| s.address.clone())
            .collect(),
        ..Frontier::default()
    };
    let version = render::json::version_line(at);
    let summary = render::json::summary_line(at, 1, Exit::Ok.code(), &frontier, "");
    print(&format!("{version}\n{summary}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::memory::Case;

    #[tokio::test(start_paused = true)]
    async fn a_plan_that_is_old_or_comes_from_the_future_is_applied_with_a_warning() {
        let plan = Case::new("resource \"thing\" \"a\" {\n  value = 1\n}\n")
            .plan()
            .await;
        let at = |seconds: i64| {
            let made = plan.head.observed_at;
            let now = made.checked_add(jiff::SignedDuration::from_secs(seconds));
            aged(&plan, now.expect("a time"))
        };
        for seconds in [-60, 0, 3599] {
            assert_eq!(at(seconds), None, "{seconds}");
        }
        let ahead = at(-3600).expect("a warning");
        assert!(ahead.contains("made 1h from now"), "{ahead}");
        let old = at(7200).expect("a warning");
        assert!(old.contains("2h ago"), "{old}");
    }
}
