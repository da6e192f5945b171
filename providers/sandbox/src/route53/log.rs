//! What was asked and how it ended, for tests to read.

use std::collections::BTreeMap;
use std::collections::VecDeque;

use jiff::Timestamp;

use super::operation::Operation;

/// How many requests are remembered; the counts go on beyond them.
const ENTRIES_MAX: usize = 10_000;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Carried out and answered.
    Done,
    /// Carried out, but the answer was lost on purpose.
    AnswerLost,
    /// Refused with this error code.
    Refused(&'static str),
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When it was answered, by the server's clock.
    pub at: Timestamp,
    /// The HTTP method.
    pub method: String,
    /// The path, without query.
    pub path: String,
    /// The operation, unless method and path name none.
    pub operation: Option<Operation>,
    /// The name of the identity whose signature was verified.
    pub identity: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// The request id that the answer carried.
    pub request_id: String,
}

/// The newest requests and the number of all.
#[derive(Debug, Default)]
pub(crate) struct RequestLog {
    entries: VecDeque<Entry>,
    counts: BTreeMap<(Option<Operation>, Outcome), u64>,
}

impl RequestLog {
    pub(crate) fn add(&mut self, entry: Entry) {
        *self
            .counts
            .entry((entry.operation, entry.outcome))
            .or_default() += 1;
        if self.entries.len() == ENTRIES_MAX {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.entries.iter().cloned().collect()
    }

    pub(crate) fn count(&self, operation: Operation, outcome: Outcome) -> u64 {
        self.counts
            .get(&(Some(operation), outcome))
            .copied()
            .unwrap_or_default()
    }
}
