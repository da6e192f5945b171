//! Deleting objects: at once, after a grace period, or when the last finalizer is gone.

use std::sync::Arc;

use serde_json::Value;
use serde_json::json;

use crate::accept::Shape;
use crate::deletion::Deletion;
use crate::deletion::Ended;
use crate::deletion::end;
use crate::failure::Failure;
use crate::failure::Outcome;
use crate::object;
use crate::object::Object;
use crate::reply::Reply;
use crate::reply::write_object;
use crate::request::Request;
use crate::state::State;
use crate::types::Served;
use crate::verbs::create::author;
use crate::verbs::list::Selection;
use crate::verbs::read::stored;

/// The kinds whose deletion answers with the object even when it is gone at once.
const SHOWN_WHEN_GONE: &[&str] = &[
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Pod",
    "PodTemplate",
    "ResourceQuota",
    "Service",
    "ServiceAccount",
    "StorageClass",
    "CSIDriver",
    "CSINode",
    "VolumeAttachment",
    "VolumeAttributesClass",
];

/// `DELETE` of one object.
pub(crate) fn delete(state: &mut State, served: &Served, request: &Request) -> Outcome<Reply> {
    let deletion = Deletion::read(request)?;
    let object = stored(state, served, request)?;
    let author = author(request, deletion.dry_run);
    let ended = end(state, served, &object, &deletion, author)?;
    let mut reply = match ended {
        Ended::Waiting(object) => Reply::object(200, served, &object, request.accept, request.now),
        Ended::Gone(object) if shown_when_gone(served) => {
            Reply::object(200, served, &object, request.accept, request.now)
        }
        Ended::Gone(object) => Reply::value(200, &success(served, &object), request.accept),
    };
    reply.warnings.extend(deletion.warning(served));
    Ok(reply)
}

fn shown_when_gone(served: &Served) -> bool {
    !served.info.custom && SHOWN_WHEN_GONE.contains(&served.info.kind.as_str())
}

fn success(served: &Served, gone: &Object) -> Value {
    let json = gone.json();
    let mut details = json!({
        "name": object::name(json),
        "kind": served.info.plural,
        "uid": object::uid(json),
    });
    if !served.info.group.is_empty() {
        details["group"] = json!(served.info.group);
    }
    json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details,
    })
}

/// `DELETE` of all objects that selectors match.
pub(crate) fn delete_collection(
    state: &mut State,
    served: &Served,
    request: &Request,
) -> Outcome<Reply> {
    if served.info.kind == "Namespace" {
        return Err(Failure::method_not_allowed());
    }
    let deletion = Deletion::read(request)?;
    let selection = Selection::of(served, request)?;
    let namespace = request.target.namespace.as_deref();
    let doomed: Vec<Arc<Object>> = state
        .store
        .list(&served.id, namespace)
        .filter(|object| selection.matches(object.json()))
        .cloned()
        .collect();
    let revision = state.store.revision();
    let mut items = Vec::new();
    for object in doomed {
        let author = author(request, deletion.dry_run);
        let (Ended::Waiting(object) | Ended::Gone(object)) =
            end(state, served, &object, &deletion, author)?;
        if !items.is_empty() {
            items.push(b',');
        }
        write_object(served, &object, Shape::Whole, &mut items);
    }
    let info = &served.info;
    let mut metadata = json!({ "resourceVersion": revision.to_string() });
    if info.custom {
        metadata["continue"] = json!("");
    }
    let mut body = format!(
        "{{\"apiVersion\":\"{}\",\"kind\":\"{}List\",\"metadata\":{metadata},\"items\":[",
        info.api_version(),
        info.kind
    )
    .into_bytes();
    body.append(&mut items);
    body.extend_from_slice(b"]}");
    Ok(Reply::json(200, body))
}
