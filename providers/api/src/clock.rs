//! What time it is, for whoever acts.
//!
//! Planning takes the time as an input. Actions, servers and reports ask a [`Clock`], so that a
//! rehearsal can let an hour pass in a moment. Waiting is tokio's; a clock only tells.

use std::fmt;
use std::sync::Arc;

use crate::Timestamp;

/// Tells the time.
#[derive(Clone)]
pub struct Clock {
    tell: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Whether it follows the time of one runtime.
    bound: bool,
}

impl Clock {
    /// The time of this machine.
    #[must_use]
    pub fn system() -> Self {
        Self::told_by(Timestamp::now)
    }

    /// The time that a function tells.
    pub fn told_by(tell: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self {
            tell: Arc::new(tell),
            bound: false,
        }
    }

    /// A clock that shows `start` now and goes as fast as tokio's: in virtual time where that is
    /// paused. It must be made inside the runtime whose time it shall follow.
    #[must_use]
    pub fn starting_at(start: Timestamp) -> Self {
        let began = tokio::time::Instant::now();
        Self {
            bound: true,
            ..Self::told_by(move || start.checked_add(began.elapsed()).unwrap_or(Timestamp::MAX))
        }
    }

    /// Whether it follows the time of one runtime: then it tells nothing of use in other threads.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        self.bound
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.tell)()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_started_clock_follows_virtual_time() {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
        let clock = Clock::starting_at(start);
        tokio::time::sleep(Duration::from_secs(3600)).await;
        let hour = clock.now().duration_since(start);
        assert_eq!(hour.as_secs(), 3600);
    }
}
