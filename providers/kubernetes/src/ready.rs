//! When an object is ready, by its own status.
//!
//! Rules for the kinds of Kubernetes itself; any other kind is ready when it has no status condition
//! that says otherwise. A status that is older than the specification is never believed.

use drplan_api::Json;

/// How an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ready {
    /// It does what it is for.
    Ready,
    /// Not yet; says what is missing.
    NotYet(String),
    /// It says that it will not get there; says why.
    Failed(String),
}

impl Ready {
    fn when(holds: bool, otherwise: impl FnOnce() -> String) -> Self {
        if holds {
            Self::Ready
        } else {
            Self::NotYet(otherwise())
        }
    }
}

/// Whether an object is being deleted.
pub(crate) fn is_going(object: &Json) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

/// Judges an object by its status.
pub fn ready(object: &Json) -> Ready {
    if is_going(object) {
        return Ready::NotYet("it is being deleted".to_owned());
    }
    let seen = object["status"]["observedGeneration"].as_u64();
    let made = object["metadata"]["generation"].as_u64();
    if let (Some(seen), Some(made)) = (seen, made)
        && seen < made
    {
        return Ready::NotYet("its controller has not seen the last change yet".to_owned());
    }
    let group = object["apiVersion"].as_str().unwrap_or_default();
    let (group, _) = crate::split_api_version(group);
    let kind = object["kind"].as_str().unwrap_or_default();
    match (group, kind) {
        ("", "Namespace") => phase(object, &["Active"], &[]),
        ("", "Node") => node(object),
        ("", "Pod") => pod(object),
        ("", "PersistentVolumeClaim") => phase(object, &["Bound"], &["Lost"]),
        ("", "PersistentVolume") => phase(object, &["Bound", "Available"], &["Failed"]),
        ("", "Service") => service(object),
        ("apps", "Deployment") => deployment(object),
        ("apps", "StatefulSet") => stateful_set(object),
        ("apps", "DaemonSet") => daemon_set(object),
        ("apps", "ReplicaSet") | ("", "ReplicationController") => replica_set(object),
        ("batch", "Job") => job(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => crd(object),
        ("apiregistration.k8s.io", "APIService") => must(object, "Available"),
        ("networking.k8s.io", "Ingress") => ingress(object),
        _ => anything(object),
    }
}

/// Returns the condition of a type: whether it is true, and its reason and message.
fn condition<'a>(object: &'a Json, kind: &str) -> Option<(&'a str, String)> {
    let conditions = object["status"]["conditions"].as_array()?;
    let found = conditions.iter().find(|c| c["type"] == kind)?;
    let reason = found["reason"].as_str().unwrap_or_default();
    let message = found["message"].as_str().unwrap_or_default();
    let text = match (reason, message) {
        ("", message) => message.to_owned(),
        (reason, "") => reason.to_owned(),
        (reason, message) => format!("{reason}: {message}"),
    };
    Some((found["status"].as_str().unwrap_or_default(), text))
}

fn must(object: &Json, kind: &str) -> Ready {
    match condition(object, kind) {
        Some(("True", _)) => Ready::Ready,
        Some((_, why)) if !why.is_empty() => Ready::NotYet(format!("not {kind}: {why}")),
        _ => Ready::NotYet(format!("not {kind} yet")),
    }
}

fn phase(object: &Json, good: &[&str], bad: &[&str]) -> Ready {
    let phase = object["status"]["phase"].as_str().unwrap_or_default();
    if good.contains(&phase) {
        Ready::Ready
    } else if bad.contains(&phase) {
        Ready::Failed(format!("its phase is {phase}"))
    } else if phase.is_empty() {
        Ready::NotYet("it has no phase yet".to_owned())
    } else {
        Ready::NotYet(format!("its phase is {phase}"))
    }
}

/// A node that takes no pods is no help, whatever it says of itself.
fn node(object: &Json) -> Ready {
    const HINDERING: &[&str] = &[
        "node.cloudprovider.kubernetes.io/uninitialized",
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
    ];
    if object["spec"]["unschedulable"] == true {
        return Ready::NotYet("it is cordoned".to_owned());
    }
    let taints = object["spec"]["taints"].as_array().into_iter().flatten();
    for taint in taints.filter_map(|t| t["key"].as_str()) {
        if HINDERING.contains(&taint) {
            return Ready::NotYet(format!("it has the taint {taint}"));
        }
    }
    must(object, "Ready")
}

fn pod(object: &Json) -> Ready {
    match object["status"]["phase"].as_str() {
        Some("Succeeded") => return Ready::Ready,
        Some("Failed") => {
            let why = object["status"]["message"]
                .as_str()
                .unwrap_or("its phase is Failed");
            return Ready::Failed(why.to_owned());
        }
        _ => {}
    }
    let all = ["initContainerStatuses", "containerStatuses"];
    let statuses = all.iter().filter_map(|k| object["status"][k].as_array());
    for status in statuses.flatten() {
        if let Some(reason) = status["state"]["waiting"]["reason"].as_str() {
            let name = status["name"].as_str().unwrap_or_default();
            return Ready::NotYet(format!("container {name} waits: {reason}"));
        }
    }
    must(object, "Ready")
}

fn service(object: &Json) -> Ready {
    let balanced = object["spec"]["type"] == "LoadBalancer";
    Ready::when(!balanced || has_address(object), no_address)
}

fn ingress(object: &Json) -> Ready {
    Ready::when(has_address(object), no_address)
}

fn has_address(object: &Json) -> bool {
    object["status"]["loadBalancer"]["ingress"]
        .as_array()
        .is_some_and(|list| !list.is_empty())
}

fn no_address() -> String {
    "it has no load balancer address yet".to_owned()
}

fn number(json: &Json) -> u64 {
    json.as_u64().unwrap_or(0)
}

fn wanted_replicas(object: &Json) -> u64 {
    object["spec"]["replicas"].as_u64().unwrap_or(1)
}

fn deployment(object: &Json) -> Ready {
    if let Some(("False", why)) = condition(object, "Progressing")
        && why.starts_with("ProgressDeadlineExceeded")
    {
        // A fresh cluster that pulls every image is slower than a deadline made for healthy days, and
        // the controller goes on trying; the bound of the step ends the wait.
        return Ready::NotYet(why);
    }
    let status = &object["status"];
    if status["observedGeneration"].is_null() {
        return Ready::NotYet("its controller has not seen it yet".to_owned());
    }
    let wanted = wanted_replicas(object);
    let updated = number(&status["updatedReplicas"]);
    let available = number(&status["availableReplicas"]);
    let all = number(&status["replicas"]);
    if all > updated {
        return Ready::NotYet(format!("{} old replicas are left", all - updated));
    }
    Ready::when(updated >= wanted && available >= wanted, || {
        format!("{available} of {wanted} replicas are available")
    })
}

fn stateful_set(object: &Json) -> Ready {
    let status = &object["status"];
    if status["observedGeneration"].is_null() {
        return Ready::NotYet("its controller has not seen it yet".to_owned());
    }
    let wanted = wanted_replicas(object);
    let ready = number(&status["readyReplicas"]);
    if ready < wanted {
        return Ready::NotYet(format!("{ready} of {wanted} replicas are ready"));
    }
    let strategy = &object["spec"]["updateStrategy"];
    let partial = number(&strategy["rollingUpdate"]["partition"]) > 0;
    if strategy["type"] == "OnDelete" || partial {
        return Ready::Ready;
    }
    let same = status["currentRevision"] == status["updateRevision"];
    Ready::when(same, || "old replicas are left".to_owned())
}

fn daemon_set(object: &Json) -> Ready {
    let status = &object["status"];
    if status["observedGeneration"].is_null() {
        return Ready::NotYet("its controller has not seen it yet".to_owned());
    }
    let wanted = number(&status["desiredNumberScheduled"]);
    let updated = number(&status["updatedNumberScheduled"]);
    let available = number(&status["numberAvailable"]);
    Ready::when(updated >= wanted && available >= wanted, || {
        format!("{available} of {wanted} pods are available")
    })
}

fn replica_set(object: &Json) -> Ready {
    let wanted = wanted_replicas(object);
    let available = number(&object["status"]["availableReplicas"]);
    Ready::when(available >= wanted, || {
        format!("{available} of {wanted} replicas are available")
    })
}

fn job(object: &Json) -> Ready {
    if let Some(("True", why)) = condition(object, "Failed") {
        return Ready::Failed(why);
    }
    if object["spec"]["suspend"] == true {
        return Ready::NotYet("it is suspended".to_owned());
    }
    match condition(object, "Complete") {
        Some(("True", _)) => Ready::Ready,
        _ => Ready::NotYet("it has not completed yet".to_owned()),
    }
}

fn crd(object: &Json) -> Ready {
    if let Some(("False", why)) = condition(object, "NamesAccepted") {
        return Ready::Failed(format!("its names are not accepted: {why}"));
    }
    must(object, "Established")
}

/// Kinds of others: what they say in the conventional conditions, if they say anything.
fn anything(object: &Json) -> Ready {
    if let Some(("True", why)) = condition(object, "Stalled") {
        return Ready::Failed(why);
    }
    if let Some(("True", why)) = condition(object, "Reconciling") {
        return Ready::NotYet(format!("it is being reconciled: {why}"));
    }
    for kind in ["Ready", "Available"] {
        if condition(object, kind).is_some() {
            return must(object, kind);
        }
    }
    Ready::Ready
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn is_ready(object: &Json) -> &'static str {
        match ready(object) {
            Ready::Ready => "ready",
            Ready::NotYet(_) => "not yet",
            Ready::Failed(_) => "failed",
        }
    }

    #[test]
    fn each_kind_is_judged_by_its_own_rule() {
        let ok = |kind: &str| json!([{"type": kind, "status": "True"}]);
        let table = [
            (json!({"apiVersion": "v1", "kind": "ConfigMap"}), "ready"),
            (
                json!({"apiVersion": "v1", "kind": "Namespace", "status": {"phase": "Active"}}),
                "ready",
            ),
            (
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"deletionTimestamp": "t"},
                    "status": {"phase": "Terminating"}}),
                "not yet",
            ),
            (
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 0}}),
                "not yet",
            ),
            (
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"generation": 2},
                    "spec": {"replicas": 2}, "status": {"observedGeneration": 2, "replicas": 2,
                    "updatedReplicas": 2, "availableReplicas": 2}}),
                "ready",
            ),
            (
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"generation": 3},
                    "spec": {"replicas": 2}, "status": {"observedGeneration": 2, "replicas": 2,
                    "updatedReplicas": 2, "availableReplicas": 2}}),
                "not yet",
            ),
            (
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "status": {"conditions": [
                    {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]}}),
                "not yet",
            ),
            (
                json!({"apiVersion": "batch/v1", "kind": "Job", "status": {"conditions": ok("Complete")}}),
                "ready",
            ),
            (
                json!({"apiVersion": "batch/v1", "kind": "Job", "status": {"conditions": ok("Failed")}}),
                "failed",
            ),
            (
                json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "status": {"phase": "Lost"}}),
                "failed",
            ),
            (
                json!({"apiVersion": "v1", "kind": "Service", "spec": {"type": "LoadBalancer"}}),
                "not yet",
            ),
            (
                json!({"apiVersion": "v1", "kind": "Service", "spec": {"type": "ClusterIP"}}),
                "ready",
            ),
            (
                json!({"apiVersion": "v1", "kind": "Node", "spec": {"unschedulable": true},
                    "status": {"conditions": ok("Ready")}}),
                "not yet",
            ),
            (
                json!({"apiVersion": "v1", "kind": "Node", "status": {"conditions": ok("Ready")}}),
                "ready",
            ),
            (
                json!({"apiVersion": "x.example/v1", "kind": "Thing", "status": {"conditions": [
                    {"type": "Ready", "status": "False", "reason": "Boots"}]}}),
                "not yet",
            ),
        ];
        for (object, expected) in table {
            assert_eq!(is_ready(&object), expected, "{object}");
        }
    }
}
