//! `drplan status`.

use drplan_api::Timestamp;
use serde_json::json;

use super::Ambient;
use super::args::Cli;
use super::args::StatusArgs;
use super::failure::Failure;
use super::open_store;
use super::print;
use crate::render;
use crate::report::Exit;
use crate::report::Standing;
use crate::store::Lock;
use crate::store::RunStore;
use crate::store::held;

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
    let standing = Standing::of(&stored, living, now);
    let older: Vec<&String> = runs.iter().rev().filter(|r| **r != run).collect();
    let text = if args.json {
        let document = json!({ "lock": lock, "run": standing, "runs": runs });
        serde_json::to_string_pretty(&document).map_err(anyhow::Error::from)? + "\n"
    } else {
        let older = older.iter().take(OLDER_MAX).map(|r| r.as_str());
        render::status::status(&standing, lock.as_deref(), older, ambient.style())
    };
    print(&text)?;
    Ok(Exit::Ok)
}

/// Who holds the lock of a recovery.
pub(super) struct Holder {
    about: String,
    /// Whether nothing was heard of it for longer than a lock lives.
    is_silent: bool,
}

impl Holder {
    /// Says who it is, unless it seems to be dead.
    pub(super) fn living(&self) -> Option<&str> {
        (!self.is_silent).then_some(self.about.as_str())
    }

    /// Says who it is.
    pub(super) fn told(&self) -> String {
        match self.is_silent {
            true => format!(
                "{}; not renewed for longer than it lives: whoever held it seems to be dead",
                self.about
            ),
            false => self.about.clone(),
        }
    }
}

/// Who applies now, if anybody does.
pub(super) async fn holder(
    store: &RunStore,
    recovery: &str,
    now: Timestamp,
) -> Result<Option<Holder>, Failure> {
    match store {
        RunStore::Folder(dir) => {
            let about = Lock::holder(&dir.join("lock"))?;
            Ok(about.map(|about| Holder {
                about,
                is_silent: false,
            }))
        }
        RunStore::Shared(store) => {
            let held = held(&**store, recovery).await;
            let held = held.map_err(anyhow::Error::from)?;
            Ok(held
                .filter(|(held, _)| !held.released)
                .map(|(held, _)| Holder {
                    about: held.about(),
                    is_silent: held.is_silent(now),
                }))
        }
    }
}
