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
use drplan_api::Timestamp;
use drplan_sandbox::world::Request;
use drplan_sandbox::world::Witness;
use serde::Serialize;
use tokio::sync::Notify;

/// Where a run ends before its time, counted within the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
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

/// One thing that happened.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Entry {
    /// When, by the world's clock.
    pub(super) at: Timestamp,
    /// In which run.
    pub(super) run: usize,
    /// What.
    pub(super) what: What,
}

/// What happened.
#[derive(Clone, Debug, Serialize)]
pub(super) enum What {
    /// A run began, with planning.
    Began,
    /// The engine said so.
    Event(Event),
    /// A request reached a server.
    Came(Asked),
    /// It was served with this status.
    Left(Asked, u16),
    /// It was served, and its answer was lost on purpose.
    Lost(Asked, u16),
    /// A program started.
    Program(Vec<String>),
    /// The run was cut off.
    Crashed,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Asked {
    /// The host.
    pub(super) host: String,
    /// The method.
    pub(super) method: String,
    /// Path and query.
    pub(super) target: String,
}

impl Asked {
    /// Whether it changes something where it is carried out. Reviews and trials do not.
    fn changes(&self) -> bool {
        let reads = ["GET", "HEAD"].contains(&self.method.as_str());
        let tries = self.target.contains("dryRun") || self.target.contains("reviews");
        !reads && !tries
    }
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
            self.keep(&mut kept, What::Came(asked(request)));
        }
        !kept.cut
    }

    fn leaves(&self, request: Request<'_>, status: http::StatusCode) -> bool {
        let mut kept = self.kept();
        let (asked, status) = (asked(request), status.as_u16());
        let write = asked.changes() && status < 300;
        let creation = write && asked.method == "POST";
        kept.writes += u64::from(write);
        kept.creations += u64::from(creation);
        let lost = write && self.lost.writes.contains(&kept.writes);
        if lost || (creation && self.lost.creations.contains(&kept.creations)) {
            self.keep(&mut kept, What::Lost(asked, status));
            return false;
        }
        self.keep(&mut kept, What::Left(asked, status));
        if !kept.cut {
            kept.answers += 1;
            let point = Point::Answer(kept.answers);
            self.reach(&mut kept, point);
        }
        !kept.cut
    }

    fn starts(&self, argv: &[String]) -> bool {
        let mut kept = self.kept();
        if !kept.cut {
            self.keep(&mut kept, What::Program(argv.to_vec()));
        }
        !kept.cut
    }
}

fn asked(request: Request<'_>) -> Asked {
    let target = request.uri.path_and_query();
    Asked {
        host: request.host.to_owned(),
        method: request.method.to_string(),
        target: target.map(ToString::to_string).unwrap_or_default(),
    }
}
