//! Who may apply now: the lock of a recovery, from outside and from inside.

use std::sync::Arc;
use std::time::Duration;

use drplan_api::Timestamp;

use super::Ambient;
use super::failure::Failure;
use super::run::within;
use super::talk;
use crate::apply::Hold;
use crate::plan::Plan;
use crate::store::Claim;
use crate::store::Lease;
use crate::store::LeaseError;
use crate::store::Lock;
use crate::store::RunStore;
use crate::store::held;

/// How often a lock of this machine is tried.
const TRIED_EVERY: Duration = Duration::from_secs(1);
/// After how long a person hears what is waited for.
const TOLD_AFTER: Duration = Duration::from_secs(1);

/// Keeps other applies of the recovery away, and says for whom it waits. The folder of a store on this machine is there
/// already.
pub(super) async fn alone(
    store: &RunStore,
    plan: &Plan,
    run: &str,
    patience: Duration,
    ambient: &Ambient,
) -> Result<Hold, Failure> {
    let taken = taken(store, plan, run, patience, ambient);
    tokio::pin!(taken);
    tokio::select! {
        biased;
        hold = &mut taken => return hold,
        () = tokio::time::sleep(TOLD_AFTER), if !patience.is_zero() => {}
    }
    let (recovery, now) = (&plan.head.recovery, ambient.doors.clock.now());
    // Who it is cannot be read by everybody who may wait.
    let holder = holder(store, recovery, now).await.ok().flatten();
    let who = holder.map_or_else(|| "another apply".to_owned(), |holder| holder.told());
    talk(&format!(
        "waiting for the lock of this recovery, {} s at most: held by {who}",
        patience.as_secs()
    ));
    taken.await
}

async fn taken(
    store: &RunStore,
    plan: &Plan,
    run: &str,
    patience: Duration,
    ambient: &Ambient,
) -> Result<Hold, Failure> {
    let holder = ambient.holder();
    match store {
        RunStore::Folder(dir) => {
            let about = format!("run {run} of {holder}");
            let until = tokio::time::Instant::now() + patience;
            loop {
                match Lock::take(&dir.join("lock"), &about) {
                    Ok(lock) => return Ok(Hold::Machine(lock)),
                    Err(error) if tokio::time::Instant::now() >= until => return Err(error.into()),
                    Err(_) => tokio::time::sleep(TRIED_EVERY).await,
                }
            }
        }
        RunStore::Shared(store) => {
            let claim = Claim {
                recovery: plan.head.recovery.clone(),
                run: run.to_owned(),
                holder,
                patience,
            };
            let clock = ambient.doors.clock.clone();
            let uptime = Arc::clone(&ambient.uptime);
            let lease = Lease::take(Arc::clone(store), claim, clock, uptime).await?;
            Ok(Hold::Everywhere(lease))
        }
    }
}

/// Who has the lock, or had it last; `run` by `holder` is who lost it.
pub(super) async fn taker(
    store: &RunStore,
    plan: &Plan,
    run: &str,
    holder: &str,
) -> Option<String> {
    let RunStore::Shared(store) = store else {
        return None;
    };
    let held = held(&**store, &plan.head.recovery);
    let held = within(true, held).await?.ok().flatten();
    let (held, _) = held?;
    Some(
        match (held.run == run && held.holder == holder, held.released) {
            (true, true) => "somebody gave it back with `drplan unlock`".to_owned(),
            // Ours still: it could not be renewed in time.
            (true, false) => return None,
            (false, true) => format!("{}, which has ended", held.about()),
            (false, false) => held.about(),
        },
    )
}

/// Who holds the lock of a recovery.
pub(super) struct Holder {
    about: String,
    /// Whether nothing was heard of it for longer than a lock lives.
    is_silent: bool,
}

impl Holder {
    /// Says who it is.
    pub(super) fn about(&self) -> &str {
        &self.about
    }

    /// Whether it seems to be dead by the clock of this machine, which may be wrong.
    pub(super) fn is_silent(&self) -> bool {
        self.is_silent
    }

    /// Says who it is, unless it seems to be dead.
    pub(super) fn living(&self) -> Option<&str> {
        (!self.is_silent).then_some(self.about.as_str())
    }

    /// Says who it is, and whether it seems to be dead.
    pub(super) fn told(&self) -> String {
        match self.is_silent {
            true => format!(
                "{}; not renewed for longer than it lives by the clock of this machine: whoever held it seems to be dead",
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
            let held = held(&**store, recovery).await.map_err(LeaseError::from)?;
            Ok(held
                .filter(|(held, _)| !held.released)
                .map(|(held, _)| Holder {
                    about: held.about(),
                    is_silent: held.is_silent(now),
                }))
        }
    }
}
