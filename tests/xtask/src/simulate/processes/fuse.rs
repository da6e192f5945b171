//! What ends a process with SIGKILL at a point that was chosen before, seen from the listening side.

use std::process::Child;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use drplan_api::process::Program;
use drplan_sandbox::world::Fate;
use drplan_sandbox::world::Request;
use drplan_sandbox::world::Witness;

use super::super::trace::Point;

/// Counts what reaches the world, and kills whoever asks when the count is reached.
#[derive(Default)]
pub(super) struct Fuse(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    child: Option<Child>,
    point: Option<Point>,
    requests: u64,
    answers: u64,
    killed: bool,
}

impl Fuse {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a process and watches it: nothing that it asks comes before it is watched.
    pub(super) fn watch(
        &self,
        point: Option<Point>,
        start: impl FnOnce() -> std::io::Result<Child>,
    ) -> std::io::Result<()> {
        let mut kept = self.kept();
        *kept = Kept {
            child: Some(start()?),
            point,
            requests: 0,
            answers: 0,
            killed: false,
        };
        Ok(())
    }

    /// So many records are in the journal by now.
    pub(super) fn records(&self, count: u64) {
        let mut kept = self.kept();
        if matches!(kept.point, Some(Point::Record(n)) if count >= n) {
            kept.kill();
        }
    }

    /// Whether the process has ended: whether it succeeded, and whether it was killed.
    ///
    /// # Errors
    ///
    /// If nobody can tell.
    pub(super) fn ended(&self) -> std::io::Result<Option<Ended>> {
        let mut kept = self.kept();
        let status = match &mut kept.child {
            Some(child) => child.try_wait()?,
            None => None,
        };
        Ok(status.map(|status| Ended {
            code: status.code(),
            killed: kept.killed,
            requests: kept.requests,
        }))
    }
}

/// How a process that was watched ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    /// Its exit code; `None` after a signal.
    pub(super) code: Option<i32>,
    /// Whether its point was reached.
    pub(super) killed: bool,
    /// How many requests reached the world.
    pub(super) requests: u64,
}

impl Kept {
    fn reach(&mut self, point: Point) {
        if self.point == Some(point) {
            self.kill();
        }
    }

    fn kill(&mut self) {
        if let Some(child) = self.child.as_mut().filter(|_| !self.killed) {
            // SIGKILL; one that has ended by itself needs none.
            self.killed = child.try_wait().is_ok_and(|status| status.is_none());
            child.kill().ok();
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

impl Witness for Fuse {
    fn comes(&self, _: Request<'_>) -> bool {
        let mut kept = self.kept();
        if kept.killed {
            return false;
        }
        kept.requests += 1;
        let point = Point::Request(kept.requests);
        kept.reach(point);
        !kept.killed
    }

    fn leaves(&self, _: Request<'_>, fate: Fate) -> bool {
        let mut kept = self.kept();
        if kept.killed || matches!(fate, Fate::Broken) {
            return false;
        }
        kept.answers += 1;
        let point = Point::Answer(kept.answers);
        kept.reach(point);
        !kept.killed
    }

    fn starts(&self, _: &Program) -> bool {
        true
    }

    fn ends(&self, _: &Program, _: Option<i32>) {}
}
