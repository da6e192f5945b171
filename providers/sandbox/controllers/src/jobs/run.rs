//! A Job on its way: which pods it makes, and how it ends.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;

use super::INDEX;
use super::TRACKING;
use super::indexes;
use super::indexes::Indexes;
use super::tally::Tally;
use crate::Ask;
use crate::Turn;
use crate::Write;
use crate::bounds;
use crate::condition;
use crate::condition::Condition;
use crate::condition::Times;
use crate::names::Names;
use crate::object::delete;
use crate::object::is_deleting;
use crate::object::items;
use crate::object::later;
use crate::object::name;
use crate::object::number;
use crate::object::seconds;
use crate::object::set_annotation;
use crate::object::set_count;
use crate::object::stamp;
use crate::object::text;
use crate::object::time;
use crate::object::uid;
use crate::template::generated_pod;
use crate::template::is_active;
use crate::template::is_finished;
use crate::template::is_ready;
use crate::template::set_label;

/// Beyond that, waits between failing pods do not grow.
const LONGEST_BACKOFF: Duration = Duration::from_secs(600);

/// A Job that is not finished, and its pods.
pub(super) struct Run<'a> {
    ask: Ask<'a>,
    job: &'a Value,
    pods: &'a [Arc<Value>],
    tally: Tally,
    pub(super) status: Value,
    pub(super) wakes: Vec<Timestamp>,
}

impl<'a> Run<'a> {
    pub(super) fn new(ask: Ask<'a>, job: &'a Value, pods: &'a [Arc<Value>]) -> Self {
        let status = match &job["status"] {
            Value::Object(_) => job["status"].clone(),
            _ => json!({}),
        };
        Self {
            ask,
            job,
            pods,
            tally: Tally::of(&status, pods),
            status,
            wakes: Vec::new(),
        }
    }

    fn active(&self) -> impl Iterator<Item = &'a Arc<Value>> + use<'a> {
        self.pods.iter().filter(|pod| is_active(pod))
    }

    pub(super) fn go(&mut self, turn: &mut Turn) {
        turn.writes.extend(self.tally.releases(self.pods));
        let suspended = self.job["spec"]["suspend"] == true;
        self.suspension(suspended);
        let ending = self.ending();
        let mut active = self.active().count();
        if suspended || ending.is_some() {
            turn.writes
                .extend(self.active().filter_map(|pod| delete(pod)));
        } else {
            active += self.scale(active, &mut turn.writes);
        }
        self.report(active);
        let idle = self.pods.iter().all(|pod| is_finished(pod));
        if let Some(ending) = ending {
            self.end(&ending, idle && self.tally.is_settled());
        }
    }

    fn suspension(&mut self, suspended: bool) {
        let was = condition::is_true(&self.status, "Suspended");
        if suspended {
            if let Some(status) = self.status.as_object_mut() {
                status.remove("startTime");
            }
            self.say("Suspended", "True", "JobSuspended", "Job suspended");
            return;
        }
        if was {
            self.say("Suspended", "False", "JobResumed", "Job resumed");
        }
        if !self.status["startTime"].is_string() {
            self.status["startTime"] = stamp(self.ask.now);
        }
    }

    fn say(&mut self, kind: &str, word: &'static str, reason: &str, message: &str) {
        let condition = Condition {
            kind,
            status: word,
            reason,
            message,
        };
        condition::set(&mut self.status, &condition, Times::Probe, self.ask.now);
    }

    /// How the Job ends, if it does now.
    fn ending(&mut self) -> Option<Ending> {
        if let Some(decided) = self.decided() {
            return Some(decided);
        }
        let spec = &self.job["spec"];
        let limit = number(&spec["backoffLimit"], 6);
        let failed = i64::try_from(self.tally.failed()).unwrap_or(i64::MAX);
        let restarts = self.restarts();
        let restarted = spec["template"]["spec"]["restartPolicy"] == "OnFailure"
            && restarts > 0
            && restarts >= limit;
        if failed > limit || restarted {
            return Some(Ending::new(
                "Failed",
                "BackoffLimitExceeded",
                "Job has reached the specified backoff limit",
            ));
        }
        let deadline = spec["activeDeadlineSeconds"].as_i64();
        if let (Some(deadline), Some(began)) = (deadline, time(&self.status["startTime"])) {
            let due = later(began, seconds(deadline));
            if due <= self.ask.now {
                return Some(Ending::new(
                    "Failed",
                    "DeadlineExceeded",
                    "Job was active longer than specified deadline",
                ));
            }
            self.wakes.push(due);
        }
        let well = i64::try_from(self.tally.succeeded()).unwrap_or(i64::MAX);
        let complete = match spec["completions"].as_i64() {
            Some(completions) => well >= completions,
            None => well > 0 && self.active().next().is_none(),
        };
        complete.then(|| {
            Ending::new(
                "Complete",
                "CompletionsReached",
                "Reached expected number of succeeded pods",
            )
        })
    }

    /// The ending that an earlier turn announced: nothing changes it any more.
    fn decided(&self) -> Option<Ending> {
        let announced = [
            ("SuccessCriteriaMet", "Complete"),
            ("FailureTarget", "Failed"),
        ];
        announced.into_iter().find_map(|(coming, kind)| {
            let said = condition::find(&self.status, coming)?;
            let holds = said["status"] == "True";
            holds.then(|| Ending::new(kind, text(&said["reason"]), text(&said["message"])))
        })
    }

    fn restarts(&self) -> i64 {
        self.active()
            .flat_map(|pod| items(&pod["status"]["containerStatuses"]))
            .map(|status| number(&status["restartCount"], 0))
            .sum()
    }

    /// Makes or deletes pods; returns how many were made.
    fn scale(&mut self, active: usize, writes: &mut Vec<Write>) -> usize {
        let spec = &self.job["spec"];
        let parallel = usize::try_from(number(&spec["parallelism"], 1)).unwrap_or(0);
        let well = self.tally.succeeded();
        let wanted = match spec["completions"].as_u64() {
            Some(completions) => {
                let completions = usize::try_from(completions).unwrap_or(usize::MAX);
                parallel.min(completions.saturating_sub(well))
            }
            None if well > 0 => active,
            None => parallel,
        };
        if active >= wanted {
            let surplus = active - wanted;
            writes.extend(self.active().take(surplus).filter_map(|pod| delete(pod)));
            return 0;
        }
        if let Some(due) = self.held_until() {
            self.wakes.push(due);
            return 0;
        }
        if bounds::is_bounded(wanted) {
            writes.extend(bounds::event(self.ask, self.job, "job-controller"));
        }
        let granted = bounds::granted(wanted).saturating_sub(active);
        let granted = granted.min(bounds::PODS_OF_A_TURN_MAX);
        let indexes = self.free_indexes(granted);
        let made = indexes.len();
        let mut names = Names::new(self.ask, self.job);
        let pods = indexes.into_iter().map(|index| self.pod(&mut names, index));
        writes.extend(pods.map(Write::Create));
        made
    }

    /// The indexes of the next pods, at most so many; Jobs without indexes give them none.
    fn free_indexes(&self, most: usize) -> Vec<Option<u64>> {
        if self.job["spec"]["completionMode"] != "Indexed" {
            return vec![None; most];
        }
        let done = self.done();
        let taken: BTreeSet<_> = self.active().filter_map(|pod| indexes::of(pod)).collect();
        let all = 0..self.job["spec"]["completions"].as_u64().unwrap_or(0);
        let free = all.filter(|index| !done.contains(*index) && !taken.contains(index));
        free.take(most).map(Some).collect()
    }

    fn done(&self) -> Indexes {
        let mut done = Indexes::parse(self.status["completedIndexes"].as_str().unwrap_or(""));
        let well = self
            .pods
            .iter()
            .filter(|p| p["status"]["phase"] == "Succeeded");
        well.filter_map(|pod| indexes::of(pod))
            .for_each(|i| done.insert(i));
        done
    }

    /// Until when no pod is made because the last ones failed.
    fn held_until(&self) -> Option<Timestamp> {
        let failed = self
            .pods
            .iter()
            .filter(|p| p["status"]["phase"] == "Failed");
        let ends = failed.flat_map(|pod| items(&pod["status"]["containerStatuses"]));
        let last = ends.filter_map(|s| time(&s["state"]["terminated"]["finishedAt"]));
        let last = last.max()?;
        let times = u32::try_from(self.tally.failed()).unwrap_or(u32::MAX);
        let doubled = times.saturating_sub(1).min(16);
        let wait = self.ask.settings.durations.restart_backoff;
        let wait = wait.saturating_mul(1 << doubled);
        let wait = wait.min(LONGEST_BACKOFF);
        Some(later(last, wait)).filter(|due| *due > self.ask.now)
    }

    fn pod(&self, names: &mut Names<'_>, index: Option<u64>) -> Value {
        let stem = match index {
            Some(index) => format!("{}-{index}", name(self.job)),
            None => name(self.job).to_owned(),
        };
        let pod_name = names.next_after(&stem);
        let mut made = generated_pod(self.job, &self.job["spec"]["template"], &pod_name);
        made["metadata"]["finalizers"] = json!([TRACKING]);
        for prefix in ["", "batch.kubernetes.io/"] {
            set_label(&mut made, &format!("{prefix}job-name"), name(self.job));
            set_label(&mut made, &format!("{prefix}controller-uid"), uid(self.job));
        }
        if let Some(index) = index {
            let written = index.to_string();
            made["metadata"]["generateName"] = format!("{stem}-").into();
            set_annotation(&mut made, INDEX, &written);
            set_label(&mut made, INDEX, &written);
            made["spec"]["hostname"] = stem.into();
        }
        made
    }

    fn report(&mut self, active: usize) {
        let ready = self.active().filter(|pod| is_ready(pod)).count();
        let going = self.pods.iter().filter(|pod| is_deleting(pod)).count();
        self.status["ready"] = ready.into();
        self.status["terminating"] = going.into();
        set_count(&mut self.status, "active", active);
        self.tally.write(&mut self.status);
        if self.job["spec"]["completionMode"] == "Indexed" {
            let done = self.done().to_string();
            if !done.is_empty() {
                self.status["completedIndexes"] = done.into();
            }
        }
    }

    /// Writes the end; first only that it is coming, while pods are still there or uncounted.
    fn end(&mut self, ending: &Ending, idle: bool) {
        let Ending {
            kind,
            reason,
            message,
        } = ending;
        let complete = *kind == "Complete";
        let coming = if complete {
            "SuccessCriteriaMet"
        } else {
            "FailureTarget"
        };
        self.say(coming, "True", reason, message);
        if !idle {
            return;
        }
        self.say(kind, "True", reason, message);
        set_count(&mut self.status, "active", 0);
        if complete {
            self.status["completionTime"] = stamp(self.ask.now);
        }
    }
}

/// How a Job ends.
struct Ending {
    kind: &'static str,
    reason: String,
    message: String,
}

impl Ending {
    fn new(kind: &'static str, reason: &str, message: &str) -> Self {
        Self {
            kind,
            reason: reason.to_owned(),
            message: message.to_owned(),
        }
    }
}
