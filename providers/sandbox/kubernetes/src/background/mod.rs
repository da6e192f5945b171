//! What goes on by itself: one task that looks at what changed and writes what follows from it.
//!
//! The task holds the cluster only while it works, so a cluster whose last handle is dropped ends.

mod collector;
pub(crate) mod definitions;
mod namespaces;
mod reconcile;
mod roles;
mod view;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Weak;
use std::time::Duration;

use drplan_api::Timestamp;
use drplan_sandbox_controllers::Settings;
use tokio::sync::watch;

use crate::background::collector::Collector;
use crate::background::reconcile::Reconcile;
use crate::cluster::Shared;
use crate::options::User;
use crate::state::State;
use crate::store::Name;
use crate::store::ResourceId;
use crate::write::Author;

/// How long the control plane takes to notice a change. Changes in between are one.
const NOTICE_AFTER: Duration = Duration::from_millis(10);

/// The longest that the task sleeps when nothing happens: clocks of other kinds may move too.
const SLEEP_MAX: Duration = Duration::from_secs(3_600);

/// What changed since the last turn.
type Touched = BTreeSet<(ResourceId, Name)>;

/// The background work of a cluster; it ends when this is dropped.
pub(crate) struct Background {
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Background {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Starts the background work. It does not keep the cluster alive.
pub(crate) fn spawn(shared: &Arc<Shared>) -> Background {
    let changed = {
        let mut state = shared.state();
        state.touch_all();
        state.store.subscribe_all()
    };
    let weak = Arc::downgrade(shared);
    Background {
        task: tokio::spawn(run(weak, changed)),
    }
}

/// Everybody who does something by itself.
struct Workers {
    collector: Collector,
    reconcile: Reconcile,
}

async fn run(shared: Weak<Shared>, mut changed: watch::Receiver<u64>) {
    let mut workers = Workers {
        collector: Collector::default(),
        reconcile: Reconcile::new(),
    };
    loop {
        let sleep = {
            let Some(shared) = shared.upgrade() else {
                return;
            };
            changed.borrow_and_update();
            let due = workers.turn(&shared);
            until(due, shared.now())
        };
        tokio::select! {
            biased;
            changed = changed.changed() => if changed.is_err() {
                return;
            },
            () = tokio::time::sleep(sleep) => {}
        }
        tokio::time::sleep(NOTICE_AFTER).await;
    }
}

fn until(due: Option<Timestamp>, now: Timestamp) -> Duration {
    let Some(due) = due else {
        return SLEEP_MAX;
    };
    let wait = due.duration_since(now);
    Duration::try_from(wait).unwrap_or_default().min(SLEEP_MAX)
}

impl Workers {
    /// Follows everything that changed; answers when it wants to look again.
    fn turn(&mut self, shared: &Shared) -> Option<Timestamp> {
        let now = shared.now();
        let mut state = shared.state();
        let touched = state.store.take_touched();
        definitions::turn(&mut state, &touched, now);
        if !shared.options.controllers {
            return None;
        }
        namespaces::turn(&mut state, &touched, now);
        roles::turn(&mut state, &touched, now);
        self.collector.turn(&mut state, &touched, now);
        let settings: &Settings = &shared.options.settings;
        self.reconcile.turn(&mut state, &touched, settings, now)
    }
}

/// The author of a write of the control plane itself.
fn author<'a>(user: &'a User, manager: &'a str, now: Timestamp) -> Author<'a> {
    Author {
        user,
        manager,
        now,
        dry_run: false,
    }
}

/// A part of the control plane, as a user.
fn part(name: &str) -> User {
    User::new(name, &["system:masters", "system:authenticated"])
}

impl State {
    /// Counts every object as changed: whoever starts has seen none.
    fn touch_all(&mut self) {
        self.store.touch_all();
    }
}
