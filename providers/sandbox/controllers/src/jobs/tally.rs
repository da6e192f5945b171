//! Which pods a Job has counted.
//!
//! A finished pod is first noted in the status, then let go, then counted: so none is counted twice
//! or not at all, whenever the controller stops.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use serde_json::json;

use super::TRACKING;
use crate::Write;
use crate::object::is_deleting;
use crate::object::items;
use crate::object::set_count;
use crate::object::uid;
use crate::object::without_finalizer;
use crate::template::is_finished;

pub(super) struct Tally {
    succeeded: Count,
    failed: Count,
    /// Pods that were noted in an earlier turn and are still held.
    held: BTreeSet<String>,
}

/// One way to end.
struct Count {
    field: &'static str,
    counted: u64,
    noted: BTreeSet<String>,
}

impl Count {
    fn of(status: &Value, field: &'static str) -> Self {
        let noted = items(&status["uncountedTerminatedPods"][field]).iter();
        Self {
            field,
            counted: status[field].as_u64().unwrap_or(0),
            noted: noted
                .filter_map(|v| v.as_str())
                .map(str::to_owned)
                .collect(),
        }
    }

    fn total(&self) -> usize {
        usize::try_from(self.counted).unwrap_or(usize::MAX) + self.noted.len()
    }

    /// Counts what was noted and is not held any more.
    fn count(&mut self, held: &BTreeSet<String>) {
        let before = self.noted.len();
        self.noted.retain(|uid| held.contains(uid));
        self.counted += (before - self.noted.len()) as u64;
    }
}

impl Tally {
    pub(super) fn of(status: &Value, pods: &[Arc<Value>]) -> Self {
        let mut tally = Self {
            succeeded: Count::of(status, "succeeded"),
            failed: Count::of(status, "failed"),
            held: BTreeSet::new(),
        };
        let tracked: Vec<_> = pods
            .iter()
            .filter(|pod| {
                items(&pod["metadata"]["finalizers"])
                    .iter()
                    .any(|f| f == TRACKING)
            })
            .collect();
        tally.held = tracked
            .iter()
            .map(|pod| uid(pod).to_owned())
            .filter(|uid| tally.succeeded.noted.contains(uid) || tally.failed.noted.contains(uid))
            .collect();
        tally.succeeded.count(&tally.held);
        tally.failed.count(&tally.held);
        for pod in tracked {
            let count = match pod["status"]["phase"].as_str() {
                Some("Succeeded") => &mut tally.succeeded,
                _ if is_finished(pod) || is_deleting(pod) => &mut tally.failed,
                _ => continue,
            };
            count.noted.insert(uid(pod).to_owned());
        }
        tally
    }

    pub(super) fn succeeded(&self) -> usize {
        self.succeeded.total()
    }

    pub(super) fn failed(&self) -> usize {
        self.failed.total()
    }

    /// Whether every pod that ended is counted.
    pub(super) fn is_settled(&self) -> bool {
        self.succeeded.noted.is_empty() && self.failed.noted.is_empty()
    }

    /// Lets go the pods that the status has noted.
    pub(super) fn releases(&self, pods: &[Arc<Value>]) -> Vec<Write> {
        pods.iter()
            .filter(|pod| self.held.contains(uid(pod)))
            .filter_map(|pod| without_finalizer(pod, TRACKING))
            .map(Write::Update)
            .collect()
    }

    pub(super) fn write(&self, status: &mut Value) {
        let mut noted = json!({});
        for count in [&self.succeeded, &self.failed] {
            let counted = usize::try_from(count.counted).unwrap_or(usize::MAX);
            set_count(status, count.field, counted);
            if !count.noted.is_empty() {
                noted[count.field] = count.noted.iter().cloned().collect();
            }
        }
        status["uncountedTerminatedPods"] = noted;
    }
}
