//! The status of a pod, put together from those of its containers.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;

use super::container::Place;
use super::container::Role;
use super::container::lets_next_start;
use super::container::status_of;
use super::needs;
use super::needs::Waiting;
use crate::Ask;
use crate::condition;
use crate::condition::Condition;
use crate::condition::Times;
use crate::generated;
use crate::object::items;
use crate::object::later;
use crate::object::number;
use crate::object::seconds;
use crate::object::stamp;
use crate::object::text;
use crate::object::time;
use crate::object::uid;
use crate::selector::quantity;
use crate::template::is_finished;

/// The network of the pods and how many addresses it has.
const POD_NETWORK: (Ipv4Addr, u32) = (Ipv4Addr::new(10, 244, 0, 0), 1 << 16);

/// The addresses that pods have, read when the first new one is needed.
#[derive(Default)]
pub(super) struct Addresses(Option<BTreeSet<String>>);

impl Addresses {
    fn draw(&mut self, ask: Ask<'_>, pod: &Value) -> String {
        let used = self.0.get_or_insert_with(|| {
            let pods = ask.view.list("", "Pod");
            let held = pods.iter().filter(|pod| !is_finished(pod));
            held.filter_map(|pod| pod["status"]["podIP"].as_str())
                .map(str::to_owned)
                .collect()
        });
        let seed = ask.settings.seed.to_string();
        let (network, size) = POD_NETWORK;
        let first = u32::from(generated::address(network, size, &[&seed, uid(pod)]));
        let base = u32::from(network);
        let at = |step: u32| base + 1 + (first - base - 1 + step) % (size - 2);
        let free = (0..size - 2)
            .map(|step| Ipv4Addr::from(at(step)).to_string())
            .find(|address| !used.contains(address));
        let address = free.unwrap_or_else(|| Ipv4Addr::from(first).to_string());
        used.insert(address.clone());
        address
    }
}

/// The status that a bound pod has now, and when it may change by itself.
pub(super) fn next(
    ask: Ask<'_>,
    pod: &Value,
    addresses: &mut Addresses,
) -> (Value, Option<Timestamp>) {
    let mut status = begun(ask, pod);
    let mut wakes = Vec::new();
    if !status["podIP"].is_string() && status["phase"] == "Pending" {
        let since = time(&status["startTime"]).unwrap_or(ask.now);
        let start = later(since, ask.settings.durations.pod_start);
        if start > ask.now {
            wakes.push(start);
        } else if needs::can_mount(ask, pod) {
            give_address(ask, pod, &mut status, addresses);
        }
    }
    let (initialized, ended) = containers(ask, pod, &mut status, &mut wakes);
    phase(&mut status);
    conditions(ask, pod, &mut status, initialized);
    if let Some(deadline) = deadline(pod, &status)
        && !ended
    {
        if deadline > ask.now {
            wakes.push(deadline);
        } else {
            status["phase"] = "Failed".into();
            status["reason"] = "DeadlineExceeded".into();
            status["message"] =
                "Pod was active on the node longer than the specified deadline".into();
            conditions(ask, pod, &mut status, initialized);
        }
    }
    (status, wakes.into_iter().min())
}

fn deadline(pod: &Value, status: &Value) -> Option<Timestamp> {
    let limit = pod["spec"]["activeDeadlineSeconds"].as_i64()?;
    Some(later(time(&status["startTime"])?, seconds(limit)))
}

fn begun(ask: Ask<'_>, pod: &Value) -> Value {
    let mut status = match &pod["status"] {
        Value::Object(_) => pod["status"].clone(),
        _ => json!({}),
    };
    if !status["phase"].is_string() {
        status["phase"] = "Pending".into();
    }
    if !status["startTime"].is_string() {
        status["startTime"] = stamp(ask.now);
        status["qosClass"] = quality(pod).into();
        if pod["metadata"]["generation"].is_number() {
            status["observedGeneration"] = pod["metadata"]["generation"].clone();
        }
        if let Some(address) = host_address(ask, pod) {
            status["hostIP"] = address.clone().into();
            status["hostIPs"] = json!([{"ip": address}]);
        }
    }
    status
}

fn host_address(ask: Ask<'_>, pod: &Value) -> Option<String> {
    let node = text(&pod["spec"]["nodeName"]);
    let node = ask.view.get("", "Node", None, node)?;
    let addresses = items(&node["status"]["addresses"]);
    let internal = addresses.iter().find(|a| a["type"] == "InternalIP")?;
    Some(text(&internal["address"]).to_owned())
}

fn give_address(ask: Ask<'_>, pod: &Value, status: &mut Value, addresses: &mut Addresses) {
    let host = status["hostIP"].as_str().map(str::to_owned);
    let address = match host {
        Some(host) if pod["spec"]["hostNetwork"] == true => host,
        _ => addresses.draw(ask, pod),
    };
    status["podIPs"] = json!([{"ip": address}]);
    status["podIP"] = address.into();
}

/// Guaranteed, Burstable or BestEffort.
fn quality(pod: &Value) -> &'static str {
    let all = items(&pod["spec"]["containers"]);
    let asks = |c: &Value| {
        let given = |v: &Value| v.as_object().is_some_and(|map| !map.is_empty());
        given(&c["resources"]["requests"]) || given(&c["resources"]["limits"])
    };
    let strict = |c: &Value| {
        ["cpu", "memory"].iter().all(|kind| {
            let limit = &c["resources"]["limits"][kind];
            let request = &c["resources"]["requests"][kind];
            !limit.is_null()
                && (request.is_null() || quantity(request) == quantity(limit) && request == limit)
        })
    };
    if !all.iter().any(asks) {
        "BestEffort"
    } else if all.iter().all(strict) {
        "Guaranteed"
    } else {
        "Burstable"
    }
}

/// Steps all containers; returns whether the init containers are done, and whether all is over.
fn containers(
    ask: Ask<'_>,
    pod: &Value,
    status: &mut Value,
    wakes: &mut Vec<Timestamp>,
) -> (bool, bool) {
    let inits = items(&pod["spec"]["initContainers"]);
    let mains = items(&pod["spec"]["containers"]);
    let mut row = Row {
        ask,
        pod,
        open: status["podIP"].is_string(),
        reason: if inits.is_empty() {
            "ContainerCreating"
        } else {
            "PodInitializing"
        },
        wakes,
    };
    let mut stepped = Vec::new();
    for container in inits {
        let role = Role::of_init(container);
        let next = row.step(container, role, &status["initContainerStatuses"]);
        row.open = row.open && lets_next_start(role, &next);
        stepped.push(next);
    }
    let initialized = inits.is_empty() || row.open;
    if !inits.is_empty() {
        status["initContainerStatuses"] = stepped.into();
    }
    let old = &status["containerStatuses"];
    let stepped = mains.iter().map(|c| row.step(c, Role::Main, old));
    let stepped: Vec<_> = stepped.collect();
    let ended = !stepped.is_empty() && stepped.iter().all(|s| s["state"]["terminated"].is_object());
    status["containerStatuses"] = stepped.into();
    (initialized, ended)
}

/// The containers of a pod, one after the other.
struct Row<'a> {
    ask: Ask<'a>,
    pod: &'a Value,
    /// Whether the next may start.
    open: bool,
    /// Why it may not.
    reason: &'static str,
    wakes: &'a mut Vec<Timestamp>,
}

impl Row<'_> {
    fn step(&mut self, container: &Value, role: Role, statuses: &Value) -> Value {
        let place = Place {
            ask: self.ask,
            pod: self.pod,
            container,
            role,
        };
        if !self.open {
            return place.waiting(&Waiting {
                reason: self.reason,
                message: String::new(),
            });
        }
        let (stepped, wake) = place.step(status_of(statuses, container));
        self.wakes.extend(wake);
        stepped
    }
}

fn phase(status: &mut Value) {
    let all = items(&status["containerStatuses"]);
    let ended = |s: &Value| s["state"]["terminated"].is_object();
    let begun = |s: &Value| {
        s["state"]["running"].is_object() || ended(s) || number(&s["restartCount"], 0) > 0
    };
    let phase = if !all.is_empty() && all.iter().all(ended) {
        let well = all
            .iter()
            .all(|s| s["state"]["terminated"]["exitCode"] == 0);
        if well { "Succeeded" } else { "Failed" }
    } else if all.iter().any(begun) {
        "Running"
    } else {
        "Pending"
    };
    status["phase"] = phase.into();
}

fn conditions(ask: Ask<'_>, pod: &Value, status: &mut Value, initialized: bool) {
    let phase = text(&status["phase"]).to_owned();
    let over = match phase.as_str() {
        "Succeeded" => "PodCompleted",
        "Failed" => "PodFailed",
        _ => "",
    };
    let idle = |list: &Value, ready: fn(&Value) -> bool| -> String {
        let names = items(list).iter().filter(|s| !ready(s));
        let names: Vec<_> = names.map(|s| text(&s["name"])).collect();
        format!("[{}]", names.join(" "))
    };
    let unready = idle(&status["containerStatuses"], |s| s["ready"] == true);
    let uninitialized = idle(&status["initContainerStatuses"], |s| {
        s["state"]["terminated"]["exitCode"] == 0 || s["started"] == true
    });
    let ready = unready == "[]" && initialized && over.is_empty();
    let gates = items(&pod["spec"]["readinessGates"])
        .iter()
        .all(|gate| condition::is_true(status, text(&gate["conditionType"])));
    let running = status["podIP"].is_string() && over.is_empty();
    let (reason, why) = match (over, ready) {
        ("", false) => (
            "ContainersNotReady",
            format!("containers with unready status: {unready}"),
        ),
        (over, _) => (over, String::new()),
    };
    let mut say = |kind: &str, holds: bool, reason: &str, message: &str| {
        let condition = Condition {
            kind,
            status: condition::word(holds),
            reason: if holds && over.is_empty() { "" } else { reason },
            message: if holds { "" } else { message },
        };
        condition::set(status, &condition, Times::NullProbe, ask.now);
    };
    say("PodReadyToStartContainers", running, "", "");
    say(
        "Initialized",
        initialized,
        if initialized {
            over
        } else {
            "ContainersNotInitialized"
        },
        &format!("containers with incomplete status: {uninitialized}"),
    );
    if gates || !ready {
        say("Ready", ready, reason, &why);
    } else {
        let why = "the status of pod readiness gates is not \"True\"";
        say("Ready", false, "ReadinessGatesNotReady", why);
    }
    say("ContainersReady", ready, reason, &why);
    say("PodScheduled", true, "", "");
}
