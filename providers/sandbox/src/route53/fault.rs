//! Failures that a test asks for: each is met by exactly one request.

use std::collections::BTreeMap;
use std::collections::VecDeque;

use super::operation::Operation;

/// How one request fails, whatever it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Refused with `Throttling`, "Rate exceeded", status 400; nothing is done.
    Throttling,
    /// Refused with `PriorRequestNotComplete`, status 400; nothing is done.
    PriorRequestNotComplete,
    /// Refused with `ServiceUnavailable`, status 503; nothing is done.
    Unavailable,
    /// Carried out, but the answer breaks off before its first byte of body.
    LostAnswer,
}

/// The faults that wait for their requests, first in, first met.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    waiting: BTreeMap<Operation, VecDeque<Fault>>,
}

impl Faults {
    pub(crate) fn add(&mut self, operation: Operation, fault: Fault) {
        self.waiting.entry(operation).or_default().push_back(fault);
    }

    pub(crate) fn take(&mut self, operation: Operation) -> Option<Fault> {
        self.waiting.get_mut(&operation)?.pop_front()
    }
}
