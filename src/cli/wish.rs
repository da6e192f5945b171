//! `drplan pause` and `drplan resume`: what somebody at another terminal wishes of a running apply.

use super::Ambient;
use super::args::Cli;
use super::args::RunArgs;
use super::failure::Failure;
use super::holder::Holder;
use super::holder::holder;
use super::open_store;
use super::print;
use super::run::here;
use super::standing;
use super::talk;
use super::words::Words;
use crate::apply::Frontier;
use crate::report::Exit;
use crate::report::Standing;
use crate::report::State;
use crate::store::Wish;

/// What is wished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Pause,
    GoOn,
}

pub(super) async fn run(
    cli: &Cli,
    args: &RunArgs,
    ambient: &Ambient,
    wanted: Wanted,
) -> Result<Exit, Failure> {
    let (store, recovery) = open_store::of_spec(cli, &args.vars, ambient).await?;
    let run = store.find(args.run.as_deref()).await?;
    let stored = store.open(&run).await?;
    let now = ambient.doors.clock.now();
    let holder = holder(&store, &recovery, now).await?;
    // A clock that is ahead makes who lives seem dead, and a wish does the dead no harm.
    let about = holder.as_ref().map(Holder::about);
    let standing = Standing::of(&stored, about, now);
    let over = match standing.state {
        State::Running | State::Paused { .. } => None,
        State::Ended { exit_code: 0 } => Some("has ended, and nothing of it is left"),
        State::Ended { .. } => Some("has ended"),
        State::Died => Some("has died: it did not end"),
    };
    if let Some(what) = over {
        let told = (&args.vars, &stored.plan);
        let standing = standing::of_run(standing, cli, told, holder.is_some());
        let what = format!("run {run} {what}");
        return Err(Failure::refused(Exit::Usage, what, way_on(&standing)));
    }
    let wish = Wish {
        pause: wanted == Wanted::Pause,
        by: ambient.holder(),
        at: now,
    };
    store.set_wish(&run, &wish).await?;
    let resume = Words::new(cli, &["resume", &run]).vars(&args.vars, &stored.plan);
    print(&match wanted {
        Wanted::Pause => format!(
            "Run {run} begins nothing new from now on; what runs goes on. `{}` lets it go on.\n",
            resume.text()
        ),
        Wanted::GoOn => format!("Run {run} goes on.\n"),
    })?;
    if holder.as_ref().is_some_and(Holder::is_silent) {
        talk(
            "by the clock of this machine the run has not renewed its lock for longer than that lives: it \
             may be dead; if it is not, this clock is wrong",
        );
    }
    Ok(Exit::Ok)
}

/// How a person goes on with a run that goes on no more.
fn way_on(standing: &Standing) -> String {
    let Frontier { next, from, .. } = &standing.frontier;
    match (next.as_str(), from.as_str()) {
        ("", _) => "`drplan plan` says what there is to do now".to_owned(),
        (next, from) if from.is_empty() || from == here() => format!("`{next}` goes on"),
        (next, from) => format!("`{next}` goes on, in `{from}`"),
    }
}
