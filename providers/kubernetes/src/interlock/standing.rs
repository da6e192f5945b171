//! How one object stands: running, paused by us, by another recovery, or by somebody else. Pure.

use drplan_api::Json;

use crate::mark;
use crate::mark::Mark;
use crate::mark::Original;

/// How one object stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Standing {
    /// It runs, and this is how.
    Runs(Original),
    /// This recovery paused it.
    Ours(Mark),
    /// Another recovery paused it.
    Others(Mark),
    /// Somebody suspended it, or gave it no replicas.
    Still,
    /// It has ended and runs no more.
    Ended,
}

/// Tells how an object stands.
pub(super) fn standing(recovery: &str, resource: &str, body: &Json) -> Standing {
    match Mark::of(body).filter(|mark| mark.holds) {
        Some(mark) if mark.recovery == recovery => return Standing::Ours(mark),
        Some(mark) => return Standing::Others(mark),
        None => {}
    }
    if resource == "jobs.batch" && has_ended(body) {
        return Standing::Ended;
    }
    match mark::running(resource, body) {
        Some(Original::Suspend(true) | Original::Replicas(0)) | None => Standing::Still,
        Some(original) => Standing::Runs(original),
    }
}

fn has_ended(job: &Json) -> bool {
    let conditions = job["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|condition| {
        let is_end = condition["type"] == "Complete" || condition["type"] == "Failed";
        is_end && condition["status"] == "True"
    })
}

/// Says what of a paused object runs still: its controller must have seen the pause, and its pods must
/// be gone. What a CronJob has started is a Job of its own.
pub(super) fn still_running(resource: &str, body: &Json) -> Option<String> {
    let status = &body["status"];
    let count = |field: &str| status[field].as_u64().unwrap_or_default();
    let pods = match resource {
        "deployments.apps" | "statefulsets.apps" => {
            let seen = count("observedGeneration");
            if seen < body["metadata"]["generation"].as_u64().unwrap_or_default() {
                return Some("its controller has not seen it yet".to_owned());
            }
            count("replicas") + count("terminatingReplicas")
        }
        "jobs.batch" => count("active") + count("terminating"),
        _ => 0,
    };
    match pods {
        0 => None,
        1 => Some("1 pod runs still".to_owned()),
        pods => Some(format!("{pods} pods run still")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::mark::Pauser;

    fn marked(spec: Json, recovery: &str) -> Json {
        let by = Pauser {
            recovery,
            run: "r",
            until: None,
        };
        let mut body = Original::Replicas(3).pause(by);
        body["spec"] = spec;
        body
    }

    #[test]
    fn what_runs_is_told_from_what_somebody_paused() {
        let ended = json!({"spec": {}, "status": {"conditions": [
            {"type": "Complete", "status": "True"}]}});
        for (resource, body, expected) in [
            (
                "cronjobs.batch",
                json!({"spec": {}}),
                "Runs(Suspend(false))",
            ),
            (
                "cronjobs.batch",
                json!({"spec": {"suspend": true}}),
                "Still",
            ),
            ("jobs.batch", json!({"spec": {}}), "Runs(Suspend(false))"),
            ("jobs.batch", ended, "Ended"),
            ("deployments.apps", json!({"spec": {}}), "Runs(Replicas(1))"),
            (
                "deployments.apps",
                json!({"spec": {"replicas": 0}}),
                "Still",
            ),
            (
                "deployments.apps",
                marked(json!({"replicas": 0}), "shop"),
                "Ours(",
            ),
            (
                "deployments.apps",
                marked(json!({"replicas": 0}), "web"),
                "Others(",
            ),
            // A mark on what runs again is left over, whoever made it.
            (
                "deployments.apps",
                marked(json!({"replicas": 2}), "shop"),
                "Runs(Replicas(2))",
            ),
            (
                "statefulsets.apps",
                marked(json!({"replicas": 2}), "web"),
                "Runs(Replicas(2))",
            ),
        ] {
            let found = format!("{:?}", standing("shop", resource, &body));
            assert!(found.starts_with(expected), "{resource} {body}: {found}");
        }
    }

    #[test]
    fn pods_are_gone_only_when_a_controller_that_saw_the_pause_says_so() {
        for (resource, body, expected) in [
            (
                "deployments.apps",
                json!({"metadata": {"generation": 2},
                "status": {"observedGeneration": 1}}),
                Some("its controller has not seen it yet"),
            ),
            (
                "deployments.apps",
                json!({"metadata": {"generation": 2},
                "status": {"observedGeneration": 2, "replicas": 2}}),
                Some("2 pods run still"),
            ),
            (
                "deployments.apps",
                json!({"metadata": {"generation": 2},
                "status": {"observedGeneration": 2, "terminatingReplicas": 1}}),
                Some("1 pod runs still"),
            ),
            (
                "statefulsets.apps",
                json!({"metadata": {"generation": 2},
                "status": {"observedGeneration": 2, "replicas": 0}}),
                None,
            ),
            (
                "jobs.batch",
                json!({"status": {"active": 1}}),
                Some("1 pod runs still"),
            ),
            (
                "cronjobs.batch",
                json!({"status": {"active": [{"name": "x"}]}}),
                None,
            ),
        ] {
            assert_eq!(
                still_running(resource, &body).as_deref(),
                expected,
                "{resource} {body}"
            );
        }
    }
}
