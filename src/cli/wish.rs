//! `drplan pause` and `drplan resume`: what somebody at another terminal wishes of a running apply.

use super::Ambient;
use super::args::Cli;
use super::args::RunArgs;
use super::failure::Failure;
use super::open_store;
use super::print;
use crate::apply::Event;
use crate::report::Exit;
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
    let (store, _) = open_store::of_spec(cli, &args.vars, ambient).await?;
    let run = store.find(args.run.as_deref()).await?;
    let stored = store.open(&run).await?;
    let last = stored.records.lines.last().map(|line| &line.record);
    if matches!(last, Some(Event::RunEnded { .. })) {
        return Err(Failure::refused(
            Exit::Usage,
            format!("run {run} has ended"),
            format!("`drplan apply --resume {run}` goes on with it"),
        ));
    }
    let wish = Wish {
        pause: wanted == Wanted::Pause,
        by: ambient.holder(),
        at: ambient.doors.clock.now(),
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
