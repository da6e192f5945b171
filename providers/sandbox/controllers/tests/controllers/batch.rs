//! Jobs and CronJobs.

use serde_json::Value;
use serde_json::json;

use crate::fixture::condition;
use crate::world::World;

fn job_spec(spec: Value) -> Value {
    let mut job = json!({"backoffLimit": 2, "completions": 1, "parallelism": 1,
        "template": {"spec": {"restartPolicy": "Never",
            "containers": [{"name": "main", "image": "job:1"}]}}});
    for (key, value) in spec.as_object().into_iter().flatten() {
        job[key] = value.clone();
    }
    job
}

fn job(spec: Value) -> Value {
    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "load"},
        "spec": job_spec(spec)})
}

fn cron_job(schedule: &str, spec: Value) -> Value {
    let mut made = json!({"apiVersion": "batch/v1", "kind": "CronJob",
        "metadata": {"name": "nightly"},
        "spec": {"schedule": schedule, "concurrencyPolicy": "Allow",
            "successfulJobsHistoryLimit": 2, "failedJobsHistoryLimit": 1,
            "jobTemplate": {"spec": job_spec(json!({}))}}});
    for (key, value) in spec.as_object().into_iter().flatten() {
        made["spec"][key] = value.clone();
    }
    made
}

#[test]
fn a_job_completes_once_its_pods_ended_well() {
    let mut world = World::new();
    world.add(job(json!({"completions": 3, "parallelism": 2})));
    world.pass(20);
    let load = world.see("batch", "Job", "load");
    assert_eq!(load["status"]["active"], 2);
    assert_eq!(load["status"]["ready"], 2);
    world.pass(120);
    let load = world.see("batch", "Job", "load");
    assert_eq!(load["status"]["succeeded"], 3, "{:#}", load["status"]);
    assert_eq!(load["status"]["uncountedTerminatedPods"], json!({}));
    assert!(load["status"]["active"].is_null());
    assert_eq!(condition(&load, "Complete")["reason"], "CompletionsReached");
    assert!(load["status"]["completionTime"].is_string());
    let pods = world.names("", "Pod");
    assert_eq!(pods.len(), 3);
    let pod = world.see("", "Pod", &pods[0]);
    assert_eq!(pod["status"]["phase"], "Succeeded");
    assert!(
        pod["metadata"]["finalizers"]
            .as_array()
            .is_none_or(Vec::is_empty)
    );
    assert_eq!(condition(&pod, "Ready")["reason"], "PodCompleted");
}

#[test]
fn a_job_that_is_told_to_fail_does_so_after_its_limit() {
    for policy in ["Never", "OnFailure"] {
        let mut world = World::new();
        world
            .settings
            .failing_pods
            .insert("shop/load".to_owned(), 1);
        let mut load = job(json!({}));
        load["spec"]["template"]["spec"]["restartPolicy"] = policy.into();
        world.add(load);
        world.pass(1200);
        let load = world.see("batch", "Job", "load");
        assert_eq!(
            condition(&load, "Failed")["reason"],
            "BackoffLimitExceeded",
            "{policy}"
        );
        let failed = if policy == "Never" { 3 } else { 1 };
        assert_eq!(
            load["status"]["failed"], failed,
            "{policy}: {:#}",
            load["status"]
        );
    }
}

#[test]
fn a_job_ends_at_its_deadline_and_goes_after_its_time_to_live() {
    let mut world = World::new();
    world.add(job(
        json!({"activeDeadlineSeconds": 10, "ttlSecondsAfterFinished": 60}),
    ));
    world.pass(30);
    let load = world.see("batch", "Job", "load");
    assert_eq!(
        condition(&load, "Failed")["reason"],
        "DeadlineExceeded",
        "{:#}",
        load["status"]
    );
    world.pass(90);
    assert!(world.names("batch", "Job").is_empty());
    assert!(world.names("", "Pod").is_empty());
}

#[test]
fn a_suspended_job_waits() {
    let mut world = World::new();
    world.add(job(json!({"suspend": true})));
    world.pass(60);
    let load = world.see("batch", "Job", "load");
    assert_eq!(condition(&load, "Suspended")["status"], "True");
    assert!(world.names("", "Pod").is_empty());
    world.change("batch", "Job", "load", |load| {
        load["spec"]["suspend"] = false.into()
    });
    world.pass(60);
    let load = world.see("batch", "Job", "load");
    assert_eq!(condition(&load, "Complete")["status"], "True");
    assert_eq!(condition(&load, "Suspended")["reason"], "JobResumed");
}

#[test]
fn an_indexed_job_runs_every_index_once() {
    let mut world = World::new();
    world.add(job(
        json!({"completions": 4, "parallelism": 2, "completionMode": "Indexed"}),
    ));
    world.pass(200);
    let load = world.see("batch", "Job", "load");
    assert_eq!(load["status"]["completedIndexes"], "0-3");
    assert_eq!(condition(&load, "Complete")["status"], "True");
    assert_eq!(world.names("", "Pod").len(), 4);
}

#[test]
fn deleting_a_job_takes_its_pods_along() {
    let mut world = World::new();
    world.add(job(json!({})));
    world.pass(20);
    world.remove("batch", "Job", "load");
    world.pass(60);
    assert!(world.names("", "Pod").is_empty());
}

#[test]
fn a_cron_job_fires_in_virtual_time_and_keeps_its_history() {
    let mut world = World::new();
    world.add(cron_job("*/10 * * * *", json!({})));
    world.pass(65 * 60);
    let made = world
        .log
        .iter()
        .filter(|l| l.starts_with("CREATE Job"))
        .count();
    assert_eq!(made, 6);
    assert_eq!(world.names("batch", "Job").len(), 2, "the history limit");
    let nightly = world.see("batch", "CronJob", "nightly");
    assert_eq!(
        nightly["status"]["lastScheduleTime"],
        "2026-01-01T01:00:00Z"
    );
    assert!(nightly["status"]["lastSuccessfulTime"].is_string());
    let due = 1_767_229_200 / 60;
    assert!(
        world
            .names("batch", "Job")
            .contains(&format!("nightly-{due}"))
    );
}

#[test]
fn a_cron_job_fires_only_when_it_may() {
    let long = json!({"spec": job_spec(json!({}))});
    let table = [
        ("*/10 * * * *", json!({"suspend": true}), 0),
        ("0 3 * * *", json!({"timeZone": "America/Vancouver"}), 0),
        ("30 16 * * *", json!({"timeZone": "America/Vancouver"}), 1),
        ("every day", json!({}), 0),
        // The pods take half a minute, and so two of three minutes are skipped or cut short.
        (
            "*/1 * * * *",
            json!({"concurrencyPolicy": "Forbid", "jobTemplate": long}),
            60,
        ),
    ];
    for (schedule, spec, expected) in table {
        let mut world = World::new();
        world.add(cron_job(schedule, spec.clone()));
        world.pass(60 * 60 + 30);
        let made = world
            .log
            .iter()
            .filter(|l| l.starts_with("CREATE Job"))
            .count();
        assert_eq!(made, expected, "{schedule} {spec}");
    }
}

#[test]
fn concurrent_jobs_are_forbidden_or_replaced() {
    for (policy, most) in [("Forbid", 1), ("Replace", 1), ("Allow", 3)] {
        let mut world = World::new();
        world.settings.durations.job_run = std::time::Duration::from_secs(150);
        world.add(cron_job(
            "*/1 * * * *",
            json!({"concurrencyPolicy": policy}),
        ));
        let mut highest = 0;
        for _ in 0..20 {
            world.pass(30);
            let jobs = world.names("batch", "Job");
            let running = jobs.iter().map(|job| world.see("batch", "Job", job));
            let running = running.filter(|job| condition(job, "Complete").is_null());
            highest = highest.max(running.count());
        }
        assert_eq!(highest, most, "{policy}");
    }
}

#[test]
fn a_restored_cron_job_does_not_catch_up_beyond_its_deadline() {
    let mut world = World::new();
    world.add(cron_job(
        "0 0 * * *",
        json!({"startingDeadlineSeconds": 60}),
    ));
    world.change("batch", "CronJob", "nightly", |nightly| {
        nightly["status"]["lastScheduleTime"] = "2025-12-01T00:00:00Z".into();
    });
    world.now = "2026-01-01T12:00:00Z".parse().expect("a time");
    world.pass(60);
    assert!(world.names("batch", "Job").is_empty());
}
