//! Where pods run.
//!
//! Looks at selectors, required node affinity, taints and volumes. Does not know what a node can
//! hold: a rehearsed cluster has room for everything.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use crate::Ask;
use crate::Controller;
use crate::Turn;
use crate::Write;
use crate::children::Kind;
use crate::children::PODS;
use crate::condition;
use crate::condition::Condition;
use crate::condition::Times;
use crate::generated;
use crate::object::annotation;
use crate::object::is_deleting;
use crate::object::items;
use crate::object::name;
use crate::object::namespace;
use crate::object::set_annotation;
use crate::object::status_write;
use crate::object::text;
use crate::object::uid;
use crate::selector;
use crate::template::is_finished;

/// The node on which the first consumer of a claim will run.
pub(crate) const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";

const OWN_NAME: &str = "default-scheduler";

/// Binds pods to nodes.
#[derive(Debug)]
pub(crate) struct Scheduler;

impl Controller for Scheduler {
    fn name(&self) -> &'static str {
        "scheduler"
    }

    fn watches(&self) -> &'static [Kind] {
        &[
            PODS,
            ("", "Node"),
            ("", "PersistentVolume"),
            ("", "PersistentVolumeClaim"),
            ("storage.k8s.io", "StorageClass"),
        ]
    }

    fn user(&self) -> &'static str {
        "system:kube-scheduler"
    }

    fn manager(&self) -> &'static str {
        "kube-scheduler"
    }

    fn turn(&self, ask: Ask<'_>) -> Turn {
        let mut turn = Turn::default();
        let waiting = waiting(ask);
        if waiting.is_empty() {
            return turn;
        }
        let mut floor = Floor::new(ask);
        for pod in waiting {
            floor.place(ask, &pod, &mut turn.writes);
        }
        turn
    }
}

/// The pods without a node that the changes may concern.
fn waiting(ask: Ask<'_>) -> Vec<Arc<Value>> {
    let mut found = Vec::new();
    let mut namespaces = BTreeSet::new();
    let mut everywhere = false;
    for key in ask.changed {
        match (key.kind.as_str(), key.namespace.as_deref()) {
            ("Pod", Some(namespace)) => {
                found.extend(ask.view.get("", "Pod", Some(namespace), &key.name));
            }
            ("PersistentVolumeClaim", Some(namespace)) => {
                namespaces.insert(namespace);
            }
            _ => everywhere = true,
        }
    }
    if everywhere {
        found = ask.view.list("", "Pod");
    } else {
        found.retain(|pod| !namespaces.contains(namespace(pod)));
        for namespace in namespaces {
            found.extend(ask.view.list_in("", "Pod", namespace));
        }
    }
    found.retain(|pod| waits(pod));
    found
}

fn waits(pod: &Value) -> bool {
    let scheduler = pod["spec"]["schedulerName"].as_str().unwrap_or(OWN_NAME);
    let gated = !items(&pod["spec"]["schedulingGates"]).is_empty();
    pod["spec"]["nodeName"].as_str().is_none_or(str::is_empty)
        && scheduler == OWN_NAME
        && !gated
        && !is_deleting(pod)
        && !is_finished(pod)
}

/// The nodes, and how many pods each was given in this turn.
///
/// Older pods are not counted: that would cost a look at all of them for each new one.
struct Floor {
    nodes: Vec<Arc<Value>>,
    pods: BTreeMap<String, usize>,
    /// Claims for which a node was chosen in this turn.
    chosen: BTreeSet<(String, String)>,
}

/// What stands between a pod and its node.
enum Volumes {
    Ready,
    /// The volumes come once their claims name the node: those claims.
    Choose(Vec<Arc<Value>>),
    /// They are being made for the node that was chosen.
    Coming,
    Missing(String),
}

impl Floor {
    fn new(ask: Ask<'_>) -> Self {
        Self {
            nodes: ask.view.list("", "Node"),
            pods: BTreeMap::new(),
            chosen: BTreeSet::new(),
        }
    }

    fn place(&mut self, ask: Ask<'_>, pod: &Value, writes: &mut Vec<Write>) {
        let volumes = volumes(ask, pod);
        if let Volumes::Missing(why) = &volumes {
            let total = self.nodes.len();
            let message = format!("0/{total} nodes are available: {why}.");
            writes.extend(refusal(ask, pod, &message));
            return;
        }
        let Some(node) = self.best(ask, pod) else {
            let message = self.no_node(pod);
            writes.extend(refusal(ask, pod, &message));
            return;
        };
        match volumes {
            Volumes::Coming | Volumes::Missing(_) => {}
            Volumes::Choose(claims) => {
                for claim in claims {
                    let key = (namespace(&claim).to_owned(), name(&claim).to_owned());
                    if self.chosen.insert(key) {
                        let mut claim = claim.as_ref().clone();
                        set_annotation(&mut claim, SELECTED_NODE, &node);
                        writes.push(Write::Update(claim));
                    }
                }
            }
            Volumes::Ready => {
                *self.pods.entry(node.clone()).or_default() += 1;
                writes.push(Write::Bind {
                    namespace: namespace(pod).to_owned(),
                    name: name(pod).to_owned(),
                    uid: uid(pod).to_owned(),
                    node,
                });
            }
        }
    }

    /// The node with the fewest new pods of those that fit, drawn by the pod's uid if several have.
    fn best(&self, ask: Ask<'_>, pod: &Value) -> Option<String> {
        let tolerations = items(&pod["spec"]["tolerations"]);
        let pinned = pinned(ask, pod);
        let seed = ask.settings.seed.to_string();
        self.nodes
            .iter()
            .filter(|node| {
                takes_pods(node)
                    && selector::allows_node(&pod["spec"], node)
                    && selector::tolerates(tolerations, node)
                    && pinned.iter().all(|n| selector::allows_by_terms(n, node))
            })
            .map(|node| {
                let given = self.pods.get(name(node)).copied().unwrap_or(0);
                let drawn = generated::below(u32::MAX, &[&seed, uid(pod), name(node)]);
                (given, drawn, name(node))
            })
            .min()
            .map(|(_, _, node)| node.to_owned())
    }

    fn no_node(&self, pod: &Value) -> String {
        if self.nodes.is_empty() {
            return "no nodes available to schedule pods".to_owned();
        }
        let total = self.nodes.len();
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        let tolerations = items(&pod["spec"]["tolerations"]);
        for node in &self.nodes {
            let reason = if node["spec"]["unschedulable"] == true {
                "node(s) were unschedulable"
            } else if !selector::tolerates(tolerations, node) {
                "node(s) had untolerated taint(s)"
            } else if !selector::allows_node(&pod["spec"], node) {
                "node(s) didn't match Pod's node affinity/selector"
            } else if takes_pods(node) {
                "node(s) had volume node affinity conflict"
            } else {
                "node(s) were not ready"
            };
            *reasons.entry(reason).or_default() += 1;
        }
        let reasons = reasons.iter().map(|(why, count)| format!("{count} {why}"));
        let reasons: Vec<_> = reasons.collect();
        format!("0/{total} nodes are available: {}.", reasons.join(", "))
    }
}

fn takes_pods(node: &Value) -> bool {
    node["spec"]["unschedulable"] != true
        && !is_deleting(node)
        && condition::is_true(&node["status"], "Ready")
}

fn refusal(ask: Ask<'_>, pod: &Value, message: &str) -> Option<Write> {
    let mut status = pod["status"].clone();
    if !status.is_object() {
        status = serde_json::json!({});
    }
    if !status["phase"].is_string() {
        status["phase"] = "Pending".into();
    }
    let condition = Condition {
        kind: "PodScheduled",
        status: "False",
        reason: "Unschedulable",
        message,
    };
    condition::set(&mut status, &condition, Times::NullProbe, ask.now);
    status_write(pod, status)
}

/// The claims that a pod's volumes name, generic ephemeral ones included.
pub(crate) fn claim_names(pod: &Value) -> Vec<String> {
    let of_volume = |volume: &Value| {
        let claimed = volume["persistentVolumeClaim"]["claimName"].as_str();
        let made = || format!("{}-{}", name(pod), text(&volume["name"]));
        claimed
            .map(str::to_owned)
            .or_else(|| volume["ephemeral"].is_object().then(made))
    };
    items(&pod["spec"]["volumes"])
        .iter()
        .filter_map(of_volume)
        .collect()
}

fn volumes(ask: Ask<'_>, pod: &Value) -> Volumes {
    let mut choose = Vec::new();
    let mut coming = false;
    for claim_name in claim_names(pod) {
        let claim = ask.view.get(
            "",
            "PersistentVolumeClaim",
            Some(namespace(pod)),
            &claim_name,
        );
        let Some(claim) = claim else {
            return Volumes::Missing(format!("persistentvolumeclaim \"{claim_name}\" not found"));
        };
        if is_deleting(&claim) {
            let why = format!("persistentvolumeclaim \"{claim_name}\" is being deleted");
            return Volumes::Missing(why);
        }
        match text(&claim["status"]["phase"]) {
            "Bound" => {}
            "Lost" => {
                return Volumes::Missing(format!(
                    "persistentvolumeclaim \"{claim_name}\" bound to non-existent \
                     persistentvolume \"{}\"",
                    text(&claim["spec"]["volumeName"])
                ));
            }
            _ if !waits_for_consumer(ask, &claim) => {
                let why = "pod has unbound immediate PersistentVolumeClaims";
                return Volumes::Missing(why.to_owned());
            }
            _ if annotation(&claim, SELECTED_NODE).is_empty() => choose.push(claim),
            _ => coming = true,
        }
    }
    match (choose.is_empty(), coming) {
        (false, _) => Volumes::Choose(choose),
        (true, true) => Volumes::Coming,
        (true, false) => Volumes::Ready,
    }
}

/// A claim that names its volume waits for nobody.
fn waits_for_consumer(ask: Ask<'_>, claim: &Value) -> bool {
    if !text(&claim["spec"]["volumeName"]).is_empty() {
        return false;
    }
    let class = text(&claim["spec"]["storageClassName"]);
    ask.view
        .get("storage.k8s.io", "StorageClass", None, class)
        .is_some_and(|class| class["volumeBindingMode"] == "WaitForFirstConsumer")
}

/// The node selectors of the volumes that a pod has already.
fn pinned(ask: Ask<'_>, pod: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    for claim in claim_names(pod) {
        let claim = ask
            .view
            .get("", "PersistentVolumeClaim", Some(namespace(pod)), &claim);
        let volume = claim.and_then(|claim| {
            let volume = text(&claim["spec"]["volumeName"]);
            ask.view.get("", "PersistentVolume", None, volume)
        });
        let required = volume.map(|v| v["spec"]["nodeAffinity"]["required"].clone());
        found.extend(required.filter(Value::is_object));
    }
    found
}
