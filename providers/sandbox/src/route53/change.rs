//! Batches of changes, and how long a change stays pending.

use std::fmt;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use super::record::RecordSet;

/// What is done with a record set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Makes a set that must not exist.
    Create,
    /// Removes a set that must match in everything.
    Delete,
    /// Makes or replaces a set.
    Upsert,
}

impl Action {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "CREATE" => Some(Self::Create),
            "DELETE" => Some(Self::Delete),
            "UPSERT" => Some(Self::Upsert),
            _ => None,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "CREATE",
            Self::Delete => "DELETE",
            Self::Upsert => "UPSERT",
        })
    }
}

/// One change of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What is done.
    pub action: Action,
    /// With which set.
    pub set: RecordSet,
}

/// How far a change has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeStatus {
    /// Some name server does not answer with it yet.
    Pending,
    /// Every name server answers with it.
    Insync,
}

impl fmt::Display for ChangeStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "PENDING",
            Self::Insync => "INSYNC",
        })
    }
}

/// When a change turns from pending to in sync. The answer to the change itself always says
/// pending, as Route 53's does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Convergence {
    /// After it was asked for so many times and found pending.
    AfterPolls(u32),
    /// After so much time on the server's clock.
    AfterTime(Duration),
}

/// One accepted change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ticket {
    pub(crate) submitted_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) comment: Option<String>,
    #[serde(default)]
    polls: u32,
}

impl Ticket {
    pub(crate) fn new(submitted_at: Timestamp, comment: Option<String>) -> Self {
        Self {
            submitted_at,
            comment,
            polls: 0,
        }
    }

    /// Counts one poll and answers it.
    pub(crate) fn poll(&mut self, convergence: Convergence, now: Timestamp) -> ChangeStatus {
        let pending = match convergence {
            Convergence::AfterPolls(pending) => self.polls < pending,
            Convergence::AfterTime(delay) => {
                let delay = SignedDuration::try_from(delay).unwrap_or(SignedDuration::MAX);
                now.duration_since(self.submitted_at) < delay
            }
        };
        self.polls = self.polls.saturating_add(1);
        if pending {
            ChangeStatus::Pending
        } else {
            ChangeStatus::Insync
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_converges_after_its_polls_or_its_time() {
        let start = Timestamp::UNIX_EPOCH;
        let mut by_polls = Ticket::new(start, None);
        let answers: Vec<_> = (0..3)
            .map(|_| by_polls.poll(Convergence::AfterPolls(2), start))
            .collect();
        assert_eq!(
            answers,
            [
                ChangeStatus::Pending,
                ChangeStatus::Pending,
                ChangeStatus::Insync
            ]
        );

        let after = Convergence::AfterTime(Duration::from_secs(30));
        let mut by_time = Ticket::new(start, None);
        for (second, status) in [(29, ChangeStatus::Pending), (30, ChangeStatus::Insync)] {
            let now = start + SignedDuration::from_secs(second);
            assert_eq!(by_time.poll(after, now), status, "after {second} s");
        }
    }
}
