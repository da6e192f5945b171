//! Deployments: one ReplicaSet for each template, and the way from the old to the new.

mod progress;
mod rollout;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

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
use crate::generated;
use crate::object::annotation;
use crate::object::controller;
use crate::object::created;
use crate::object::delete;
use crate::object::is_deleting;
use crate::object::name;
use crate::object::namespace;
use crate::object::number;
use crate::object::owner_reference;
use crate::object::set_annotation;
use crate::object::text;
use crate::object::uid;
use crate::template::TEMPLATE_HASH;
use crate::template::comparable;
use crate::template::is_finished;
use crate::template::same_template;
use crate::template::set_label;

const DEPLOYMENTS: Kind = ("apps", "Deployment");
const REPLICA_SETS: Kind = ("apps", "ReplicaSet");
const REVISION: &str = "deployment.kubernetes.io/revision";
const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
const MAXIMUM: &str = "deployment.kubernetes.io/max-replicas";

/// Rolls Deployments out.
#[derive(Debug)]
pub(crate) struct Deployments;

impl Controller for Deployments {
    fn name(&self) -> &'static str {
        "deployments"
    }

    fn watches(&self) -> &'static [Kind] {
        &[DEPLOYMENTS, REPLICA_SETS, PODS]
    }

    fn user(&self) -> &'static str {
        "system:serviceaccount:kube-system:deployment-controller"
    }

    fn turn(&self, ask: Ask<'_>) -> Turn {
        let mut turn = Turn::default();
        for (namespace, scope) in concerned(ask) {
            let deployments = parents(ask.view, DEPLOYMENTS, &namespace, &scope);
            if deployments.is_empty() {
                continue;
            }
            let sets = Children::load(ask.view, REPLICA_SETS, &namespace);
            for deployment in deployments {
                reconcile(ask, &deployment, &sets, &mut turn);
            }
        }
        turn
    }
}

/// Pods are looked at only where one is gone: a Deployment may wait for that before it starts new.
fn concerned(ask: Ask<'_>) -> BTreeMap<String, Scope> {
    let (pods, others): (Vec<&Key>, Vec<&Key>) =
        ask.changed.iter().partition(|key| key.kind == PODS.1);
    let changed: BTreeSet<Key> = others.into_iter().cloned().collect();
    let others = Ask {
        changed: &changed,
        ..ask
    };
    let mut scopes = scopes(others, DEPLOYMENTS, REPLICA_SETS);
    let mut left = BTreeSet::new();
    for key in pods {
        if let Some(space) = key.namespace.as_deref()
            && !left.contains(space)
            && ask
                .view
                .get(PODS.0, PODS.1, Some(space), &key.name)
                .is_none()
        {
            left.insert(space);
        }
    }
    for space in left {
        let all = ask.view.list_in(DEPLOYMENTS.0, DEPLOYMENTS.1, space);
        let waiting = all.iter().filter(|deployment| recreates(deployment));
        let names: BTreeSet<_> = waiting.map(|d| name(d).to_owned()).collect();
        match scopes.get_mut(space) {
            Some(Scope::All) => {}
            Some(Scope::Named(known)) => known.extend(names),
            None => {
                scopes.insert(space.to_owned(), Scope::Named(names));
            }
        }
    }
    scopes
}

/// A Deployment and its ReplicaSets as one turn sees them.
struct Family<'a> {
    ask: Ask<'a>,
    deployment: &'a Value,
    /// That of the present template.
    new: Option<Arc<Value>>,
    /// All others, oldest first.
    old: Vec<Arc<Value>>,
}

impl<'a> Family<'a> {
    fn new(ask: Ask<'a>, deployment: &'a Value, mut sets: Vec<Arc<Value>>) -> Self {
        sets.sort_by_key(|set| (created(set), name(set).to_owned()));
        let wanted = &deployment["spec"]["template"];
        let place = sets
            .iter()
            .position(|set| same_template(&set["spec"]["template"], wanted));
        let new = place.map(|place| sets.remove(place));
        Self {
            ask,
            deployment,
            new,
            old: sets,
        }
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Value>> {
        self.old.iter().chain(&self.new)
    }

    fn is_paused(&self) -> bool {
        self.deployment["spec"]["paused"] == true
    }

    fn wanted(&self) -> i64 {
        number(&self.deployment["spec"]["replicas"], 1)
    }

    /// Whether pods of old templates are still there, be it that they are stopping.
    fn has_old_pods(&self) -> bool {
        let old: BTreeSet<&str> = self.old.iter().map(|set| uid(set)).collect();
        let space = namespace(self.deployment);
        let pods = self.ask.view.list_in(PODS.0, PODS.1, space);
        pods.iter().any(|pod| {
            let owner = controller(pod).map(|owner| text(&owner["uid"]));
            owner.is_some_and(|owner| old.contains(owner)) && !is_finished(pod)
        })
    }

    fn highest_old_revision(&self) -> i64 {
        self.old.iter().map(|set| revision(set)).max().unwrap_or(0)
    }
}

fn revision(object: &Value) -> i64 {
    annotation(object, REVISION).parse().unwrap_or(0)
}

fn reconcile(ask: Ask<'_>, deployment: &Value, sets: &Children, turn: &mut Turn) {
    let claimed = sets.claim(deployment, |_| true, &mut turn.writes);
    if !claimed.settled {
        return;
    }
    let family = Family::new(ask, deployment, claimed.members);
    if is_deleting(deployment) {
        progress::report(ask, &family, false, turn);
        return;
    }
    let first = family.new.is_none() && !family.is_paused();
    if first {
        turn.writes.push(Write::Create(new_set(&family)));
    } else {
        change_sets(&family, &mut turn.writes);
        if let Some(write) = own_revision(&family) {
            // The status follows in the next turn, which this write causes.
            turn.writes.push(write);
            return;
        }
    }
    progress::report(ask, &family, first, turn);
}

/// The Deployment with the revision of its new ReplicaSet; none if it says so already.
fn own_revision(family: &Family<'_>) -> Option<Write> {
    let new = family.new.as_ref()?;
    let revision = revision(new).max(1).to_string();
    if annotation(family.deployment, REVISION) == revision {
        return None;
    }
    let mut deployment = family.deployment.clone();
    set_annotation(&mut deployment, REVISION, &revision);
    Some(Write::Update(deployment))
}

/// Scales and annotates the ReplicaSets, one write for each.
fn change_sets(family: &Family<'_>, writes: &mut Vec<Write>) {
    let mut scales = rollout::scales(family);
    let highest = family.highest_old_revision();
    let marks = marks(family);
    for set in family.all() {
        let mut changed = set.as_ref().clone();
        if let Some(scale) = scales.remove(name(set)) {
            changed["spec"]["replicas"] = scale.into();
        }
        let is_new = family.new.as_ref().is_some_and(|new| Arc::ptr_eq(new, set));
        if is_new {
            if revision(set) <= highest {
                set_annotation(&mut changed, REVISION, &(highest + 1).to_string());
            }
            let wait = &family.deployment["spec"]["minReadySeconds"];
            if number(wait, 0) != number(&set["spec"]["minReadySeconds"], 0) {
                changed["spec"]["minReadySeconds"] = wait.clone();
            }
        }
        if is_new || number(&changed["spec"]["replicas"], 1) > 0 {
            for (key, value) in &marks {
                set_annotation(&mut changed, key, value);
            }
        }
        if changed != **set {
            writes.push(Write::Update(changed));
        }
    }
    writes.extend(forgotten(family).filter_map(|set| delete(set)));
}

fn marks(family: &Family<'_>) -> BTreeMap<&'static str, String> {
    let wanted = family.wanted();
    let most = wanted + rollout::surge(family.deployment);
    BTreeMap::from([(DESIRED, wanted.to_string()), (MAXIMUM, most.to_string())])
}

/// Old ReplicaSets beyond the history limit, once the rollout is complete.
fn forgotten<'f>(family: &'f Family<'_>) -> impl Iterator<Item = &'f Arc<Value>> {
    let limit = number(&family.deployment["spec"]["revisionHistoryLimit"], 10);
    let complete = progress::is_complete(family.deployment, &family.deployment["status"]);
    let mut empty: Vec<_> = family
        .old
        .iter()
        .filter(|set| {
            number(&set["spec"]["replicas"], 1) == 0
                && number(&set["status"]["replicas"], 0) == 0
                && set["status"]["observedGeneration"] == set["metadata"]["generation"]
        })
        .collect();
    empty.sort_by_key(|set| revision(set));
    let surplus = empty
        .len()
        .saturating_sub(usize::try_from(limit).unwrap_or(0));
    empty.into_iter().take(if complete { surplus } else { 0 })
}

fn new_set(family: &Family<'_>) -> Value {
    let deployment = family.deployment;
    let spec = &deployment["spec"];
    let hash = generated::template_hash(&comparable(&spec["template"]));
    let mut template = spec["template"].clone();
    set_label(&mut template, TEMPLATE_HASH, &hash);
    let mut selector = spec["selector"].clone();
    selector["matchLabels"][TEMPLATE_HASH] = hash.clone().into();
    let mut set = json!({
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": format!("{}-{hash}", name(deployment)),
            "namespace": namespace(deployment),
            "labels": template["metadata"]["labels"],
            "annotations": inherited(deployment),
            "ownerReferences": [owner_reference(deployment)],
        },
        "spec": {
            "replicas": rollout::first_scale(family),
            "selector": selector,
            "template": template,
        },
    });
    if number(&spec["minReadySeconds"], 0) > 0 {
        set["spec"]["minReadySeconds"] = spec["minReadySeconds"].clone();
    }
    let revision = family.highest_old_revision() + 1;
    set_annotation(&mut set, REVISION, &revision.to_string());
    for (key, value) in marks(family) {
        set_annotation(&mut set, key, &value);
    }
    set
}

/// The annotations that a ReplicaSet gets from its Deployment.
fn inherited(deployment: &Value) -> Value {
    const KEPT_BACK: &[&str] = &[
        "kubectl.kubernetes.io/last-applied-configuration",
        "deprecated.deployment.rollback.to",
        REVISION,
        DESIRED,
        MAXIMUM,
    ];
    let annotations = deployment["metadata"]["annotations"].as_object();
    let given = annotations.into_iter().flatten();
    let kept = given.filter(|(key, _)| !KEPT_BACK.contains(&key.as_str()));
    Value::Object(kept.map(|(k, v)| (k.clone(), v.clone())).collect())
}

/// Whether a strategy stops all old pods before it starts new ones.
fn recreates(deployment: &Value) -> bool {
    text(&deployment["spec"]["strategy"]["type"]) == "Recreate"
}

/// How many pods the ReplicaSets have between them.
fn pods_of<'s>(sets: impl Iterator<Item = &'s Arc<Value>>, field: &str) -> i64 {
    sets.map(|set| number(&set["status"][field], 0)).sum()
}
