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
use crate::deletion::CLEANUP;
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

/// Says of a definition that its names are accepted and its objects may come.
pub(crate) fn accept(crd: &mut Value, now: Timestamp) {
    let text = ("NoConflicts", "no conflicts found");
    set_condition(crd, "NamesAccepted", true, text, now);
    let text = (
        "InitialNamesAccepted",
        "the initial names have been accepted",
    );
    set_condition(crd, "Established", true, text, now);
    crd["status"]["acceptedNames"] = crd["spec"]["names"].clone();
    keep_stored_versions(crd);
}

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
    let own = touched
        .range(first..)
        .next()
        .is_some_and(|(id, _)| *id == objects);
    own || touched
        .iter()
        .any(|(id, _)| id.plural == "customresourcedefinitions")
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
    let mut conflict = None;
    for (field, reason) in NAMES {
        let wanted = new["spec"]["names"][*field].clone();
        if is_taken(state, &new, field, &wanted) {
            conflict = Some((*reason, format!("{wanted} is already in use")));
        } else if !wanted.is_null() {
            new["status"]["acceptedNames"][*field] = wanted;
        }
    }
    match &conflict {
        None => accept(&mut new, now),
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

/// The names of a definition and what it is called when one is taken; the last one tells.
const NAMES: &[(&str, &str)] = &[
    ("plural", "PluralConflict"),
    ("singular", "SingularConflict"),
    ("kind", "KindConflict"),
    ("listKind", "ListKindConflict"),
];

/// Whether another definition of the group has a name already, be it as plural, kind or else.
fn is_taken(state: &State, crd: &Value, field: &str, wanted: &Value) -> bool {
    let id = ResourceId::new("apiextensions.k8s.io", "customresourcedefinitions");
    let kinds: &[&str] = match field {
        "kind" | "listKind" => &["kind", "listKind"],
        _ => &["plural", "singular"],
    };
    wanted.is_string()
        && state.store.list(&id, None).any(|other| {
            let other = other.json();
            let accepted = &other["status"]["acceptedNames"];
            object::name(other) != object::name(crd)
                && other["spec"]["group"] == crd["spec"]["group"]
                && kinds.iter().any(|kind| accepted[*kind] == *wanted)
        })
}

/// Versions in which objects were ever stored stay in the status.
fn keep_stored_versions(crd: &mut Value) {
    let versions = crd["spec"]["versions"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let stored = versions
        .into_iter()
        .find(|version| version["storage"] == true);
    let Some(name) = stored.map(|version| version["name"].clone()) else {
        return;
    };
    match crd["status"]["storedVersions"].as_array_mut() {
        Some(list) if list.contains(&name) => {}
        Some(list) => list.push(name),
        None => crd["status"]["storedVersions"] = json!([name]),
    }
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
    for object in left
        .iter()
        .filter(|object| !object::is_ending(object.json()))
    {
        // One that admission keeps is tried again when anything of it changes.
        deletion::end(state, &own, object, &Deletion::default(), author).ok();
    }
    if state.store.list(&id, None).next().is_none() {
        release(state, served, crd, author);
        return;
    }
    let mut new = crd.json().clone();
    let text = (
        "InstanceDeletionInProgress",
        "CustomResource deletion is in progress",
    );
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
