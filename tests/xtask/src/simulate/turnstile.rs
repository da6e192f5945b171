//! Lets blocking work run only while the runtime has nothing else to do, and the runtime go on only
//! when all of it is done. Files are read by another thread; without this, how fast it is would
//! decide what happens first.

use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::runtime::Builder;

/// Whose turn it is.
#[derive(Clone, Default)]
pub(super) struct Turnstile(Arc<(Mutex<Turn>, Condvar)>);

#[derive(Default)]
struct Turn {
    /// Whether the runtime waits.
    parked: bool,
    /// How many threads do blocking work.
    working: usize,
}

impl Turnstile {
    fn change(&self, change: impl FnOnce(&mut Turn)) {
        change(&mut self.turn());
        self.0.1.notify_all();
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while(&self, condition: impl FnMut(&mut Turn) -> bool) {
        let waited = self.0.1.wait_while(self.turn(), condition);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Puts itself between a runtime and its blocking work. Threads of that end as soon as they have
    /// nothing to do, so that each burst of work passes here.
    pub(super) fn between(&self, builder: &mut Builder) {
        let (park, unpark, start, stop) = (self.clone(), self.clone(), self.clone(), self.clone());
        builder
            .max_blocking_threads(1)
            .thread_keep_alive(Duration::ZERO)
            .on_thread_park(move || park.change(|turn| turn.parked = true))
            .on_thread_unpark(move || {
                unpark.wait_while(|turn| turn.working > 0);
                unpark.change(|turn| turn.parked = false);
            })
            .on_thread_start(move || {
                start.wait_while(|turn| !turn.parked);
                start.change(|turn| turn.working += 1);
            })
            .on_thread_stop(move || stop.change(|turn| turn.working -= 1));
    }

    /// Holds nobody back any more.
    pub(super) fn open(&self) {
        self.change(|turn| turn.parked = true);
    }
}
