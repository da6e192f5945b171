//! Jobs: pods that end, until enough of them ended well.

mod indexes;
mod run;
mod strays;
mod tally;

use std::sync::Arc;

use serde_json::Value;

use crate::Ask;
use crate::Controller;
use crate::Key;
use crate::Turn;
use crate::Write;
use crate::children::Children;
use crate::children::Kind;
use crate::children::PODS;
use crate::children::parents;
use crate::children::scopes;
use crate::condition;
use crate::object::delete;
use crate::object::is_deleting;
use crate::object::items;
use crate::object::later;
use crate::object::seconds;
use crate::object::status_write;
use crate::object::time;
use crate::object::without_finalizer;
use crate::template::is_active;
use run::Run;

const JOBS: Kind = ("batch", "Job");

/// Holds a pod until its Job has counted it.
const TRACKING: &str = "batch.kubernetes.io/job-tracking";
const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// Makes, counts and ends the pods of Jobs.
#[derive(Debug)]
pub(crate) struct Jobs;

impl Controller for Jobs {
    fn name(&self) -> &'static str {
        "jobs"
    }

    fn watches(&self) -> &'static [Kind] {
        &[JOBS, PODS]
    }

    fn user(&self) -> &'static str {
        "system:serviceaccount:kube-system:job-controller"
    }

    fn turn(&self, ask: Ask<'_>) -> Turn {
        let mut turn = Turn::default();
        strays::release(ask, &mut turn.writes);
        for (namespace, scope) in scopes(ask, JOBS, PODS) {
            let jobs = parents(ask.view, JOBS, &namespace, &scope);
            if jobs.is_empty() {
                continue;
            }
            let pods = Children::load(ask.view, PODS, &namespace);
            for job in jobs {
                let claimed = pods.claim(&job, is_active, &mut turn.writes);
                if claimed.settled {
                    reconcile(ask, &job, &claimed.members, &mut turn);
                }
            }
        }
        turn
    }
}

fn reconcile(ask: Ask<'_>, job: &Value, pods: &[Arc<Value>], turn: &mut Turn) {
    let free = |pod: &Arc<Value>| without_finalizer(pod, TRACKING).map(Write::Update);
    if is_deleting(job) {
        turn.writes.extend(pods.iter().filter_map(free));
        return;
    }
    if is_finished(job) {
        turn.writes.extend(pods.iter().filter_map(free));
        expire(ask, job, turn);
        return;
    }
    let mut run = Run::new(ask, job, pods);
    run.go(turn);
    turn.writes.extend(status_write(job, run.status));
    if let (Some(wake), Some(key)) = (run.wakes.into_iter().min(), Key::of(job)) {
        turn.again.push((key, wake));
    }
}

fn is_finished(job: &Value) -> bool {
    ["Complete", "Failed"]
        .iter()
        .any(|kind| condition::is_true(&job["status"], kind))
}

/// Deletes a Job whose time to live after its end is over.
fn expire(ask: Ask<'_>, job: &Value, turn: &mut Turn) {
    let Some(ttl) = job["spec"]["ttlSecondsAfterFinished"].as_i64() else {
        return;
    };
    let ends = items(&job["status"]["conditions"]).iter();
    let ended = ends
        .filter(|c| c["type"] == "Complete" || c["type"] == "Failed")
        .find_map(|c| time(&c["lastTransitionTime"]));
    let due = later(ended.unwrap_or(ask.now), seconds(ttl));
    if due <= ask.now {
        turn.writes.extend(delete(job));
    } else if let Some(key) = Key::of(job) {
        turn.again.push((key, due));
    }
}
