//! Defaults of what runs Pods.

use serde_json::Value;
use serde_json::json;

use super::all;
use super::claim;
use super::pod;
use super::put;
use super::put_all;

/// How often the template of a DaemonSet has changed.
pub(crate) const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

pub(super) fn default(kind: &str, object: &mut Value) {
    // Of what these groups have, this alone runs nothing.
    if kind == "ControllerRevision" {
        return;
    }
    let spec = &mut object["spec"];
    match kind {
        "Deployment" => deployment(spec),
        "StatefulSet" => stateful_set(spec),
        "DaemonSet" => {
            daemon_set(spec);
            // The server counts; who writes the object owns the field all the same.
            put(
                &mut object["metadata"]["annotations"],
                TEMPLATE_GENERATION,
                json!("0"),
            );
            return pod::template(&mut object["spec"]["template"]);
        }
        "ReplicaSet" => put(spec, "replicas", json!(1)),
        "ReplicationController" => return replication_controller(object),
        "Job" => job(spec),
        "CronJob" => return cron_job(spec),
        _ => return,
    }
    pod::template(&mut spec["template"]);
}

fn deployment(spec: &mut Value) {
    put_all(
        spec,
        json!({ "replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600 }),
    );
    let strategy = &mut spec["strategy"];
    put(strategy, "type", json!("RollingUpdate"));
    if strategy["type"] == "RollingUpdate" {
        let parts = json!({ "maxUnavailable": "25%", "maxSurge": "25%" });
        put_all(&mut strategy["rollingUpdate"], parts);
    }
}

fn stateful_set(spec: &mut Value) {
    put_all(
        spec,
        json!({ "replicas": 1, "revisionHistoryLimit": 10, "podManagementPolicy": "OrderedReady" }),
    );
    let strategy = &mut spec["updateStrategy"];
    put(strategy, "type", json!("RollingUpdate"));
    if strategy["type"] == "RollingUpdate" {
        put(&mut strategy["rollingUpdate"], "partition", json!(0));
    }
    put_all(
        &mut spec["persistentVolumeClaimRetentionPolicy"],
        json!({ "whenDeleted": "Retain", "whenScaled": "Retain" }),
    );
    for template in all(spec, "volumeClaimTemplates") {
        claim(template);
        put_all(
            template,
            json!({ "apiVersion": "v1", "kind": "PersistentVolumeClaim" }),
        );
    }
}

fn daemon_set(spec: &mut Value) {
    put(spec, "revisionHistoryLimit", json!(10));
    let strategy = &mut spec["updateStrategy"];
    put(strategy, "type", json!("RollingUpdate"));
    if strategy["type"] == "RollingUpdate" {
        put_all(
            &mut strategy["rollingUpdate"],
            json!({ "maxUnavailable": 1, "maxSurge": 0 }),
        );
    }
}

fn replication_controller(object: &mut Value) {
    let labels = object["spec"]["template"]["metadata"]["labels"].clone();
    if labels.is_object() {
        put(&mut object["spec"], "selector", labels.clone());
        put(&mut object["metadata"], "labels", labels);
    }
    put(&mut object["spec"], "replicas", json!(1));
    if !object["spec"]["template"].is_null() {
        pod::template(&mut object["spec"]["template"]);
    }
}

fn job(spec: &mut Value) {
    // Neither number given means one of each; one alone leaves the other open.
    if spec["completions"].is_null() && spec["parallelism"].is_null() {
        put(spec, "completions", json!(1));
    }
    put_all(
        spec,
        json!({
            "parallelism": 1,
            "backoffLimit": 6,
            "completionMode": "NonIndexed",
            "suspend": false,
            "manualSelector": false,
        }),
    );
    let by_policy = !spec["podFailurePolicy"].is_null();
    let policy = if by_policy {
        "Failed"
    } else {
        "TerminatingOrFailed"
    };
    put(spec, "podReplacementPolicy", json!(policy));
}

fn cron_job(spec: &mut Value) {
    put_all(
        spec,
        json!({
            "concurrencyPolicy": "Allow",
            "suspend": false,
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 1,
        }),
    );
    pod::template(&mut spec["jobTemplate"]["spec"]["template"]);
}
