//! Who manages what: which parents a change concerns, and which objects are theirs.
//!
//! Restored objects come without owner references; a parent takes those that its selector matches,
//! as in life.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use serde_json::json;

use crate::Ask;
use crate::View;
use crate::Write;
use crate::object::controller;
use crate::object::is_deleting;
use crate::object::items;
use crate::object::name;
use crate::object::owner_reference;
use crate::object::refers_to;
use crate::object::text;
use crate::object::uid;
use crate::selector;

/// A group and a kind.
pub(crate) type Kind = (&'static str, &'static str);

/// The pods.
pub(crate) const PODS: Kind = ("", "Pod");

/// How many orphans are compared with every parent; with more it is cheaper to look at all parents.
const FEW: usize = 8;

/// Which parents of a namespace are to be looked at.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All: what changed belongs to nobody, or is gone.
    All,
    /// Those.
    Named(BTreeSet<String>),
}

impl Scope {
    fn add(&mut self, name: &str) {
        if let Self::Named(names) = self {
            names.insert(name.to_owned());
        }
    }

    /// Adds the parents that would take one of the orphans.
    fn add_takers(
        &mut self,
        view: &dyn View,
        (group, kind): Kind,
        namespace: &str,
        orphans: &[Arc<Value>],
    ) {
        if orphans.len() > FEW {
            *self = Self::All;
            return;
        }
        for parent in view.list_in(group, kind, namespace) {
            let wanted = &parent["spec"]["selector"];
            let takes =
                |orphan: &Arc<Value>| selector::matches(wanted, &orphan["metadata"]["labels"]);
            if orphans.iter().any(takes) {
                self.add(name(&parent));
            }
        }
    }
}

/// Sorts what changed by the parents that it concerns, namespace by namespace. Changes of further
/// kinds concern all parents of their namespace.
pub(crate) fn scopes(ask: Ask<'_>, parent: Kind, child: Kind) -> BTreeMap<String, Scope> {
    let mut scopes: BTreeMap<String, Scope> = BTreeMap::new();
    let mut orphans: BTreeMap<String, Vec<Arc<Value>>> = BTreeMap::new();
    for key in ask.changed {
        let Some(namespace) = key.namespace.as_deref() else {
            continue;
        };
        let scope = scopes
            .entry(namespace.to_owned())
            .or_insert_with(|| Scope::Named(BTreeSet::new()));
        let kind = (key.group.as_str(), key.kind.as_str());
        if kind == parent {
            scope.add(&key.name);
        } else if kind != child {
            *scope = Scope::All;
        } else if *scope != Scope::All {
            let (group, kind) = child;
            let object = ask.view.get(group, kind, Some(namespace), &key.name);
            let Some(object) = object else {
                *scope = Scope::All;
                continue;
            };
            match controller(&object) {
                Some(owner) if refers_to(owner, parent.0, parent.1) => {
                    scope.add(text(&owner["name"]));
                }
                Some(_) => {}
                None => orphans
                    .entry(namespace.to_owned())
                    .or_default()
                    .push(object),
            }
        }
    }
    for (namespace, orphans) in orphans {
        if let Some(scope) = scopes.get_mut(&namespace) {
            scope.add_takers(ask.view, parent, &namespace, &orphans);
        }
    }
    scopes.retain(|_, scope| *scope != Scope::Named(BTreeSet::new()));
    scopes
}

/// The parents in a scope.
pub(crate) fn parents(
    view: &dyn View,
    (group, kind): Kind,
    namespace: &str,
    scope: &Scope,
) -> Vec<Arc<Value>> {
    match scope {
        Scope::All => view.list_in(group, kind, namespace),
        Scope::Named(names) => names
            .iter()
            .filter_map(|name| view.get(group, kind, Some(namespace), name))
            .collect(),
    }
}

/// The objects of a kind in a namespace, by who manages them.
pub(crate) struct Children {
    owned: BTreeMap<String, Vec<Arc<Value>>>,
    orphans: Vec<Arc<Value>>,
    orphans_by_label: BTreeMap<String, Vec<usize>>,
}

/// What is a parent's.
pub(crate) struct Claimed {
    /// The objects, ordered by name.
    pub(crate) members: Vec<Arc<Value>>,
    /// False when ownership is being written: nothing else should be until that is seen.
    pub(crate) settled: bool,
}

impl Children {
    pub(crate) fn load(view: &dyn View, (group, kind): Kind, namespace: &str) -> Self {
        let mut children = Self {
            owned: BTreeMap::new(),
            orphans: Vec::new(),
            orphans_by_label: BTreeMap::new(),
        };
        for object in view.list_in(group, kind, namespace) {
            match controller(&object) {
                Some(owner) => {
                    let owner = text(&owner["uid"]).to_owned();
                    children.owned.entry(owner).or_default().push(object);
                }
                None => children.add_orphan(object),
            }
        }
        children
    }

    fn add_orphan(&mut self, object: Arc<Value>) {
        let place = self.orphans.len();
        let labels = object["metadata"]["labels"].as_object();
        for (key, value) in labels.into_iter().flatten() {
            let pair = pair(key, value);
            self.orphans_by_label.entry(pair).or_default().push(place);
        }
        self.orphans.push(object);
    }

    /// The objects of a parent, with the writes that take orphans in and let go what its selector
    /// does not match any more. `fit` says which orphans it would take. A parent without a selector
    /// has what it owns.
    pub(crate) fn claim(
        &self,
        parent: &Value,
        fit: impl Fn(&Value) -> bool,
        writes: &mut Vec<Write>,
    ) -> Claimed {
        let wanted = &parent["spec"]["selector"];
        let before = writes.len();
        let mut members = Vec::new();
        for object in self.owned.get(uid(parent)).into_iter().flatten() {
            let labels = &object["metadata"]["labels"];
            let kept = wanted.is_null() || is_deleting(parent);
            if kept || selector::matches(wanted, labels) {
                members.push(Arc::clone(object));
            } else if !is_deleting(object) {
                writes.push(Write::Update(released(object, uid(parent))));
            }
        }
        if !is_deleting(parent) && !wanted.is_null() {
            for object in self.candidates(wanted) {
                let labels = &object["metadata"]["labels"];
                if !is_deleting(object) && selector::matches(wanted, labels) && fit(object) {
                    writes.push(Write::Update(adopted(object, parent)));
                }
            }
        }
        members.sort_by(|a, b| name(a).cmp(name(b)));
        Claimed {
            members,
            settled: writes.len() == before,
        }
    }

    /// The orphans that share a label with the selector, or all if it names none.
    fn candidates(&self, selector: &Value) -> Vec<&Arc<Value>> {
        let pairs = selector["matchLabels"].as_object();
        match pairs.and_then(|pairs| pairs.iter().next()) {
            Some((key, value)) => {
                let places = self.orphans_by_label.get(&pair(key, value));
                let places = places.into_iter().flatten();
                places.filter_map(|i| self.orphans.get(*i)).collect()
            }
            None => self.orphans.iter().collect(),
        }
    }
}

fn pair(key: &str, value: &Value) -> String {
    format!("{key}={}", text(value))
}

fn adopted(object: &Value, parent: &Value) -> Value {
    let mut object = object.clone();
    let mut owners = items(&object["metadata"]["ownerReferences"]).to_vec();
    owners.push(owner_reference(parent));
    object["metadata"]["ownerReferences"] = owners.into();
    object
}

fn released(object: &Value, owner: &str) -> Value {
    let mut object = object.clone();
    let mut owners = items(&object["metadata"]["ownerReferences"]).to_vec();
    owners.retain(|o| o["uid"] != owner);
    object["metadata"]["ownerReferences"] = json!(owners);
    object
}
