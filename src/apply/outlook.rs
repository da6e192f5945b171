//! How long a run will still take, and which steps are slower than usual.
//!
//! What is left takes at least the longest way that is left, and at least the work that is left shared out
//! among the slots for it. The longest ways begin first, so hardly ever much more than the larger of the
//! two. Questions to people are not counted, unless they have a time.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::paths::foretold_ms;
use super::queue::Queue;
use crate::plan::Do;
use crate::plan::Plan;
use crate::plan::Step;

/// By how much the foretold end must move before it is told again.
const SHIFT_MIN: Duration = Duration::from_secs(30);

/// By which part of what is left it must.
const SHIFT_PART: u32 = 10;

/// What ends in time is not slow.
const JUST_OVER: Duration = Duration::from_millis(1);

/// What is known of the time that a run still takes.
pub(super) struct Outlook {
    /// Steps with something to do that have not ended.
    open: BTreeSet<usize>,
    /// Those of them without a time.
    unknown: BTreeSet<usize>,
    /// The work that is left under each bound, in milliseconds.
    work_ms: Vec<u64>,
    running: BTreeMap<usize, Instant>,
    /// When each step that runs becomes slower than in nine of ten cases.
    due: BTreeSet<(Instant, usize)>,
    told: Option<Told>,
}

/// What was told last.
#[derive(Clone, Copy)]
struct Told {
    /// When the run will end, if anybody knows.
    ends: Option<Instant>,
}

/// What there is to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Left {
    /// How long it still takes, if anybody knows.
    pub(super) ms: Option<u64>,
    /// How many steps have no time.
    pub(super) unknown: usize,
}

impl Outlook {
    pub(super) fn new(plan: &Plan, queue: &Queue) -> Self {
        let steps = plan.steps.iter().enumerate();
        let open = steps.filter(|(_, step)| takes_time(step));
        let open: BTreeSet<usize> = open.map(|(i, _)| i).collect();
        let without = open.iter().copied();
        let without = without.filter(|&i| has_no_time(&plan.steps[i]));
        let mut work_ms = vec![0_u64; queue.bounds().count()];
        for &i in &open {
            for &bound in queue.bounds_of(i) {
                work_ms[bound] = work_ms[bound].saturating_add(queue.own_ms(i));
            }
        }
        Self {
            unknown: without.collect(),
            open,
            work_ms,
            running: BTreeMap::new(),
            due: BTreeSet::new(),
            told: None,
        }
    }

    /// A step runs.
    pub(super) fn begins(&mut self, i: usize, step: &Step, now: Instant) {
        if !self.open.contains(&i) {
            return;
        }
        self.running.insert(i, now);
        let expected = step.expected.as_ref().filter(|_| !is_question(step));
        let due = expected.map(|e| now + Duration::from_millis(e.p90_ms) + JUST_OVER);
        self.due.extend(due.map(|due| (due, i)));
    }

    /// It runs no more.
    pub(super) fn rests(&mut self, i: usize) {
        self.running.remove(&i);
        self.due.retain(|(_, slow)| *slow != i);
    }

    /// It has ended for good.
    pub(super) fn ends(&mut self, i: usize, queue: &Queue) {
        if !self.open.remove(&i) {
            return;
        }
        self.unknown.remove(&i);
        for &bound in queue.bounds_of(i) {
            self.work_ms[bound] = self.work_ms[bound].saturating_sub(queue.own_ms(i));
        }
    }

    /// When the next step becomes slow.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }

    /// The steps that have become slow.
    pub(super) fn slow(&mut self, now: Instant) -> Vec<usize> {
        let later = self.due.split_off(&(now + Duration::from_nanos(1), 0));
        let slow = std::mem::replace(&mut self.due, later);
        slow.into_iter().map(|(_, i)| i).collect()
    }

    /// What is left, if that is news.
    pub(super) fn news(&mut self, queue: &Queue, now: Instant) -> Option<Left> {
        if self.open.is_empty() {
            return None;
        }
        let left = self.left(queue, now);
        let ends = left.ms.map(|ms| now + Duration::from_millis(ms));
        let is_news = match (self.told, ends) {
            (None, _) => true,
            (Some(told), _) if told.ends.is_some() != ends.is_some() => true,
            (Some(Told { ends: Some(told) }), Some(ends)) => {
                let shift = ends.max(told) - ends.min(told);
                shift >= SHIFT_MIN.max((ends - now) / SHIFT_PART)
            }
            _ => false,
        };
        is_news.then(|| {
            self.told = Some(Told { ends });
            left
        })
    }

    /// Cost: linear in what runs and in the bounds.
    fn left(&self, queue: &Queue, now: Instant) -> Left {
        let unknown = self.unknown.len();
        if unknown > 0 {
            return Left { ms: None, unknown };
        }
        let mut done_ms = vec![0_u64; self.work_ms.len()];
        let mut longest = queue.longest_ready_ms();
        for (&i, &began) in &self.running {
            let ran = u64::try_from((now - began).as_millis()).unwrap_or(u64::MAX);
            let ran = ran.min(queue.own_ms(i));
            longest = longest.max(queue.left_ms(i) - ran);
            for &bound in queue.bounds_of(i) {
                done_ms[bound] += ran;
            }
        }
        let work = self.work_ms.iter().zip(done_ms).zip(queue.bounds());
        let shared = work.map(|((work, done), max)| work.saturating_sub(done) / max as u64);
        let ms = shared.fold(longest, u64::max);
        Left {
            ms: Some(ms),
            unknown,
        }
    }
}

fn is_question(step: &Step) -> bool {
    matches!(step.what, Do::Gate { .. })
}

/// Whether a step will take time. What cannot go on ends when its turn comes.
fn takes_time(step: &Step) -> bool {
    step.is_action() && !matches!(step.what, Do::Conflict | Do::Blocked { .. })
}

/// Whether nobody knows how long a step takes that drplan does itself.
fn has_no_time(step: &Step) -> bool {
    foretold_ms(step).is_none() && !is_question(step)
}
