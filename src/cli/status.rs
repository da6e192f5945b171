//! `drplan status`.

use drplan_api::Timestamp;
use serde_json::json;

use super::Ambient;
use super::args::Cli;
use super::args::StatusArgs;
use super::failure::Failure;
use super::holder::Holder;
use super::holder::holder;
use super::open_store;
use super::print;
use super::run::here;
use super::running::unknown;
use super::standing;
use crate::render;
use crate::report::Exit;
use crate::report::Standing;
use crate::report::State;

/// How many older runs are named.
const OLDER_MAX: usize = 10;

pub(super) async fn run(cli: &Cli, args: &StatusArgs, ambient: &Ambient) -> Result<Exit, Failure> {
    let (store, recovery) = open_store::of_spec(cli, &args.vars, ambient).await?;
    let now: Timestamp = ambient.doors.clock.now();
    let holder = holder(&store, &recovery, now).await?;
    let living = holder.as_ref().and_then(Holder::living);
    let lock = holder.as_ref().map(Holder::told);
    let runs = store.runs().await?;
    if runs.is_empty() && args.run.is_none() {
        let text = match args.json {
            true => format!("{}\n", json!({ "lock": lock, "run": null, "runs": [] })),
            false => format!("`{}` holds no run.\n", store.name()),
        };
        print(&text)?;
        return Ok(Exit::Ok);
    }
    let run = store.choose(&runs, args.run.as_deref())?;
    let stored = store.open(&run).await?;
    let mut standing = standing::of_run(
        Standing::of(&stored, living, now),
        cli,
        (&args.vars, &stored.plan),
        holder.is_some(),
    );
    let is_over = matches!(standing.state, State::Ended { exit_code: 0 });
    // Of a recovery that somebody is at work on, what runs may be theirs.
    if living.is_none() && !is_over {
        let running = open_store::still_running(&cli.chdir, &stored.plan, ambient).await;
        match running {
            Ok(running) => standing.programs = running,
            Err(error) => standing.programs_unknown = Some(unknown(&error)),
        }
    }
    let older: Vec<&String> = runs.iter().rev().filter(|r| **r != run).collect();
    let text = if args.json {
        let document = json!({ "lock": lock, "run": standing, "runs": runs });
        serde_json::to_string_pretty(&document).map_err(anyhow::Error::from)? + "\n"
    } else {
        let older = older.iter().take(OLDER_MAX).map(|r| r.as_str());
        render::status::status(&standing, lock.as_deref(), &here(), older, ambient.style())
    };
    print(&text)?;
    Ok(Exit::Ok)
}
