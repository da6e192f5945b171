//! `drplan pause` and `drplan resume`: what somebody at another terminal wishes of a running apply.

use super::Ambient;
use super::args::Cli;
use super::args::RunArgs;
use super::failure::Failure;
use super::open_store;
use super::print;
use super::status::Holder;
use super::status::holder;
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
    let living = holder.as_ref().and_then(Holder::living);
    let over = match Standing::of(&stored, living, now).state {
        State::Running | State::Paused { .. } => None,
        State::Ended { exit_code: 0 } => Some(("has ended, and nothing of it is left", false)),
        State::Ended { .. } => Some(("has ended", true)),
        State::Died => Some(("has died: it did not end, and nothing goes on", true)),
    };
    if let Some((what, goes_on)) = over {
        let hint = match goes_on {
            true => format!("`drplan apply --resume {run}` goes on with it"),
            false => "`drplan plan` says what there is to do now".to_owned(),
        };
        let what = format!("run {run} {what}");
        return Err(Failure::refused(Exit::Usage, what, hint));
    }
    let wish = Wish {
        pause: wanted == Wanted::Pause,
        by: ambient.holder(),
        at: now,
    };
    store.set_wish(&run, &wish).await?;
    print(&match wanted {
        Wanted::Pause => format!(
            "Run {run} begins nothing new from now on; what runs goes on. `drplan resume {run}` lets it go on.\n"
        ),
        Wanted::GoOn => format!("Run {run} goes on.\n"),
    })?;
    Ok(Exit::Ok)
}
