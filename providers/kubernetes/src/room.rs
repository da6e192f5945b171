//! How much room objects ask for, and how much nodes have left. Pure.
//!
//! As the scheduler counts: requests, not use. What an autoscaler or a quota would change is not known.

use drplan_api::Json;
use drplan_api::Room;

use crate::normalise::quantity;
use crate::ready::Ready;
use crate::ready::ready;

/// Nanos in a thousandth of a CPU.
const NANOS_PER_MILLI: i128 = 1_000_000;
/// Nanos in a byte.
const NANOS_PER_UNIT: i128 = 1_000_000_000;

/// What an object asks for once its controller has made its pods. A DaemonSet counts once, since nobody
/// knows here how many nodes there are; what another object owns is counted with its owner.
pub fn asked(object: &Json) -> Room {
    let is_owned = object["metadata"]["ownerReferences"]
        .as_array()
        .is_some_and(|owners| owners.iter().any(|owner| owner["controller"] == true));
    if is_owned {
        return Room::default();
    }
    let spec = &object["spec"];
    let template = &spec["template"]["spec"];
    let count = |field: &str| spec[field].as_u64().unwrap_or(1);
    match object["kind"].as_str().unwrap_or_default() {
        "Pod" => pod(spec),
        "Deployment" | "StatefulSet" | "ReplicaSet" | "ReplicationController" => {
            pod(template).times(count("replicas"))
        }
        "DaemonSet" => pod(template),
        "Job" if spec["suspend"] != true => pod(template).times(count("parallelism")),
        _ => Room::default(),
    }
}

/// What a pod reserves on its node: its containers together, or more if starting takes more.
fn pod(spec: &Json) -> Room {
    let list = |field: &str| {
        spec[field]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default()
    };
    let stays = |container: &&Json| container["restartPolicy"] == "Always";
    let sidecars: Room = list("initContainers")
        .iter()
        .filter(stays)
        .map(reserves)
        .sum();
    let running: Room = list("containers").iter().map(reserves).sum();
    let start = list("initContainers")
        .iter()
        .filter(|c| !stays(c))
        .map(reserves);
    let start = start.fold(Room::default(), Room::or_more);
    let mut out = (running + sidecars).or_more(start + sidecars) + amounts(&spec["overhead"]);
    out.pods = 1;
    out
}

/// What a container reserves. What it does not request is its limit: the API server writes that down in
/// Pods only, and in templates it does not stand.
fn reserves(container: &Json) -> Room {
    let resources = &container["resources"];
    amounts_in(|resource| match &resources["requests"][resource] {
        Json::Null => &resources["limits"][resource],
        requested => requested,
    })
}

/// What nodes that take work have, without what is reserved on them.
pub(crate) fn free<'a>(
    nodes: impl IntoIterator<Item = &'a Json>,
    pods: impl IntoIterator<Item = &'a Json>,
) -> Room {
    let usable = nodes.into_iter().filter(|node| ready(node) == Ready::Ready);
    let usable = usable.filter(|node| !keeps_off(node));
    let usable: std::collections::BTreeMap<&str, Room> = usable
        .filter_map(|node| {
            let name = node["metadata"]["name"].as_str()?;
            Some((name, amounts(&node["status"]["allocatable"])))
        })
        .collect();
    let reserved = pods.into_iter().filter(|found| {
        let node = found["spec"]["nodeName"].as_str().unwrap_or_default();
        let has_ended = matches!(
            found["status"]["phase"].as_str(),
            Some("Succeeded" | "Failed")
        );
        usable.contains_key(node) && !has_ended
    });
    let reserved: Room = reserved.map(|found| pod(&found["spec"])).sum();
    usable.values().copied().sum::<Room>().without(reserved)
}

/// Whether a node refuses whatever does not ask for it expressly.
fn keeps_off(node: &Json) -> bool {
    let taints = node["spec"]["taints"].as_array().into_iter().flatten();
    let mut effects = taints.filter_map(|taint| taint["effect"].as_str());
    effects.any(|effect| matches!(effect, "NoSchedule" | "NoExecute"))
}

fn amounts(of: &Json) -> Room {
    amounts_in(|resource| &of[resource])
}

fn amounts_in<'a>(of: impl Fn(&str) -> &'a Json) -> Room {
    let amount = |resource: &str, unit: i128| {
        let nanos = quantity::nanos(of(resource)).unwrap_or_default();
        u64::try_from(nanos / unit).unwrap_or_default()
    };
    Room {
        cpu_m: amount("cpu", NANOS_PER_MILLI),
        memory_bytes: amount("memory", NANOS_PER_UNIT),
        pods: amount("pods", NANOS_PER_UNIT),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn container(cpu: &str, memory: &str) -> Json {
        json!({"resources": {"requests": {"cpu": cpu, "memory": memory}}})
    }

    #[test]
    fn a_deployment_asks_for_what_its_pods_reserve_together() {
        let mut sidecar = container("50m", "10Mi");
        sidecar["restartPolicy"] = "Always".into();
        let deployment = json!({"kind": "Deployment", "spec": {"replicas": 3, "template": {"spec": {
            "containers": [container("100m", "64Mi"), container("0.1", "64Mi")],
            "initContainers": [sidecar, container("1", "1Mi")],
        }}}});
        let asked = asked(&deployment);
        assert_eq!(
            (asked.cpu_m, asked.memory_bytes, asked.pods),
            (3 * 1_050, 3 * 138 * MIB, 3)
        );
    }

    #[test]
    fn what_a_container_does_not_request_is_its_limit() {
        let limited = json!({"resources": {
            "limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "250m"}}});
        let only_limits = json!({"resources": {"limits": {"cpu": "100m", "memory": "64Mi"}}});
        let deployment = json!({"kind": "Deployment", "spec": {"replicas": 2, "template": {"spec": {
            "containers": [limited, only_limits, {}]}}}});
        let asked = asked(&deployment);
        assert_eq!(
            (asked.cpu_m, asked.memory_bytes, asked.pods),
            (2 * 350, 2 * 1_088 * MIB, 2)
        );
    }

    #[test]
    fn what_an_owner_makes_again_and_what_makes_no_pods_asks_for_nothing() {
        let owned = json!({"kind": "Pod", "metadata": {"ownerReferences": [{"controller": true}]},
            "spec": {"containers": [container("1", "1Gi")]}});
        assert!(asked(&owned).is_none());
        assert!(asked(&json!({"kind": "ConfigMap"})).is_none());
        let paused = json!({"kind": "Deployment", "spec": {"replicas": 0, "template": {"spec": {
            "containers": [container("1", "1Gi")]}}}});
        assert!(asked(&paused).is_none());
    }

    #[test]
    fn free_is_what_usable_nodes_have_without_what_is_reserved_there() {
        let node = |name: &str, more: Json| {
            let mut node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name},
                "spec": {},
                "status": {"allocatable": {"cpu": "2", "memory": "1Gi", "pods": "10"},
                    "conditions": [{"type": "Ready", "status": "True"}]}});
            node["spec"] = more;
            node
        };
        let nodes = [
            node("a", json!({})),
            node(
                "tainted",
                json!({"taints": [{"key": "k", "effect": "NoSchedule"}]}),
            ),
            node("cordoned", json!({"unschedulable": true})),
        ];
        let running = |node: &str, phase: &str| {
            json!({"spec": {"nodeName": node, "containers": [container("500m", "256Mi")]},
                "status": {"phase": phase}})
        };
        let pods = [
            running("a", "Running"),
            running("a", "Succeeded"),
            running("tainted", "Running"),
            running("", "Pending"),
        ];
        let free = free(&nodes, &pods);
        assert_eq!(
            (free.cpu_m, free.memory_bytes, free.pods),
            (1_500, 768 * MIB, 9)
        );
    }
}
