//! CronJobs: Jobs that are made by the clock.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;

use crate::Ask;
use crate::Controller;
use crate::Key;
use crate::Turn;
use crate::Write;
use crate::children::Children;
use crate::children::Kind;
use crate::children::parents;
use crate::children::scopes;
use crate::condition;
use crate::object::created;
use crate::object::delete;
use crate::object::is_deleting;
use crate::object::name;
use crate::object::namespace;
use crate::object::number;
use crate::object::owner_reference;
use crate::object::seconds;
use crate::object::set_annotation;
use crate::object::stamp;
use crate::object::status_write;
use crate::object::text;
use crate::object::time;
use crate::object::uid;
use crate::schedule::Schedule;

const CRON_JOBS: Kind = ("batch", "CronJob");
const JOBS: Kind = ("batch", "Job");
const SCHEDULED: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/// Makes the Jobs of CronJobs.
#[derive(Debug)]
pub(crate) struct CronJobs;

impl Controller for CronJobs {
    fn name(&self) -> &'static str {
        "cronjobs"
    }

    fn watches(&self) -> &'static [Kind] {
        &[CRON_JOBS, JOBS]
    }

    fn user(&self) -> &'static str {
        "system:serviceaccount:kube-system:cronjob-controller"
    }

    fn turn(&self, ask: Ask<'_>) -> Turn {
        let mut turn = Turn::default();
        for (namespace, scope) in scopes(ask, CRON_JOBS, JOBS) {
            let cron_jobs = parents(ask.view, CRON_JOBS, &namespace, &scope);
            if cron_jobs.is_empty() {
                continue;
            }
            let jobs = Children::load(ask.view, JOBS, &namespace);
            for cron_job in cron_jobs {
                let owned = jobs.claim(&cron_job, |_| false, &mut turn.writes);
                reconcile(ask, &cron_job, &owned.members, &mut turn);
            }
        }
        turn
    }
}

fn outcome(job: &Value) -> Option<&'static str> {
    ["Complete", "Failed"]
        .into_iter()
        .find(|kind| condition::is_true(&job["status"], kind))
}

fn reconcile(ask: Ask<'_>, cron_job: &Value, jobs: &[Arc<Value>], turn: &mut Turn) {
    if is_deleting(cron_job) {
        return;
    }
    forget(cron_job, jobs, &mut turn.writes);
    let active: Vec<_> = jobs.iter().filter(|job| outcome(job).is_none()).collect();
    let mut status = status(cron_job, jobs, &active);
    let zone = cron_job["spec"]["timeZone"].as_str();
    let schedule = Schedule::parse(text(&cron_job["spec"]["schedule"]), zone);
    if let Some(schedule) = schedule
        && cron_job["spec"]["suspend"] != true
    {
        match due(cron_job, &schedule, ask.now) {
            Some((due, job_name)) if jobs.iter().any(|job| name(job) == job_name) => {
                status["lastScheduleTime"] = stamp(due);
            }
            Some((due, job_name)) => {
                turn.writes.extend(fire(cron_job, &active, &job_name, due));
            }
            None => {}
        }
        if let (Some(next), Some(key)) = (schedule.next(ask.now), Key::of(cron_job)) {
            turn.again.push((key, next));
        }
    }
    turn.writes.extend(status_write(cron_job, status));
}

/// The last time that is due and has not been served, and the name of its Job.
fn due(cron_job: &Value, schedule: &Schedule, now: Timestamp) -> Option<(Timestamp, String)> {
    let last = time(&cron_job["status"]["lastScheduleTime"]);
    let mut since = last.unwrap_or_else(|| created(cron_job));
    if let Some(deadline) = cron_job["spec"]["startingDeadlineSeconds"].as_i64() {
        let oldest = now.checked_sub(seconds(deadline));
        since = since.max(oldest.unwrap_or(since));
    }
    let due = schedule.last(since, now)?;
    Some((due, format!("{}-{}", name(cron_job), due.as_second() / 60)))
}

/// The writes that make a Job, unless the Jobs that run forbid it.
fn fire(cron_job: &Value, active: &[&Arc<Value>], job_name: &str, due: Timestamp) -> Vec<Write> {
    let mut writes = Vec::new();
    match text(&cron_job["spec"]["concurrencyPolicy"]) {
        "Forbid" if !active.is_empty() => return writes,
        "Replace" => writes.extend(active.iter().filter_map(|job| delete(job))),
        _ => {}
    }
    writes.push(Write::Create(job(cron_job, job_name, due)));
    writes
}

fn job(cron_job: &Value, job_name: &str, due: Timestamp) -> Value {
    let template = &cron_job["spec"]["jobTemplate"];
    let mut made = json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name,
            "namespace": namespace(cron_job),
            "ownerReferences": [owner_reference(cron_job)],
        },
        "spec": template["spec"],
    });
    for field in ["labels", "annotations"] {
        if template["metadata"][field].is_object() {
            made["metadata"][field] = template["metadata"][field].clone();
        }
    }
    let zone = text(&cron_job["spec"]["timeZone"]);
    let zone = jiff::tz::TimeZone::get(zone).unwrap_or(jiff::tz::TimeZone::UTC);
    let written = match due.to_zoned(zone) {
        local if local.offset().seconds() == 0 => text(&stamp(due)).to_owned(),
        local => local.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
    };
    set_annotation(&mut made, SCHEDULED, &written);
    made
}

fn status(cron_job: &Value, jobs: &[Arc<Value>], active: &[&Arc<Value>]) -> Value {
    let mut status = json!({});
    let references = active.iter().map(|job| {
        json!({
            "apiVersion": "batch/v1", "kind": "Job", "name": name(job),
            "namespace": namespace(job), "uid": uid(job),
            "resourceVersion": known_version(cron_job, job),
        })
    });
    let references: Vec<_> = references.collect();
    if !references.is_empty() {
        status["active"] = references.into();
    }
    let last = &cron_job["status"]["lastScheduleTime"];
    if last.is_string() {
        status["lastScheduleTime"] = last.clone();
    }
    let ended = jobs
        .iter()
        .filter(|job| outcome(job) == Some("Complete"))
        .filter_map(|job| time(&job["status"]["completionTime"]));
    let before = time(&cron_job["status"]["lastSuccessfulTime"]);
    if let Some(newest) = ended.chain(before).max() {
        status["lastSuccessfulTime"] = stamp(newest);
    }
    status
}

/// The version that the status named when the Job was new: it is not followed.
fn known_version<'a>(cron_job: &'a Value, job: &'a Value) -> &'a Value {
    let listed = cron_job["status"]["active"].as_array();
    let mut listed = listed.into_iter().flatten();
    let known = listed.find(|reference| reference["uid"] == uid(job));
    known.map_or(
        &job["metadata"]["resourceVersion"],
        |known| &known["resourceVersion"],
    )
}

/// Deletes the oldest finished Jobs beyond the limits.
fn forget(cron_job: &Value, jobs: &[Arc<Value>], writes: &mut Vec<Write>) {
    for (kind, field, otherwise) in [
        ("Complete", "successfulJobsHistoryLimit", 3),
        ("Failed", "failedJobsHistoryLimit", 1),
    ] {
        let limit = number(&cron_job["spec"][field], otherwise);
        let mut ended: Vec<_> = jobs.iter().filter(|j| outcome(j) == Some(kind)).collect();
        ended.sort_by_key(|job| (began(job), name(job).to_owned()));
        let surplus = ended
            .len()
            .saturating_sub(usize::try_from(limit).unwrap_or(0));
        writes.extend(
            ended
                .into_iter()
                .take(surplus)
                .filter_map(|job| delete(job)),
        );
    }
}

fn began(job: &Value) -> Timestamp {
    time(&job["status"]["startTime"]).unwrap_or_else(|| created(job))
}
