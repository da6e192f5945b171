//! One order of events for one seed, however fast this machine is.
//!
//! Files are read by another thread. The turnstile lets it work only while the runtime has nothing else
//! to do, and lets the runtime go on only when all of that work is done.

use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::runtime::Builder;

/// Whose turn it is: the runtime's or that of its blocking work.
#[derive(Clone, Default)]
pub struct Turnstile(Arc<(Mutex<Turn>, Condvar)>);

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

    /// Waits for its turn and takes it before the runtime can take it back.
    fn begin(&self) {
        let waited = self.0.1.wait_while(self.turn(), |turn| !turn.parked);
        waited.unwrap_or_else(PoisonError::into_inner).working += 1;
    }

    /// Takes the turn back when all work is done.
    fn resume(&self) {
        let waited = self.0.1.wait_while(self.turn(), |turn| turn.working > 0);
        waited.unwrap_or_else(PoisonError::into_inner).parked = false;
    }

    /// Puts itself between a runtime of one thread and its blocking work, and pauses its time. Threads
    /// of that work end as soon as they have nothing to do, so that each burst of it passes here.
    pub fn between(&self, builder: &mut Builder) {
        let (park, unpark, start, stop) = (self.clone(), self.clone(), self.clone(), self.clone());
        builder
            .start_paused(true)
            // What other threads did is taken up only when nothing else can go on.
            .global_queue_interval(u32::MAX)
            // Who waits outside of all tasks is asked after every one of them.
            .event_interval(1)
            .max_blocking_threads(1)
            .thread_keep_alive(Duration::ZERO)
            .on_thread_park(move || park.change(|turn| turn.parked = true))
            .on_thread_unpark(move || unpark.resume())
            .on_thread_start(move || start.begin())
            .on_thread_stop(move || stop.change(|turn| turn.working -= 1));
    }

    /// Holds nobody back any more. Must be called before the runtime ends: its threads would wait here
    /// for ever.
    pub fn open(&self) {
        self.change(|turn| turn.parked = true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What happens in a runtime where a file is read beside tasks that only take turns.
    fn events() -> Vec<String> {
        let turnstile = Turnstile::default();
        let mut builder = Builder::new_current_thread();
        turnstile.between(&mut builder);
        let runtime = builder.enable_time().build().expect("a runtime");
        let seen = Arc::new(Mutex::new(Vec::new()));
        runtime.block_on(async {
            let say = |text: String| seen.lock().expect("nobody panicked").push(text);
            let reads = async {
                for n in 0..20 {
                    tokio::task::spawn_blocking(|| ()).await.expect("an end");
                    say(format!("read {n}"));
                }
            };
            let turns = async {
                for n in 0..20 {
                    std::thread::sleep(Duration::from_micros(200));
                    say(format!("turn {n}"));
                    tokio::task::yield_now().await;
                }
            };
            tokio::join!(reads, turns);
        });
        turnstile.open();
        runtime.shutdown_background();
        seen.lock().expect("nobody panicked").clone()
    }

    #[test]
    fn files_are_read_when_nothing_else_can_go_on() {
        let events = events();
        assert_eq!(
            events[..20],
            (0..20).map(|n| format!("turn {n}")).collect::<Vec<_>>()
        );
        assert_eq!(events.len(), 40);
    }
}
