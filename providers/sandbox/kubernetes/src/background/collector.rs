//! Owners and what they own: what has lost all its owners goes, and an owner that goes takes what
//! it owns along, waits for it, or lets it go.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use drplan_api::Timestamp;
use serde_json::Value;

use crate::background::Touched;
use crate::background::author;
use crate::background::part;
use crate::deletion;
use crate::deletion::Deletion;
use crate::deletion::FOREGROUND;
use crate::deletion::ORPHAN;
use crate::deletion::Propagation;
use crate::object;
use crate::object::Object;
use crate::state::State;
use crate::store::Name;
use crate::store::ResourceId;
use crate::types::Served;
use crate::write;
use crate::write::Author;
use crate::write::Ownership;
use crate::write::Part;
use crate::write::Wish;

const USER: &str = "system:serviceaccount:kube-system:generic-garbage-collector";

/// Which object.
type Place = (ResourceId, Name);

/// Who owns whom, by uid.
#[derive(Default)]
pub(super) struct Collector {
    dependents: BTreeMap<String, BTreeSet<Place>>,
    places: BTreeMap<String, Place>,
    known: BTreeMap<Place, Known>,
}

/// What was known of an object when it was last looked at.
struct Known {
    uid: String,
    owners: Vec<String>,
}

/// What became of an owner.
#[derive(Clone, Copy, PartialEq)]
enum Owner {
    /// It is there.
    There,
    /// It is there and waits for what it owns.
    Waiting,
    Gone,
    /// Nobody can say: its type is not served.
    Unknown,
}

impl Collector {
    pub(super) fn turn(&mut self, state: &mut State, touched: &Touched, now: Timestamp) {
        let mut concerned: BTreeSet<Place> = BTreeSet::new();
        for place in touched {
            for uid in self.learn(state, place) {
                concerned.extend(self.dependents.get(&uid).into_iter().flatten().cloned());
                concerned.extend(self.places.get(&uid).cloned());
            }
            concerned.insert(place.clone());
        }
        let user = part(USER);
        let author = author(&user, "kube-controller-manager", now);
        for place in concerned {
            self.judge(state, &place, author);
        }
    }

    /// Notes what an object is now; answers which owners changed or went.
    fn learn(&mut self, state: &State, place: &Place) -> Vec<String> {
        let now = state.store.get(&place.0, &place.1).map(|object| Known {
            uid: object::uid(object.json()).to_owned(),
            owners: owners(object.json())
                .map(|owner| object::text(owner, "/uid").to_owned())
                .collect(),
        });
        let mut changed = Vec::new();
        if let Some(before) = self.known.remove(place) {
            for owner in &before.owners {
                if let Some(of) = self.dependents.get_mut(owner) {
                    of.remove(place);
                    if of.is_empty() {
                        self.dependents.remove(owner);
                    }
                }
                // An owner that waits wants to know that something it owned is gone.
                changed.push(owner.clone());
            }
            self.places.remove(&before.uid);
            changed.push(before.uid);
        }
        if let Some(now) = now {
            for owner in &now.owners {
                self.dependents
                    .entry(owner.clone())
                    .or_default()
                    .insert(place.clone());
            }
            self.places.insert(now.uid.clone(), place.clone());
            changed.push(now.uid.clone());
            self.known.insert(place.clone(), now);
        }
        changed
    }

    fn judge(&mut self, state: &mut State, place: &Place, author: Author<'_>) {
        let Some(object) = state.store.get(&place.0, &place.1).cloned() else {
            return;
        };
        let Some(served) = state
            .types
            .preferred(&place.0.group, &place.0.plural)
            .cloned()
        else {
            return;
        };
        let json = object.json();
        if object::is_ending(json) {
            let finalizers = object::finalizers(json);
            if finalizers.contains(&ORPHAN) {
                self.let_go(state, &served, &object, author);
            } else if finalizers.contains(&FOREGROUND) {
                self.take_along(state, &served, &object, author);
            }
            return;
        }
        let fates: Vec<_> = owners(json)
            .map(|owner| {
                (
                    object::text(owner, "/uid").to_owned(),
                    fate(state, json, owner),
                )
            })
            .collect();
        let is = |wanted: Owner| fates.iter().any(|(_, fate)| *fate == wanted);
        if fates.is_empty() || is(Owner::Unknown) {
            return;
        }
        if is(Owner::There) {
            let lost: BTreeSet<_> = fates
                .iter()
                .filter(|(_, fate)| *fate != Owner::There)
                .map(|(uid, _)| uid.clone())
                .collect();
            if !lost.is_empty() {
                disown(state, &served, &object, &lost, author);
            }
            return;
        }
        // Whatever waits for this one wants to see it go, with all that hangs on it.
        let propagation = match is(Owner::Waiting) && self.has_dependents(json) {
            true => Propagation::Foreground,
            false => Propagation::Background,
        };
        remove(state, &served, &object, propagation, author);
    }

    fn has_dependents(&self, json: &Value) -> bool {
        self.dependents.contains_key(object::uid(json))
    }

    fn dependents_of(&self, json: &Value) -> Vec<Place> {
        let found = self.dependents.get(object::uid(json));
        found.into_iter().flatten().cloned().collect()
    }

    /// Takes the owner out of everything that it owns, then lets it end.
    fn let_go(
        &mut self,
        state: &mut State,
        served: &Served,
        owner: &Arc<Object>,
        author: Author<'_>,
    ) {
        let uid = object::uid(owner.json()).to_owned();
        for place in self.dependents_of(owner.json()) {
            let found = state.store.get(&place.0, &place.1).cloned();
            let own = state
                .types
                .preferred(&place.0.group, &place.0.plural)
                .cloned();
            if let (Some(found), Some(own)) = (found, own) {
                disown(state, &own, &found, &BTreeSet::from([uid.clone()]), author);
            }
        }
        release(state, served, owner, ORPHAN, author);
    }

    /// Deletes what the owner owns; it ends when nothing is left that holds it up.
    fn take_along(
        &mut self,
        state: &mut State,
        served: &Served,
        owner: &Arc<Object>,
        author: Author<'_>,
    ) {
        let uid = object::uid(owner.json());
        let mut held = false;
        for place in self.dependents_of(owner.json()) {
            let found = state.store.get(&place.0, &place.1).cloned();
            let own = state
                .types
                .preferred(&place.0.group, &place.0.plural)
                .cloned();
            let (Some(found), Some(own)) = (found, own) else {
                continue;
            };
            let blocks = owners(found.json())
                .any(|owner| owner["uid"] == uid && owner["blockOwnerDeletion"] == true);
            let others =
                owners(found.json()).any(|other| fate(state, found.json(), other) == Owner::There);
            if others {
                disown(
                    state,
                    &own,
                    &found,
                    &BTreeSet::from([uid.to_owned()]),
                    author,
                );
                continue;
            }
            if !object::is_ending(found.json()) {
                let propagation = match self.has_dependents(found.json()) {
                    true => Propagation::Foreground,
                    false => Propagation::Background,
                };
                remove(state, &own, &found, propagation, author);
            }
            held |= blocks && state.store.get(&place.0, &place.1).is_some();
        }
        if !held {
            release(state, served, owner, FOREGROUND, author);
        }
    }
}

fn owners(json: &Value) -> impl Iterator<Item = &Value> {
    let list = json
        .pointer("/metadata/ownerReferences")
        .and_then(Value::as_array);
    list.into_iter().flatten()
}

fn fate(state: &State, dependent: &Value, owner: &Value) -> Owner {
    let version = object::text(owner, "/apiVersion");
    let group = version.split_once('/').map_or("", |(group, _)| group);
    let Some(served) = state.types.of_kind(group, object::text(owner, "/kind")) else {
        return Owner::Unknown;
    };
    let space = match (served.info.namespaced, object::namespace(dependent)) {
        // What belongs to the whole cluster cannot be owned by something in a namespace.
        (true, "") => return Owner::Unknown,
        (true, space) => space,
        (false, _) => "",
    };
    let name = Name::new(space, object::text(owner, "/name"));
    let found = state.store.get(&served.id, &name).map(|found| found.json());
    match found {
        Some(found) if found["metadata"]["uid"] == owner["uid"] => {
            let waits = object::is_ending(found) && object::finalizers(found).contains(&FOREGROUND);
            if waits { Owner::Waiting } else { Owner::There }
        }
        _ => Owner::Gone,
    }
}

fn remove(
    state: &mut State,
    served: &Served,
    object: &Arc<Object>,
    propagation: Propagation,
    author: Author<'_>,
) {
    let deletion = Deletion {
        uid: Some(object::uid(object.json()).to_owned()),
        propagation: Some(propagation),
        ..Deletion::default()
    };
    // What admission keeps is looked at again when it or its owner changes.
    deletion::end(state, served, object, &deletion, author).ok();
}

fn disown(
    state: &mut State,
    served: &Served,
    object: &Arc<Object>,
    lost: &BTreeSet<String>,
    author: Author<'_>,
) {
    let mut new = object.json().clone();
    let metadata = object::metadata(&mut new);
    if let Some(list) = metadata
        .get_mut("ownerReferences")
        .and_then(Value::as_array_mut)
    {
        list.retain(|owner| !lost.contains(object::text(owner, "/uid")));
        if list.is_empty() {
            metadata.remove("ownerReferences");
        }
    }
    replace(state, served, object, new, author);
}

fn release(
    state: &mut State,
    served: &Served,
    object: &Arc<Object>,
    finalizer: &str,
    author: Author<'_>,
) {
    let mut new = object.json().clone();
    let metadata = object::metadata(&mut new);
    if let Some(list) = metadata.get_mut("finalizers").and_then(Value::as_array_mut) {
        list.retain(|known| known != finalizer);
        if list.is_empty() {
            metadata.remove("finalizers");
        }
    }
    replace(state, served, object, new, author);
}

fn replace(state: &mut State, served: &Served, old: &Arc<Object>, new: Value, author: Author<'_>) {
    let wish = Wish {
        new: crate::convert::to_served(served, new),
        part: Part::Main,
        ownership: Ownership::Changed,
    };
    // Under one lock nobody wrote in between.
    write::update(state, served, old, wish, author).ok();
}
