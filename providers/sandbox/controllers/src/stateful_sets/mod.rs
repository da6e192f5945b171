//! StatefulSets: pods with names that stay, one after the other, each with its own claims.

mod status;
mod volumes;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use crate::Ask;
use crate::Controller;
use crate::Key;
use crate::Turn;
use crate::Write;
use crate::bounds;
use crate::children::Children;
use crate::children::Kind;
use crate::children::PODS;
use crate::children::parents;
use crate::children::scopes;
use crate::object::delete;
use crate::object::is_deleting;
use crate::object::label;
use crate::object::name;
use crate::object::number;
use crate::object::status_write;
use crate::object::text;
use crate::revisions::History;
use crate::revisions::REVISION_LABEL;
use crate::revisions::REVISIONS;
use crate::template::available_at;
use crate::template::generated_pod;
use crate::template::is_active;
use crate::template::is_finished;
use crate::template::is_ready;
use crate::template::set_label;

const STATEFUL_SETS: Kind = ("apps", "StatefulSet");
const POD_NAME: &str = "statefulset.kubernetes.io/pod-name";
const POD_INDEX: &str = "apps.kubernetes.io/pod-index";
const HASH: &str = "controller.kubernetes.io/hash";

/// Makes, replaces and deletes the pods of StatefulSets.
#[derive(Debug)]
pub(crate) struct StatefulSets;

impl Controller for StatefulSets {
    fn name(&self) -> &'static str {
        "statefulsets"
    }

    fn watches(&self) -> &'static [Kind] {
        &[STATEFUL_SETS, PODS, REVISIONS]
    }

    fn user(&self) -> &'static str {
        "system:serviceaccount:kube-system:statefulset-controller"
    }

    fn turn(&self, ask: Ask<'_>) -> Turn {
        let mut turn = Turn::default();
        for (namespace, scope) in scopes(ask, STATEFUL_SETS, PODS) {
            let sets = parents(ask.view, STATEFUL_SETS, &namespace, &scope);
            if sets.is_empty() {
                continue;
            }
            let pods = Children::load(ask.view, PODS, &namespace);
            let revisions = Children::load(ask.view, REVISIONS, &namespace);
            for set in sets {
                reconcile(ask, &set, &pods, &revisions, &mut turn);
            }
        }
        turn
    }
}

/// A StatefulSet and its pods as one turn sees them.
struct Family<'a> {
    set: &'a Value,
    pods: BTreeMap<i64, Arc<Value>>,
    history: History,
    /// The revision that the set had before the present one.
    current: String,
}

fn reconcile(ask: Ask<'_>, set: &Value, pods: &Children, revisions: &Children, turn: &mut Turn) {
    let claimed = pods.claim(set, |pod| ordinal(set, pod).is_some(), &mut turn.writes);
    if is_deleting(set) || !claimed.settled {
        return;
    }
    let Some(history) = History::settle(set, revisions, HASH, &mut turn.writes) else {
        return;
    };
    let members = claimed.members.into_iter();
    let current = match text(&set["status"]["currentRevision"]) {
        "" => history.update.clone(),
        current => current.to_owned(),
    };
    let family = Family {
        set,
        pods: members
            .filter_map(|pod| Some((ordinal(set, &pod)?, pod)))
            .collect(),
        history,
        current,
    };
    family.act(ask, &mut turn.writes);
    let (status, wake) = status::of(&family, ask.now);
    let used = family.pods.values().map(|pod| label_of(pod));
    let mut used: BTreeSet<&str> = used.collect();
    used.insert(&family.current);
    family.history.forget(set, &used, &mut turn.writes);
    turn.writes.extend(status_write(set, status));
    if let (Some(wake), Some(key)) = (wake, Key::of(set)) {
        turn.again.push((key, wake));
    }
}

fn label_of(pod: &Value) -> &str {
    label(pod, REVISION_LABEL)
}

/// The place of a pod in its set, from its name.
fn ordinal(set: &Value, pod: &Value) -> Option<i64> {
    let rest = name(pod).strip_prefix(name(set))?.strip_prefix('-')?;
    let digits = rest.bytes().all(|b| b.is_ascii_digit());
    rest.parse().ok().filter(|_| digits)
}

impl Family<'_> {
    fn wanted(&self) -> i64 {
        number(&self.set["spec"]["replicas"], 1)
    }

    fn first(&self) -> i64 {
        number(&self.set["spec"]["ordinals"]["start"], 0)
    }

    fn one_by_one(&self) -> bool {
        self.set["spec"]["podManagementPolicy"] != "Parallel"
    }

    /// From this ordinal on, pods are of the new revision.
    fn partition(&self) -> i64 {
        let rolling = &self.set["spec"]["updateStrategy"]["rollingUpdate"];
        self.first() + number(&rolling["partition"], 0)
    }

    fn is_healthy(&self, ask: Ask<'_>, pod: &Value) -> bool {
        let since = available_at(pod, &self.set["spec"]["minReadySeconds"]);
        is_ready(pod) && !is_deleting(pod) && since.is_some_and(|at| at <= ask.now)
    }

    /// Makes and deletes pods; at most one at a time unless the set says otherwise.
    fn act(&self, ask: Ask<'_>, writes: &mut Vec<Write>) {
        let (first, end) = (self.first(), self.first() + self.wanted());
        if bounds::is_bounded(usize::try_from(self.wanted()).unwrap_or(0)) {
            writes.extend(bounds::event(ask, self.set, "statefulset-controller"));
        }
        let mut steady = true;
        let mut made = 0;
        for ordinal in (first..end).take(bounds::PODS_OF_AN_OWNER_MAX) {
            let healthy = match self.pods.get(&ordinal) {
                None if made == bounds::PODS_OF_A_TURN_MAX => false,
                None => {
                    self.create(ask, ordinal, writes);
                    made += 1;
                    false
                }
                Some(pod) if is_finished(pod) => {
                    writes.extend(delete(pod));
                    false
                }
                Some(pod) => {
                    if pod["status"]["phase"] == "Pending" && is_active(pod) {
                        volumes::create(ask, self.set, pod, writes);
                    }
                    self.is_healthy(ask, pod)
                }
            };
            steady &= healthy;
            if !steady && self.one_by_one() {
                return;
            }
        }
        let mut condemned = self.pods.range(end..).chain(self.pods.range(..first)).rev();
        if self.one_by_one() {
            if let Some((_, pod)) = condemned.next() {
                writes.extend(delete(pod));
                return;
            }
        } else {
            writes.extend(condemned.filter_map(|(_, pod)| delete(pod)));
        }
        self.replace(ask, writes);
    }

    /// Deletes the last pod of another revision, so that it comes back as one of the new.
    fn replace(&self, ask: Ask<'_>, writes: &mut Vec<Write>) {
        if self.set["spec"]["updateStrategy"]["type"] == "OnDelete" {
            return;
        }
        let end = self.first() + self.wanted();
        for (_, pod) in self
            .pods
            .range(self.partition()..end.max(self.partition()))
            .rev()
        {
            if label_of(pod) != self.history.update {
                writes.extend(delete(pod));
                return;
            }
            if !self.is_healthy(ask, pod) {
                return;
            }
        }
    }

    fn create(&self, ask: Ask<'_>, ordinal: i64, writes: &mut Vec<Write>) {
        let rolling = self.set["spec"]["updateStrategy"]["type"] != "OnDelete";
        let old = rolling && ordinal < self.partition();
        let revision = if old {
            &self.current
        } else {
            &self.history.update
        };
        let recorded = self.history.template(revision);
        let template = recorded.as_ref().unwrap_or(&self.set["spec"]["template"]);
        let pod_name = format!("{}-{ordinal}", name(self.set));
        let mut made = generated_pod(self.set, template, &pod_name);
        set_label(&mut made, REVISION_LABEL, revision);
        set_label(&mut made, POD_NAME, &pod_name);
        set_label(&mut made, POD_INDEX, &ordinal.to_string());
        made["spec"]["hostname"] = pod_name.into();
        made["spec"]["subdomain"] = self.set["spec"]["serviceName"].clone();
        volumes::mount(self.set, &mut made);
        volumes::create(ask, self.set, &made, writes);
        writes.push(Write::Create(made));
    }
}
