//! The provider's restore while the server and the programs are in trouble.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::provider::driver;
use crate::world::World;
use drplan_sandbox_postgres::Interruption;
use drplan_sandbox_postgres::Troubles;
use drplan_sandbox_postgres::Unready;
use serde_json::json;

/// What goes wrong once, and what could have.
#[derive(Default)]
struct Once {
    statement: Mutex<Option<(String, Interruption)>>,
    connect: Mutex<Option<Unready>>,
    restore: Mutex<Option<f64>>,
    seen: Mutex<BTreeSet<String>>,
}

fn set<T>(place: &Mutex<T>, value: T) {
    *place.lock().unwrap_or_else(PoisonError::into_inner) = value;
}

impl Troubles for Once {
    fn on_connect(&self) -> Option<Unready> {
        let mut connect = self.connect.lock().unwrap_or_else(PoisonError::into_inner);
        connect.take()
    }

    fn on_statement(&self, what: &str) -> Option<Interruption> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(what.to_owned());
        let mut next = self
            .statement
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let met = next.take_if(|(name, _)| name == what);
        met.map(|(_, interruption)| interruption)
    }

    fn on_restore(&self) -> Option<f64> {
        let mut restore = self.restore.lock().unwrap_or_else(PoisonError::into_inner);
        restore.take()
    }
}

/// Restores the shop in a world in which things go wrong once it has begun.
async fn restored(begin: impl FnOnce(&Once)) -> Arc<Once> {
    let once = Arc::new(Once::default());
    let troubles = Arc::clone(&once);
    let world = World::with(|options| *options = options.clone().troubled(troubles));
    let driver = driver(&world, json!({})).await;
    begin(&once);
    driver.apply().await;
    let all: BTreeSet<String> = world.server.databases().into_iter().collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    // No staging database is left behind, whatever went wrong.
    assert_eq!(all, ["postgres", "shop", "template0", "template1"]);
    once
}

#[tokio::test(start_paused = true)]
async fn a_restore_comes_through_whatever_breaks_at_whichever_statement() {
    let calm = restored(|_| {}).await;
    let names = calm
        .seen
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let commits = names.iter().any(|name| name.contains("Commit"));
    assert!(commits && names.contains("psql finishes"), "{names:?}");
    for name in names {
        for interruption in [
            Interruption::ResetBefore,
            Interruption::ResetAfter,
            Interruption::Terminated,
        ] {
            let trouble = Some((name.clone(), interruption));
            let once = restored(|once| set(&once.statement, trouble)).await;
            let left = once
                .statement
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            assert_eq!(*left, None, "{name} was not asked any more");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_pg_restore_that_dies_in_the_middle_is_begun_again_from_nothing() {
    for part in [0.0, 0.5, 1.0] {
        let once = restored(|once| set(&once.restore, Some(part))).await;
        let left = once.restore.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(*left, None, "it was killed");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_about_to_start_is_waited_for() {
    let once = restored(|once| set(&once.connect, Some(Unready::Starting))).await;
    let left = once.connect.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(*left, None);
}
