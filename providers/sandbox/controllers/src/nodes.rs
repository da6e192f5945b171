//! Nodes: they are ready as soon as they are registered, and say so again and again.

use serde_json::Value;
use serde_json::json;

use crate::Ask;
use crate::Controller;
use crate::Key;
use crate::Turn;
use crate::Write;
use crate::children::Kind;
use crate::condition;
use crate::condition::Condition;
use crate::condition::Times;
use crate::generated;
use crate::object::items;
use crate::object::later;
use crate::object::name;
use crate::object::stamp;
use crate::object::status_write;
use crate::object::text;
use crate::object::time;
use crate::object::uid;

const NODES: Kind = ("", "Node");
const LEASES: Kind = ("coordination.k8s.io", "Lease");
const LEASE_NAMESPACE: &str = "kube-node-lease";

/// What a node's lease is valid for, in seconds.
const LEASE_S: u64 = 40;

/// The network of the nodes and how many addresses it has.
const NODE_NETWORK: (std::net::Ipv4Addr, u32) = (std::net::Ipv4Addr::new(172, 18, 0, 0), 1 << 16);

const NOT_READY: &str = "node.kubernetes.io/not-ready";
const CORDONED: &str = "node.kubernetes.io/unschedulable";

/// Readies nodes and renews their leases.
#[derive(Debug)]
pub(crate) struct Nodes;

impl Controller for Nodes {
    fn name(&self) -> &'static str {
        "nodes"
    }

    fn watches(&self) -> &'static [Kind] {
        &[NODES]
    }

    fn user(&self) -> &'static str {
        "system:node"
    }

    fn manager(&self) -> &'static str {
        "kubelet"
    }

    fn turn(&self, ask: Ask<'_>) -> Turn {
        let mut turn = Turn::default();
        for key in ask.changed {
            if let Some(node) = ask.view.get(NODES.0, NODES.1, None, &key.name) {
                ready(ask, &node, &mut turn);
                lease(ask, key, &node, &mut turn);
            }
        }
        turn
    }
}

fn ready(ask: Ask<'_>, node: &Value, turn: &mut Turn) {
    if condition::find(&node["status"], "Ready").is_none() {
        turn.writes
            .extend(status_write(node, registered(ask, node)));
        return;
    }
    let old = items(&node["spec"]["taints"]);
    let cordoned = node["spec"]["unschedulable"] == true;
    let ready = condition::is_true(&node["status"], "Ready");
    let stays = |taint: &&Value| match text(&taint["key"]) {
        NOT_READY => !ready,
        CORDONED => cordoned,
        _ => true,
    };
    let mut new: Vec<_> = old.iter().filter(stays).cloned().collect();
    if cordoned && !old.iter().any(|taint| taint["key"] == CORDONED) {
        let since = stamp(ask.now);
        new.push(json!({"key": CORDONED, "effect": "NoSchedule", "timeAdded": since}));
    }
    if new != old {
        let mut node = node.clone();
        node["spec"]["taints"] = new.into();
        turn.writes.push(Write::Update(node));
    }
}

/// The status that a kubelet gives to its node; what the node says already stays.
fn registered(ask: Ask<'_>, node: &Value) -> Value {
    let mut status = match &node["status"] {
        Value::Object(_) => node["status"].clone(),
        _ => json!({}),
    };
    let seed = ask.settings.seed.to_string();
    let (network, size) = NODE_NETWORK;
    let address = generated::address(network, size, &[&seed, uid(node)]).to_string();
    let resources = json!({
        "cpu": "16", "memory": "64Gi", "ephemeral-storage": "512Gi", "pods": "1000",
    });
    for (field, value) in [
        (
            "addresses",
            json!([
                {"type": "InternalIP", "address": address},
                {"type": "Hostname", "address": name(node)},
            ]),
        ),
        ("capacity", resources.clone()),
        ("allocatable", resources),
    ] {
        if status[field].is_null() {
            status[field] = value;
        }
    }
    for (kind, holds, reason, message) in [
        (
            "MemoryPressure",
            false,
            "KubeletHasSufficientMemory",
            "kubelet has sufficient memory available",
        ),
        (
            "DiskPressure",
            false,
            "KubeletHasNoDiskPressure",
            "kubelet has no disk pressure",
        ),
        (
            "PIDPressure",
            false,
            "KubeletHasSufficientPID",
            "kubelet has sufficient PID available",
        ),
        (
            "Ready",
            true,
            "KubeletReady",
            "kubelet is posting ready status",
        ),
    ] {
        let condition = Condition {
            kind,
            status: condition::word(holds),
            reason,
            message,
        };
        condition::set(&mut status, &condition, Times::Heartbeat, ask.now);
    }
    status
}

fn lease(ask: Ask<'_>, key: &Key, node: &Value, turn: &mut Turn) {
    let every = ask.settings.durations.lease_renew;
    let (group, kind) = LEASES;
    let old = ask.view.get(group, kind, Some(LEASE_NAMESPACE), name(node));
    let renewed = ask.now.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string();
    match old {
        None => turn.writes.push(Write::Create(json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": name(node),
                "namespace": LEASE_NAMESPACE,
                "ownerReferences": [{
                    "apiVersion": "v1", "kind": "Node", "name": name(node), "uid": uid(node),
                }],
            },
            "spec": {
                "holderIdentity": name(node),
                "leaseDurationSeconds": LEASE_S,
                "renewTime": renewed,
            },
        }))),
        Some(_) if every.is_zero() => return,
        Some(old) => {
            let last = time(&old["spec"]["renewTime"]).unwrap_or(ask.now);
            let due = later(last, every);
            if due > ask.now {
                turn.again.push((key.clone(), due));
                return;
            }
            let mut new = old.as_ref().clone();
            new["spec"]["renewTime"] = renewed.into();
            turn.writes.push(Write::Update(new));
        }
    }
    if !every.is_zero() {
        turn.again.push((key.clone(), later(ask.now, every)));
    }
}
