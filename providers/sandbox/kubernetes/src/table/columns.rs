//! The columns that built-in kinds have in tables beside their name.

use drplan_api::Timestamp;
use serde_json::Value;
use serde_json::json;

use super::age;
use super::cells;
use crate::object;
use crate::object::text;

/// A column: its name, its type, whether only wide tables show it, and how its cell is made.
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    pub(super) priority: i64,
    pub(super) cell: fn(&Value, Timestamp) -> Value,
}

const fn column(name: &'static str, cell: fn(&Value, Timestamp) -> Value) -> Column {
    Column {
        name,
        kind: "string",
        priority: 0,
        cell,
    }
}

const fn number(name: &'static str, cell: fn(&Value, Timestamp) -> Value) -> Column {
    Column {
        name,
        kind: "integer",
        priority: 0,
        cell,
    }
}

const fn wide(name: &'static str, cell: fn(&Value, Timestamp) -> Value) -> Column {
    Column {
        name,
        kind: "string",
        priority: 1,
        cell,
    }
}

const AGE: Column = column("Age", |o, now| {
    json!(age(text(o, "/metadata/creationTimestamp"), now))
});

/// What kinds show of which nothing more is known.
const PLAIN: &[Column] = &[AGE];

const CREATED: &[Column] = &[Column {
    name: "Created At",
    kind: "date",
    priority: 0,
    cell: |o, _| json!(text(o, "/metadata/creationTimestamp")),
}];

const POD: &[Column] = &[
    column("Ready", |o, _| json!(cells::ready_containers(o))),
    column("Status", |o, _| json!(cells::pod_status(o))),
    column("Restarts", |o, _| json!(cells::restarts(o))),
    AGE,
    wide("IP", |o, _| or_none(text(o, "/status/podIP"))),
    wide("Node", |o, _| or_none(text(o, "/spec/nodeName"))),
    wide("Nominated Node", |o, _| {
        or_none(text(o, "/status/nominatedNodeName"))
    }),
    wide("Readiness Gates", |_, _| json!("<none>")),
];

const DEPLOYMENT: &[Column] = &[
    column("Ready", |o, _| json!(of_wanted(o, "/status/readyReplicas"))),
    column("Up-to-date", |o, _| count(o, "/status/updatedReplicas")),
    column("Available", |o, _| count(o, "/status/availableReplicas")),
    AGE,
    wide("Containers", |o, _| json!(cells::containers(o, "name"))),
    wide("Images", |o, _| json!(cells::containers(o, "image"))),
    wide("Selector", |o, _| {
        json!(cells::selector(&o["spec"]["selector"]))
    }),
];

const REPLICA_SET: &[Column] = &[
    number("Desired", |o, _| count(o, "/spec/replicas")),
    number("Current", |o, _| count(o, "/status/replicas")),
    number("Ready", |o, _| count(o, "/status/readyReplicas")),
    AGE,
    wide("Containers", |o, _| json!(cells::containers(o, "name"))),
    wide("Images", |o, _| json!(cells::containers(o, "image"))),
    wide("Selector", |o, _| {
        json!(cells::selector(&o["spec"]["selector"]))
    }),
];

const STATEFUL_SET: &[Column] = &[
    column("Ready", |o, _| json!(of_wanted(o, "/status/readyReplicas"))),
    AGE,
    wide("Containers", |o, _| json!(cells::containers(o, "name"))),
    wide("Images", |o, _| json!(cells::containers(o, "image"))),
];

const DAEMON_SET: &[Column] = &[
    number("Desired", |o, _| count(o, "/status/desiredNumberScheduled")),
    number("Current", |o, _| count(o, "/status/currentNumberScheduled")),
    number("Ready", |o, _| count(o, "/status/numberReady")),
    number("Up-to-date", |o, _| {
        count(o, "/status/updatedNumberScheduled")
    }),
    number("Available", |o, _| count(o, "/status/numberAvailable")),
    column("Node Selector", |o, _| {
        json!(cells::selector(
            &o["spec"]["template"]["spec"]["nodeSelector"]
        ))
    }),
    AGE,
];

const JOB: &[Column] = &[
    column("Status", |o, _| json!(cells::job_status(o))),
    column("Completions", |o, _| {
        let wanted = o["spec"]["completions"].as_u64().unwrap_or(1);
        json!(format!("{}/{wanted}", count(o, "/status/succeeded")))
    }),
    column("Duration", |o, now| json!(cells::duration(o, now))),
    AGE,
];

const CRON_JOB: &[Column] = &[
    column("Schedule", |o, _| json!(text(o, "/spec/schedule"))),
    column("Timezone", |o, _| or_none(text(o, "/spec/timeZone"))),
    Column {
        kind: "boolean",
        ..column("Suspend", |o, _| {
            json!(if o["spec"]["suspend"] == true {
                "True"
            } else {
                "False"
            })
        })
    },
    number("Active", |o, _| json!(length(&o["status"]["active"]))),
    column("Last Schedule", |o, now| {
        match text(o, "/status/lastScheduleTime") {
            "" => json!("<none>"),
            time => json!(age(time, now)),
        }
    }),
    AGE,
];

const SERVICE: &[Column] = &[
    column("Type", |o, _| json!(text(o, "/spec/type"))),
    column("Cluster-IP", |o, _| or_none(text(o, "/spec/clusterIP"))),
    column("External-IP", |o, _| json!(cells::external_address(o))),
    column("Port(s)", |o, _| json!(cells::ports(o))),
    AGE,
    wide("Selector", |o, _| {
        json!(cells::selector(&o["spec"]["selector"]))
    }),
];

const CONFIG_MAP: &[Column] = &[
    column("Data", |o, _| {
        json!(length(&o["data"]) + length(&o["binaryData"]))
    }),
    AGE,
];

const SECRET: &[Column] = &[
    column("Type", |o, _| json!(text(o, "/type"))),
    column("Data", |o, _| json!(length(&o["data"]))),
    AGE,
];

const NAMESPACE: &[Column] = &[
    column("Status", |o, _| json!(text(o, "/status/phase"))),
    AGE,
];

const NODE: &[Column] = &[
    column("Status", |o, _| json!(cells::node_status(o))),
    column("Roles", |_, _| json!("<none>")),
    AGE,
    column("Version", |o, _| {
        json!(text(o, "/status/nodeInfo/kubeletVersion"))
    }),
];

const CLAIM: &[Column] = &[
    column("Status", |o, _| json!(cells::phase(o))),
    column("Volume", |o, _| json!(text(o, "/spec/volumeName"))),
    column("Capacity", |o, _| {
        json!(text(o, "/status/capacity/storage"))
    }),
    column("Access Modes", |o, _| {
        json!(cells::access_modes(&o["status"]["accessModes"]))
    }),
    column("StorageClass", |o, _| {
        json!(text(o, "/spec/storageClassName"))
    }),
    column("VolumeAttributesClass", |_, _| json!("<unset>")),
    AGE,
    wide("VolumeMode", |o, _| json!(text(o, "/spec/volumeMode"))),
];

const VOLUME: &[Column] = &[
    column("Capacity", |o, _| json!(text(o, "/spec/capacity/storage"))),
    column("Access Modes", |o, _| {
        json!(cells::access_modes(&o["spec"]["accessModes"]))
    }),
    column("Reclaim Policy", |o, _| {
        json!(text(o, "/spec/persistentVolumeReclaimPolicy"))
    }),
    column("Status", |o, _| json!(cells::phase(o))),
    column("Claim", |o, _| json!(cells::claim_of(o))),
    column("StorageClass", |o, _| {
        json!(text(o, "/spec/storageClassName"))
    }),
    column("VolumeAttributesClass", |_, _| json!("<unset>")),
    column("Reason", |o, _| json!(text(o, "/status/reason"))),
    AGE,
    wide("VolumeMode", |o, _| json!(text(o, "/spec/volumeMode"))),
];

const STORAGE_CLASS: &[Column] = &[
    column("Provisioner", |o, _| json!(text(o, "/provisioner"))),
    column("ReclaimPolicy", |o, _| json!(text(o, "/reclaimPolicy"))),
    column("VolumeBindingMode", |o, _| {
        json!(text(o, "/volumeBindingMode"))
    }),
    column("AllowVolumeExpansion", |o, _| {
        json!(o["allowVolumeExpansion"] == true)
    }),
    AGE,
];

const INGRESS: &[Column] = &[
    column("Class", |o, _| or_none(text(o, "/spec/ingressClassName"))),
    column("Hosts", |o, _| json!(cells::hosts(o))),
    column("Address", |o, _| json!(cells::balancer(o))),
    column("Ports", |o, _| {
        json!(if length(&o["spec"]["tls"]) > 0 {
            "80, 443"
        } else {
            "80"
        })
    }),
    AGE,
];

const WEBHOOKS: &[Column] = &[
    number("Webhooks", |o, _| json!(length(&o["webhooks"]))),
    AGE,
];

/// The columns of a built-in kind.
pub(super) fn of(kind: &str) -> &'static [Column] {
    match kind {
        "Pod" => POD,
        "Deployment" => DEPLOYMENT,
        "ReplicaSet" | "ReplicationController" => REPLICA_SET,
        "StatefulSet" => STATEFUL_SET,
        "DaemonSet" => DAEMON_SET,
        "Job" => JOB,
        "CronJob" => CRON_JOB,
        "Service" => SERVICE,
        "ConfigMap" => CONFIG_MAP,
        "Secret" => SECRET,
        "Namespace" => NAMESPACE,
        "Node" => NODE,
        "PersistentVolumeClaim" => CLAIM,
        "PersistentVolume" => VOLUME,
        "StorageClass" => STORAGE_CLASS,
        "Ingress" => INGRESS,
        "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" => WEBHOOKS,
        "ClusterRole" | "CustomResourceDefinition" | "Role" => CREATED,
        _ => PLAIN,
    }
}

fn or_none(text: &str) -> Value {
    json!(if text.is_empty() { "<none>" } else { text })
}

fn count(object: &Value, pointer: &str) -> Value {
    json!(object.pointer(pointer).and_then(Value::as_u64).unwrap_or(0))
}

fn of_wanted(object: &Value, pointer: &str) -> String {
    format!(
        "{}/{}",
        count(object, pointer),
        count(object, "/spec/replicas")
    )
}

fn length(value: &Value) -> usize {
    match value {
        Value::Object(map) => map.len(),
        Value::Array(list) => list.len(),
        _ => 0,
    }
}

/// The name of an object, which every table shows first.
pub(super) fn name(object: &Value) -> Value {
    json!(object::name(object))
}
