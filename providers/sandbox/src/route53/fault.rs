//! Failures that a test asks for: each is met by exactly one request.

use std::collections::BTreeMap;
use std::collections::VecDeque;

use http::StatusCode;

use super::operation::Operation;
use super::refusal::Refusal;
use super::wire;

/// The request of a refusal that never came to the service.
const REQUEST: &str = "00000000-0000-4000-8000-000000000000";

/// How one request fails, whatever it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Refused with `Throttling`, "Rate exceeded", status 400; nothing is done.
    Throttling,
    /// Refused with `PriorRequestNotComplete`, status 400; nothing is done.
    PriorRequestNotComplete,
    /// Refused with `ServiceUnavailable`, status 503; nothing is done.
    Unavailable,
    /// Refused with `InternalFailure`, status 500; nothing is done.
    Internal,
    /// Carried out, but the answer breaks off before its first byte of body.
    LostAnswer,
}

impl Fault {
    /// The refusal, where the fault is one.
    pub(crate) fn refusal(self) -> Option<Refusal> {
        match self {
            Self::Throttling => Some(Refusal::throttled()),
            Self::PriorRequestNotComplete => Some(Refusal::prior_request_not_complete()),
            Self::Unavailable => Some(Refusal::unavailable()),
            Self::Internal => Some(Refusal::internal(
                "The request processing has failed because of an unknown error, exception or failure.",
            )),
            Self::LostAnswer => None,
        }
    }

    /// The same as it is sent, where something else than the service refuses.
    pub(crate) fn answer(self) -> Option<(StatusCode, String)> {
        let refusal = self.refusal()?;
        let document = wire::document(&wire::refusal(&refusal, REQUEST));
        Some((refusal.status, document))
    }
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
