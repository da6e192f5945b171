//! Namespaces that go: what is in them goes first.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use drplan_api::Timestamp;
use serde_json::Value;

use crate::background::Touched;
use crate::background::author;
use crate::background::part;
use crate::condition::set_condition;
use crate::deletion;
use crate::deletion::Deletion;
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

/// The finalizer in the spec that stands for the content.
const CONTENT: &str = "kubernetes";

const USER: &str = "system:serviceaccount:kube-system:namespace-controller";

pub(super) fn turn(state: &mut State, touched: &Touched, now: Timestamp) {
    let id = ResourceId::new("", "namespaces");
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for (of, name) in touched {
        names.insert(if *of == id {
            &name.name
        } else {
            &name.namespace
        });
    }
    let ending: Vec<_> = names
        .into_iter()
        .filter_map(|name| state.store.get(&id, &Name::new("", name)).cloned())
        .filter(|namespace| object::is_ending(namespace.json()))
        .collect();
    let user = part(USER);
    let author = author(&user, "kube-controller-manager", now);
    for namespace in ending {
        let Some(served) = state.types.preferred("", "namespaces").cloned() else {
            return;
        };
        if has_content_finalizer(namespace.json()) {
            empty(state, &served, &namespace, author);
        }
    }
}

fn has_content_finalizer(namespace: &Value) -> bool {
    let list = namespace["spec"]["finalizers"].as_array();
    list.is_some_and(|list| list.iter().any(|finalizer| finalizer == CONTENT))
}

/// What is still there, by resource and by finalizer.
#[derive(Default)]
struct Left {
    resources: BTreeMap<String, usize>,
    finalizers: BTreeMap<String, usize>,
    failed: Vec<String>,
}

fn empty(state: &mut State, served: &Served, namespace: &Arc<Object>, author: Author<'_>) {
    let space = object::name(namespace.json()).to_owned();
    let types: Vec<_> = state
        .types
        .stored()
        .filter(|served| served.info.namespaced)
        .cloned()
        .collect();
    let mut left = Left::default();
    for own in types {
        delete_all(state, &own, &space, author, &mut left);
    }
    let broken = broken_groups(state);
    let mut new = namespace.json().clone();
    describe(&mut new, &left, &broken, author.now);
    if left.resources.is_empty()
        && broken.is_empty()
        && let Some(list) = new["spec"]["finalizers"].as_array_mut()
    {
        list.retain(|finalizer| finalizer != CONTENT);
    }
    let wish = Wish {
        new,
        part: Part::Other("finalize"),
        ownership: Ownership::Changed,
    };
    // Under one lock nobody wrote in between.
    write::update(state, served, namespace, wish, author).ok();
}

fn delete_all(state: &mut State, own: &Served, space: &str, author: Author<'_>, left: &mut Left) {
    let objects: Vec<_> = state.store.list(&own.id, Some(space)).cloned().collect();
    let deletion = Deletion {
        propagation: Some(Propagation::Background),
        ..Deletion::default()
    };
    for object in &objects {
        if object::is_ending(object.json()) {
            continue;
        }
        if let Err(failure) = deletion::end(state, own, object, &deletion, author) {
            let text = failure
                .status()
                .map(|status| object::text(status, "/message").to_owned());
            left.failed.extend(text);
        }
    }
    for object in state.store.list(&own.id, Some(space)) {
        let resource = format!("{}.{}", own.info.plural, own.info.group);
        *left.resources.entry(resource).or_default() += 1;
        for finalizer in object::finalizers(object.json()) {
            *left.finalizers.entry(finalizer.to_owned()).or_default() += 1;
        }
    }
}

/// Groups that another server should serve and that nobody can ask.
fn broken_groups(state: &State) -> Vec<String> {
    let id = ResourceId::new("apiregistration.k8s.io", "apiservices");
    let services = ResourceId::new("", "services");
    let broken = state.store.list(&id, None).filter(|api| {
        let service = &api.json()["spec"]["service"];
        let (space, name) = (
            object::text(service, "/namespace"),
            object::text(service, "/name"),
        );
        service.is_object()
            && (state
                .store
                .get(&services, &Name::new(space, name))
                .is_none()
                || !crate::admission::webhooks::has_endpoint(state, space, name))
    });
    broken
        .map(|api| {
            let spec = &api.json()["spec"];
            format!(
                "{}/{}",
                object::text(spec, "/group"),
                object::text(spec, "/version")
            )
        })
        .collect()
}

fn describe(namespace: &mut Value, left: &Left, broken: &[String], now: Timestamp) {
    let mut set = |kind: &str, status: bool, reason: &str, message: &str| {
        set_condition(namespace, kind, status, (reason, message), now);
    };
    if broken.is_empty() {
        set(
            "NamespaceDeletionDiscoveryFailure",
            false,
            "ResourcesDiscovered",
            "All resources successfully discovered",
        );
    } else {
        let list: Vec<_> = broken
            .iter()
            .map(|group| format!("{group}: stale GroupVersion discovery: {group}"))
            .collect();
        let message = format!(
            "Discovery failed for some groups, {} failing: unable to retrieve the complete list of \
             server APIs: {}",
            broken.len(),
            list.join(", ")
        );
        set(
            "NamespaceDeletionDiscoveryFailure",
            true,
            "DiscoveryFailed",
            &message,
        );
    }
    set(
        "NamespaceDeletionGroupVersionParsingFailure",
        false,
        "ParsedGroupVersions",
        "All legacy kube types successfully parsed",
    );
    if left.failed.is_empty() {
        set(
            "NamespaceDeletionContentFailure",
            false,
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        );
    } else {
        let message = format!(
            "Failed to delete all resource types, {} remaining: {}",
            left.failed.len(),
            left.failed.join(", ")
        );
        set(
            "NamespaceDeletionContentFailure",
            true,
            "ContentDeletionFailed",
            &message,
        );
    }
    let counted = |map: &BTreeMap<String, usize>, word: &str| {
        let list: Vec<_> = map
            .iter()
            .map(|(name, count)| format!("{name} {word} {count} resource instances"))
            .collect();
        list.join(", ")
    };
    if left.resources.is_empty() {
        let message = "All content successfully removed";
        set(
            "NamespaceContentRemaining",
            false,
            "ContentRemoved",
            message,
        );
    } else {
        let list = counted(&left.resources, "has");
        let message = format!("Some resources are remaining: {list}");
        set(
            "NamespaceContentRemaining",
            true,
            "SomeResourcesRemain",
            &message,
        );
    }
    if left.finalizers.is_empty() {
        let message = "All content-preserving finalizers finished";
        set(
            "NamespaceFinalizersRemaining",
            false,
            "ContentHasNoFinalizers",
            message,
        );
    } else {
        let list = counted(&left.finalizers, "in");
        let message = format!("Some content in the namespace has finalizers remaining: {list}");
        set(
            "NamespaceFinalizersRemaining",
            true,
            "SomeFinalizersRemain",
            &message,
        );
    }
}
