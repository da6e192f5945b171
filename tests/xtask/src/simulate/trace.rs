//! What happened in a simulated life, in one order: events of the engine, requests that reached the
//! world, programs that started. And the fuse, which ends a run at a point that was chosen before.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use drplan::apply::Event;
use drplan::apply::Sink;
use drplan_api::Clock;
use drplan_api::process::Program;
use drplan_sandbox::world::Fate;
use drplan_sandbox::world::Request;
use drplan_sandbox::world::Witness;
use tokio::sync::Notify;

use super::entry::Asked;
use super::entry::Entry;
use super::entry::Ran;
use super::entry::What;

/// Where a run ends before its time, counted within the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Point {
    /// Right after this record of the journal: what follows it never leaves.
    Record(u64),
    /// Right before this request reaches its server.
    Request(u64),
    /// Right when this answer is about to leave: what was asked for is done, and nobody hears of it.
    Answer(u64),
}

/// Whose answers are lost in a life, counted from 1.
#[derive(Clone, Debug, Default)]
pub(super) struct Lost {
    /// Requests that change something.
    pub(super) writes: BTreeSet<u64>,
    /// Those of them that make something new.
    pub(super) creations: BTreeSet<u64>,
}

/// Keeps what happens, and burns through at the point that the run was given.
pub(super) struct Trace {
    clock: Clock,
    lost: Lost,
    kept: Mutex<Kept>,
    burnt: Notify,
}

#[derive(Default)]
struct Kept {
    entries: Vec<Entry>,
    run: usize,
    records: u64,
    requests: u64,
    answers: u64,
    sent: u64,
    writes: u64,
    creations: u64,
    point: Option<Point>,
    cut: bool,
}

impl Trace {
    pub(super) fn new(clock: Clock, lost: Lost) -> Arc<Self> {
        Arc::new(Self {
            clock,
            lost,
            kept: Mutex::default(),
            burnt: Notify::new(),
        })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A run begins, which ends at a point if one is given.
    pub(super) fn begin(&self, run: usize, point: Option<Point>) {
        let mut kept = self.kept();
        (kept.run, kept.records, kept.requests, kept.answers) = (run, 0, 0, 0);
        (kept.point, kept.cut) = (point, false);
        self.keep(&mut kept, What::Began);
    }

    /// Waits until the point is reached; then nothing of the run reaches the world any more.
    pub(super) async fn burnt(&self) {
        self.burnt.notified().await;
    }

    /// Whether the point is reached, be it with the last that the run did.
    pub(super) fn is_cut(&self) -> bool {
        self.kept().cut
    }

    /// The run is gone; the world answers again.
    pub(super) fn after_crash(&self) {
        let mut kept = self.kept();
        (kept.point, kept.cut) = (None, false);
    }

    /// Records and requests of the current run.
    pub(super) fn counts(&self) -> (u64, u64) {
        let kept = self.kept();
        (kept.records, kept.requests)
    }

    /// How many requests reached the world in all runs.
    pub(super) fn sent(&self) -> u64 {
        self.kept().sent
    }

    /// How many of them changed something, and how many made something new.
    pub(super) fn writes(&self) -> (u64, u64) {
        let kept = self.kept();
        (kept.writes, kept.creations)
    }

    /// All that happened.
    pub(super) fn entries(&self) -> Vec<Entry> {
        self.kept().entries.clone()
    }

    fn keep(&self, kept: &mut Kept, what: What) {
        let entry = Entry {
            at: self.clock.now(),
            run: kept.run,
            what,
        };
        kept.entries.push(entry);
    }

    fn reach(&self, kept: &mut Kept, point: Point) {
        if kept.point == Some(point) {
            kept.cut = true;
            self.keep(kept, What::Crashed);
            self.burnt.notify_one();
        }
    }
}

impl Sink for Trace {
    fn hear(&self, _: u64, event: &Event) {
        let mut kept = self.kept();
        self.keep(&mut kept, What::Event(event.clone()));
        if event.is_record() {
            kept.records += 1;
            let point = Point::Record(kept.records);
            self.reach(&mut kept, point);
        }
    }
}

impl Witness for Trace {
    fn comes(&self, request: Request<'_>) -> bool {
        let mut kept = self.kept();
        if kept.cut {
            return false;
        }
        kept.requests += 1;
        kept.sent += 1;
        let point = Point::Request(kept.requests);
        self.reach(&mut kept, point);
        if !kept.cut {
            self.keep(&mut kept, What::Came(Asked::of(request)));
        }
        !kept.cut
    }

    fn leaves(&self, request: Request<'_>, fate: Fate) -> bool {
        let mut kept = self.kept();
        let asked = Asked::of(request);
        let status = match fate {
            Fate::Broken => {
                self.keep(&mut kept, What::Broke(asked));
                return false;
            }
            Fate::Lost(status) | Fate::Answered(status) => status.as_u16(),
        };
        let write = asked.changes() && status < 300;
        let creation = write && asked.method == "POST";
        kept.writes += u64::from(write);
        kept.creations += u64::from(creation);
        let chosen = (write && self.lost.writes.contains(&kept.writes))
            || (creation && self.lost.creations.contains(&kept.creations));
        if chosen || matches!(fate, Fate::Lost(_)) {
            self.keep(&mut kept, What::Lost(asked, status));
            return !chosen && !kept.cut;
        }
        self.keep(&mut kept, What::Left(asked, status));
        if !kept.cut {
            kept.answers += 1;
            let point = Point::Answer(kept.answers);
            self.reach(&mut kept, point);
        }
        !kept.cut
    }

    fn starts(&self, program: &Program) -> bool {
        let mut kept = self.kept();
        if !kept.cut {
            self.keep(&mut kept, What::Starts(Ran::of(program)));
        }
        !kept.cut
    }

    fn ends(&self, program: &Program, code: Option<i32>) {
        let mut kept = self.kept();
        self.keep(&mut kept, What::Ends(Ran::of(program), code));
    }
}
