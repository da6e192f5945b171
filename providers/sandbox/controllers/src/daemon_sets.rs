//! DaemonSets: one pod on each node that takes it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;

use crate::Ask;
use crate::Controller;
use crate::Key;
use crate::Turn;
use crate::Write;
use crate::children::Children;
use crate::children::Kind;
use crate::children::PODS;
use crate::children::Scope;
use crate::children::parents;
use crate::children::scopes;
use crate::names::Names;
use crate::object::Round;
use crate::object::annotation;
use crate::object::delete;
use crate::object::is_deleting;
use crate::object::items;
use crate::object::label;
use crate::object::name;
use crate::object::set_count;
use crate::object::share;
use crate::object::status_write;
use crate::object::text;
use crate::revisions::History;
use crate::revisions::REVISION_LABEL;
use crate::revisions::REVISIONS;
use crate::selector;
use crate::template::available_at;
use crate::template::generated_pod;
use crate::template::is_active;
use crate::template::is_finished;
use crate::template::is_ready;
use crate::template::set_label;

const DAEMON_SETS: Kind = ("apps", "DaemonSet");
const NODES: Kind = ("", "Node");

/// What pods of DaemonSets put up with on their nodes.
const TOLERATED: &[(&str, &str)] = &[
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
];

/// Makes and deletes the pods of DaemonSets.
#[derive(Debug)]
pub(crate) struct DaemonSets;

impl Controller for DaemonSets {
    fn name(&self) -> &'static str {
        "daemonsets"
    }

    fn watches(&self) -> &'static [Kind] {
        &[DAEMON_SETS, PODS, REVISIONS, NODES]
    }

    fn user(&self) -> &'static str {
        "system:serviceaccount:kube-system:daemon-set-controller"
    }

    fn turn(&self, ask: Ask<'_>) -> Turn {
        let mut turn = Turn::default();
        let scopes = concerned(ask);
        if scopes.is_empty() {
            return turn;
        }
        let nodes = ask.view.list(NODES.0, NODES.1);
        for (namespace, scope) in scopes {
            let sets = parents(ask.view, DAEMON_SETS, &namespace, &scope);
            if sets.is_empty() {
                continue;
            }
            let ground = Ground {
                nodes: &nodes,
                pods: Children::load(ask.view, PODS, &namespace),
                revisions: Children::load(ask.view, REVISIONS, &namespace),
            };
            for set in sets {
                reconcile(ask, &set, &ground, &mut turn);
            }
        }
        turn
    }
}

/// A node that comes or goes concerns all sets.
fn concerned(ask: Ask<'_>) -> BTreeMap<String, Scope> {
    let mut scopes = scopes(ask, DAEMON_SETS, PODS);
    if ask.changed.iter().any(|key| key.kind == NODES.1) {
        for set in ask.view.list(DAEMON_SETS.0, DAEMON_SETS.1) {
            let namespace = text(&set["metadata"]["namespace"]).to_owned();
            scopes.insert(namespace, Scope::All);
        }
    }
    scopes
}

/// What the sets of one namespace share.
struct Ground<'a> {
    nodes: &'a [Arc<Value>],
    pods: Children,
    revisions: Children,
}

fn reconcile(ask: Ask<'_>, set: &Value, ground: &Ground<'_>, turn: &mut Turn) {
    let Ground {
        nodes,
        pods,
        revisions,
    } = ground;
    let claimed = pods.claim(set, |_| true, &mut turn.writes);
    if is_deleting(set) || !claimed.settled {
        return;
    }
    let history = History::settle(set, revisions, REVISION_LABEL, &mut turn.writes);
    let Some(history) = history else {
        return;
    };
    let spec = pod_spec(set);
    let tolerations = items(&spec["tolerations"]);
    let wanted: BTreeSet<&str> = nodes
        .iter()
        .filter(|node| selector::allows_node(&spec, node) && selector::tolerates(tolerations, node))
        .map(|node| name(node))
        .collect();
    let crew = Crew::new(set, &claimed.members, wanted, history);
    crew.place(ask, &spec, &mut turn.writes);
    let (status, wake) = crew.status(ask.now);
    turn.writes.extend(status_write(set, status));
    if let (Some(wake), Some(key)) = (wake, Key::of(set)) {
        turn.again.push((key, wake));
    }
}

/// The spec of the pods, with what every pod of a DaemonSet tolerates.
fn pod_spec(set: &Value) -> Value {
    let mut spec = set["spec"]["template"]["spec"].clone();
    let mut tolerations = items(&spec["tolerations"]).to_vec();
    let network = ("node.kubernetes.io/network-unavailable", "NoSchedule");
    let on_host = (spec["hostNetwork"] == true).then_some(&network);
    for (key, effect) in TOLERATED.iter().chain(on_host) {
        let toleration = json!({"key": key, "operator": "Exists", "effect": effect});
        if !tolerations.contains(&toleration) {
            tolerations.push(toleration);
        }
    }
    spec["tolerations"] = tolerations.into();
    spec
}

/// The pods of a set by the node that each is or shall be on.
struct Crew<'a> {
    set: &'a Value,
    pods: BTreeMap<String, Vec<&'a Arc<Value>>>,
    wanted: BTreeSet<&'a str>,
    history: History,
}

impl<'a> Crew<'a> {
    fn new(
        set: &'a Value,
        members: &'a [Arc<Value>],
        wanted: BTreeSet<&'a str>,
        history: History,
    ) -> Self {
        let mut pods: BTreeMap<String, Vec<&Arc<Value>>> = BTreeMap::new();
        for pod in members {
            pods.entry(target(pod).to_owned()).or_default().push(pod);
        }
        Self {
            set,
            pods,
            wanted,
            history,
        }
    }

    fn place(&self, ask: Ask<'_>, spec: &Value, writes: &mut Vec<Write>) {
        let mut names = Names::new(ask, self.set);
        for node in &self.wanted {
            let here = self.pods.get(*node).map_or(&[][..], Vec::as_slice);
            let mut live = here.iter().filter(|pod| !is_finished(pod));
            if live.next().is_none() {
                writes.push(Write::Create(self.pod(node, spec, &names.next())));
            }
            // One is enough; finished ones make room.
            writes.extend(live.filter_map(|pod| delete(pod)));
            let finished = here.iter().filter(|pod| is_finished(pod));
            writes.extend(finished.filter_map(|pod| delete(pod)));
        }
        for (node, pods) in &self.pods {
            if !self.wanted.contains(node.as_str()) {
                writes.extend(pods.iter().filter_map(|pod| delete(pod)));
            }
        }
        self.replace(ask, writes);
    }

    /// Deletes pods of older revisions, as many at a time as may be unavailable.
    fn replace(&self, ask: Ask<'_>, writes: &mut Vec<Write>) {
        let strategy = &self.set["spec"]["updateStrategy"];
        if strategy["type"] == "OnDelete" {
            return;
        }
        let total = i64::try_from(self.wanted.len()).unwrap_or(i64::MAX);
        let most = share(
            &strategy["rollingUpdate"]["maxUnavailable"],
            "1",
            total,
            Round::Up,
        );
        let serving = self.present().filter(|pod| self.is_available(pod, ask.now));
        let serving = i64::try_from(serving.count()).unwrap_or(i64::MAX);
        let mut spare = most - (total - serving);
        for pod in self
            .present()
            .filter(|pod| !self.is_new(pod) && is_active(pod))
        {
            if !self.is_available(pod, ask.now) {
                writes.extend(delete(pod));
            } else if spare > 0 {
                spare -= 1;
                writes.extend(delete(pod));
            }
        }
    }

    /// The first pod of each node that shall have one.
    fn present(&self) -> impl Iterator<Item = &'a Arc<Value>> {
        self.wanted.iter().filter_map(|node| {
            let pods = self.pods.get(*node)?;
            pods.iter().find(|pod| !is_finished(pod)).copied()
        })
    }

    fn is_new(&self, pod: &Value) -> bool {
        label(pod, REVISION_LABEL) == self.history.hash
    }

    fn is_available(&self, pod: &Value, now: Timestamp) -> bool {
        let since = available_at(pod, &self.set["spec"]["minReadySeconds"]);
        !is_deleting(pod) && since.is_some_and(|at| at <= now)
    }

    fn pod(&self, node: &str, spec: &Value, pod_name: &str) -> Value {
        let mut made = generated_pod(self.set, &self.set["spec"]["template"], pod_name);
        made["spec"] = spec.clone();
        made["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] = json!({
            "nodeSelectorTerms": [{
                "matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}],
            }],
        });
        set_label(&mut made, REVISION_LABEL, &self.history.hash);
        let generation = annotation(self.set, "deprecated.daemonset.template.generation");
        if !generation.is_empty() {
            set_label(&mut made, "pod-template-generation", generation);
        }
        made
    }

    fn status(&self, now: Timestamp) -> (Value, Option<Timestamp>) {
        let wanted = self.wanted.len();
        let ready = self.present().filter(|pod| is_ready(pod)).count();
        let available = self.present().filter(|pod| self.is_available(pod, now));
        let available = available.count();
        let misplaced = self
            .pods
            .iter()
            .filter(|(node, _)| !self.wanted.contains(node.as_str()));
        let mut status = json!({
            "currentNumberScheduled": self.present().count(),
            "desiredNumberScheduled": wanted,
            "numberMisscheduled": misplaced.count(),
            "numberReady": ready,
            "observedGeneration": self.set["metadata"]["generation"],
        });
        let updated = self.present().filter(|pod| self.is_new(pod)).count();
        for (field, count) in [
            ("numberAvailable", available),
            ("numberUnavailable", wanted - available),
            ("updatedNumberScheduled", updated),
        ] {
            set_count(&mut status, field, count);
        }
        let wait = &self.set["spec"]["minReadySeconds"];
        let next = self.present().filter_map(|pod| available_at(pod, wait));
        (status, next.filter(|at| *at > now).min())
    }
}

/// The node that a pod is on, or that its affinity names.
fn target(pod: &Value) -> &str {
    if let Some(node) = pod["spec"]["nodeName"].as_str() {
        return node;
    }
    let required =
        &pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    let terms = items(&required["nodeSelectorTerms"]).iter();
    let mut fields = terms.flat_map(|term| items(&term["matchFields"]));
    let by_name = fields.find(|field| field["key"] == "metadata.name");
    by_name.map_or("", |field| text(&field["values"][0]))
}
