//! How long steps took in earlier runs. An input of planning, so that a plan stays a pure function.

use std::collections::BTreeMap;

use drplan_api::Action;
use drplan_api::Address;
use serde::Deserialize;
use serde::Serialize;

/// How many runs are needed before they say anything.
pub(crate) const RUNS_MIN: usize = 3;

/// Times in milliseconds, by step and by what it did, in no particular order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct History(BTreeMap<Address, BTreeMap<String, Vec<u64>>>);

impl History {
    /// Adds one time.
    pub fn add(&mut self, address: &Address, action: Action, took_ms: u64) {
        let by_action = self.0.entry(address.clone()).or_default();
        let times = by_action.entry(action.as_str().to_owned()).or_default();
        times.push(took_ms);
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The median and the 90th percentile, and of how many runs; `None` if there are too few.
    pub(super) fn times(&self, address: &Address, action: Action) -> Option<(u64, u64, usize)> {
        let mut times = self.0.get(address)?.get(action.as_str())?.clone();
        if times.len() < RUNS_MIN {
            return None;
        }
        times.sort_unstable();
        Some((rank(&times, 50), rank(&times, 90), times.len()))
    }
}

/// The nearest rank, which is a time that was really measured.
fn rank(sorted: &[u64], percent: usize) -> u64 {
    let at = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(at).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_than_three_runs_say_nothing_and_more_say_median_and_ninetieth() {
        let (mut history, address) = (History::default(), Address::new("a.b"));
        for (took_ms, expected) in [
            (10, None),
            (30, None),
            (20, Some((20, 30, 3))),
            (40, Some((20, 40, 4))),
        ] {
            history.add(&address, Action::Run, took_ms);
            assert_eq!(history.times(&address, Action::Run), expected);
        }
        assert_eq!(history.times(&address, Action::Create), None);
    }
}
