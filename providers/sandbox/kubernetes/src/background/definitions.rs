//! CustomResourceDefinitions: their names are accepted, they are established, and when they go,
//! their objects go first.

use std::sync::Arc;

use drplan_api::Timestamp;
use serde_json::Value;
use serde_json::json;

use crate::background::Touched;
use crate::background::author;
use crate::background::part;
use crate::condition::has_condition;
use crate::condition::set_condition;
use crate::deletion;
use crate::deletion::Deletion;
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

/// The finalizer that keeps a definition until its objects are gone.
const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

pub(super) fn turn(state: &mut State, touched: &Touched, now: Timestamp) {
    let id = ResourceId::new("apiextensions.k8s.io", "customresourcedefinitions");
    let user = part("system:apiserver");
    let author = author(&user, "kube-apiserver", now);
    let mut names: Vec<Name> = touched
        .iter()
        .filter(|(of, _)| *of == id)
        .map(|(_, name)| name.clone())
        .collect();
    // A definition that goes waits for its objects; one whose rival went may have its names now.
    for crd in state.store.list(&id, None) {
        let name = Name::of(crd.json());
        let ends = object::is_ending(crd.json()) && concerns(crd.json(), touched);
        let waits = !names.is_empty() && !has_condition(crd.json(), "NamesAccepted");
        if (ends || waits) && !names.contains(&name) {
            names.push(name);
        }
    }
    let Some(served) = state.types.preferred(&id.group, &id.plural).cloned() else {
        return;
    };
    for name in names {
        let Some(crd) = state.store.get(&id, &name).cloned() else {
            continue;
        };
        if object::is_ending(crd.json()) {
            end(state, &served, &crd, author);
        } else {
            establish(state, &served, &crd, author);
        }
    }
}

/// Whether objects of the definition changed.
fn concerns(crd: &Value, touched: &Touched) -> bool {
    let objects = objects_of(crd);
    let first = (objects.clone(), Name::new("", ""));
    let own = touched.range(first..).next().is_some_and(|(id, _)| *id == objects);
    own || touched.iter().any(|(id, _)| id.plural == "customresourcedefinitions")
}

fn objects_of(crd: &Value) -> ResourceId {
    ResourceId::new(
        object::text(crd, "/spec/group"),
        object::text(crd, "/spec/names/plural"),
    )
}

fn establish(state: &mut State, served: &Served, crd: &Arc<Object>, author: Author<'_>) {
    let mut new = crd.json().clone();
    let now = author.now;
    let rival = rival(state, &new);
    match &rival {
        None => {
            let text = ("NoConflicts", "no conflicts found");
            set_condition(&mut new, "NamesAccepted", true, text, now);
            let text = ("InitialNamesAccepted", "the initial names have been accepted");
            set_condition(&mut new, "Established", true, text, now);
            new["status"]["acceptedNames"] = new["spec"]["names"].clone();
        }
        Some((reason, message)) => {
            set_condition(&mut new, "NamesAccepted", false, (reason, message), now);
            if !has_condition(&new, "Established") {
                let text = ("NotAccepted", "not all names are accepted");
                set_condition(&mut new, "Established", false, text, now);
            }
        }
    }
    keep_stored_versions(&mut new);
    write_status(state, served, crd, new, author);
}

/// Versions in which objects were ever stored stay in the status.
fn keep_stored_versions(crd: &mut Value) {
    let versions = crd["spec"]["versions"].as_array().cloned().unwrap_or_default();
    let stored = versions.into_iter().find(|version| version["storage"] == true);
    let Some(name) = stored.map(|version| version["name"].clone()) else {
        return;
    };
    match crd["status"]["storedVersions"].as_array_mut() {
        Some(list) if list.contains(&name) => {}
        Some(list) => list.push(name),
        None => crd["status"]["storedVersions"] = json!([name]),
    }
}

/// Another definition that has one of the names already.
fn rival(state: &State, crd: &Value) -> Option<(&'static str, String)> {
    let id = ResourceId::new("apiextensions.k8s.io", "customresourcedefinitions");
    let others = || {
        state.store.list(&id, None).filter(|other| {
            object::name(other.json()) != object::name(crd)
                && other.json()["spec"]["group"] == crd["spec"]["group"]
        })
    };
    let names = &crd["spec"]["names"];
    for (field, reason) in [
        ("plural", "PluralConflict"),
        ("singular", "SingularConflict"),
        ("kind", "KindConflict"),
        ("listKind", "ListKindConflict"),
    ] {
        let wanted = &names[field];
        let taken = wanted.is_string()
            && others().any(|other| other.json()["status"]["acceptedNames"][field] == *wanted);
        if taken {
            return Some((reason, format!("{wanted} is already in use")));
        }
    }
    None
}

fn write_status(
    state: &mut State,
    served: &Served,
    crd: &Arc<Object>,
    new: Value,
    author: Author<'_>,
) {
    let wish = Wish {
        new,
        part: Part::Status,
        ownership: Ownership::Changed,
    };
    // Under one lock nobody wrote in between; what refuses it would refuse it for ever.
    write::update(state, served, crd, wish, author).ok();
}

fn end(state: &mut State, served: &Served, crd: &Arc<Object>, author: Author<'_>) {
    if !object::finalizers(crd.json()).contains(&CLEANUP) {
        return;
    }
    let id = objects_of(crd.json());
    let left: Vec<_> = state.store.list(&id, None).cloned().collect();
    let Some(own) = state.types.preferred(&id.group, &id.plural).cloned() else {
        // It was never established, so it has no objects.
        release(state, served, crd, author);
        return;
    };
    for object in left.iter().filter(|object| !object::is_ending(object.json())) {
        // One that admission keeps is tried again when anything of it changes.
        deletion::end(state, &own, object, &Deletion::default(), author).ok();
    }
    if state.store.list(&id, None).next().is_none() {
        release(state, served, crd, author);
        return;
    }
    let mut new = crd.json().clone();
    let text = ("InstanceDeletionInProgress", "CustomResource deletion is in progress");
    set_condition(&mut new, "Terminating", true, text, author.now);
    write_status(state, served, crd, new, author);
}

fn release(state: &mut State, served: &Served, crd: &Arc<Object>, author: Author<'_>) {
    let mut new = crd.json().clone();
    if let Some(list) = new["metadata"]["finalizers"].as_array_mut() {
        list.retain(|finalizer| finalizer != CLEANUP);
    }
    let wish = Wish {
        new,
        part: Part::Main,
        ownership: Ownership::Changed,
    };
    write::update(state, served, crd, wish, author).ok();
}
