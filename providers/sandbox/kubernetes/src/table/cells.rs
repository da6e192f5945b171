//! What single cells of tables say.

use drplan_api::Timestamp;
use serde_json::Value;

use super::age;
use crate::condition::has_condition;
use crate::object::is_ending;
use crate::object::text;

fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    let list = object.pointer(pointer).and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}

fn joined<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    parts.collect::<Vec<_>>().join(",")
}

fn none_if_empty(text: String) -> String {
    if text.is_empty() {
        "<none>".to_owned()
    } else {
        text
    }
}

pub(super) fn ready_containers(pod: &Value) -> String {
    let statuses = list(pod, "/status/containerStatuses");
    let ready = statuses
        .iter()
        .filter(|status| status["ready"] == true)
        .count();
    format!("{ready}/{}", list(pod, "/spec/containers").len())
}

/// The phase of a pod, or what keeps it from its next one.
pub(super) fn pod_status(pod: &Value) -> String {
    if is_ending(pod) {
        return "Terminating".to_owned();
    }
    let inits = list(pod, "/status/initContainerStatuses");
    let waiting = |status: &Value| {
        ["/state/waiting/reason", "/state/terminated/reason"]
            .iter()
            .map(|pointer| text(status, pointer))
            .find(|reason| !reason.is_empty())
            .map(str::to_owned)
    };
    let undone = inits
        .iter()
        .position(|status| status["state"]["terminated"]["exitCode"] != 0);
    if let Some(undone) = undone {
        return match waiting(&inits[undone]) {
            Some(reason) if reason != "PodInitializing" => format!("Init:{reason}"),
            _ => format!("Init:{undone}/{}", inits.len()),
        };
    }
    let statuses = list(pod, "/status/containerStatuses");
    let reason = statuses.iter().find_map(waiting);
    reason.unwrap_or_else(|| text(pod, "/status/phase").to_owned())
}

pub(super) fn restarts(pod: &Value) -> String {
    let statuses = list(pod, "/status/containerStatuses");
    let counts = statuses
        .iter()
        .filter_map(|status| status["restartCount"].as_u64());
    counts.sum::<u64>().to_string()
}

/// Names or images of the containers that a template has.
pub(super) fn containers(object: &Value, field: &str) -> String {
    let containers = list(object, "/spec/template/spec/containers");
    joined(
        containers
            .iter()
            .filter_map(|container| container[field].as_str()),
    )
}

pub(super) fn selector(selector: &Value) -> String {
    let labels = selector.get("matchLabels").unwrap_or(selector);
    let pairs = labels.as_object().into_iter().flatten();
    let pairs: Vec<_> = pairs
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    none_if_empty(pairs.join(","))
}

pub(super) fn job_status(job: &Value) -> &'static str {
    if has_condition(job, "Complete") {
        "Complete"
    } else if has_condition(job, "Failed") {
        "Failed"
    } else if job["spec"]["suspend"] == true {
        "Suspended"
    } else {
        "Running"
    }
}

pub(super) fn duration(job: &Value, now: Timestamp) -> String {
    let start = text(job, "/status/startTime");
    let end = text(job, "/status/completionTime");
    match (start, end.parse::<Timestamp>()) {
        ("", _) => String::new(),
        (start, Ok(end)) => age(start, end),
        (start, Err(_)) => age(start, now),
    }
}

/// The addresses of a load balancer.
pub(super) fn balancer(object: &Value) -> String {
    let ingress = list(object, "/status/loadBalancer/ingress");
    joined(ingress.iter().map(|address| match text(address, "/ip") {
        "" => text(address, "/hostname"),
        ip => ip,
    }))
}

pub(super) fn external_address(service: &Value) -> String {
    match text(service, "/spec/type") {
        "ExternalName" => text(service, "/spec/externalName").to_owned(),
        "LoadBalancer" => match balancer(service) {
            none if none.is_empty() => "<pending>".to_owned(),
            addresses => addresses,
        },
        _ => {
            let addresses = list(service, "/spec/externalIPs");
            none_if_empty(joined(addresses.iter().filter_map(Value::as_str)))
        }
    }
}

pub(super) fn ports(service: &Value) -> String {
    let port = |port: &Value| {
        let protocol = port["protocol"].as_str().unwrap_or("TCP");
        match port["nodePort"].as_u64() {
            Some(node) => format!("{}:{node}/{protocol}", port["port"]),
            None => format!("{}/{protocol}", port["port"]),
        }
    };
    let ports: Vec<_> = list(service, "/spec/ports").iter().map(port).collect();
    none_if_empty(ports.join(","))
}

pub(super) fn node_status(node: &Value) -> String {
    let ready = if has_condition(node, "Ready") {
        "Ready"
    } else {
        "NotReady"
    };
    match node["spec"]["unschedulable"] == true {
        true => format!("{ready},SchedulingDisabled"),
        false => ready.to_owned(),
    }
}

/// The phase of a claim or volume.
pub(super) fn phase(object: &Value) -> &str {
    match is_ending(object) {
        true => "Terminating",
        false => text(object, "/status/phase"),
    }
}

pub(super) fn access_modes(modes: &Value) -> String {
    let modes = modes
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    joined(modes.map(|mode| match mode {
        "ReadWriteOnce" => "RWO",
        "ReadOnlyMany" => "ROX",
        "ReadWriteMany" => "RWX",
        "ReadWriteOncePod" => "RWOP",
        other => other,
    }))
}

pub(super) fn claim_of(volume: &Value) -> String {
    let claim = &volume["spec"]["claimRef"];
    match claim.is_object() {
        true => format!("{}/{}", text(claim, "/namespace"), text(claim, "/name")),
        false => String::new(),
    }
}

pub(super) fn hosts(ingress: &Value) -> String {
    let rules = list(ingress, "/spec/rules").iter();
    let hosts = joined(
        rules
            .map(|rule| text(rule, "/host"))
            .filter(|host| !host.is_empty()),
    );
    if hosts.is_empty() {
        "*".to_owned()
    } else {
        hosts
    }
}
