//! What makes an object the object that it is, from its first write to its last.

use serde_json::Value;
use serde_json::json;

use crate::failure::Failure;
use crate::failure::Outcome;
use crate::object;
use crate::object::Object;
use crate::types::Served;
use crate::write::about;

/// Refuses to replace an object by what was made of another, or of an older state of it.
pub(crate) fn refuse_stale(served: &Served, old: &Object, new: &Value) -> Outcome<()> {
    let name = object::name(old.json());
    let uid = object::uid(new);
    if !uid.is_empty() && uid != object::uid(old.json()) {
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: {}, ResourceVersion: 0, \
             AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, UID in object \
             meta: {}",
            storage_key(served, old),
            object::uid(old.json()),
        );
        return Err(Failure::conflict(about(served, name), &why));
    }
    let revision = object::text(new, "/metadata/resourceVersion");
    if !matches!(revision, "" | "0") && revision != old.revision().to_string() {
        return Err(Failure::modified(about(served, name)));
    }
    Ok(())
}

/// Where the real server would keep the object, as some of its messages say.
fn storage_key(served: &Served, object: &Object) -> String {
    let group = if served.info.custom {
        format!("{}/", served.info.group)
    } else {
        String::new()
    };
    let space = object::namespace(object.json());
    let space = if space.is_empty() {
        String::new()
    } else {
        format!("{space}/")
    };
    format!(
        "/registry/{group}{}/{space}{}",
        served.info.plural,
        object::name(object.json())
    )
}

/// What no update can change.
const IDENTITY: &[&str] = &[
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "resourceVersion",
    "selfLink",
];

/// Gives a changed object back what no update can change.
pub(crate) fn keep_identity(served: &Served, before: &Value, new: &mut Value) {
    new["apiVersion"] = json!(served.info.api_version());
    new["kind"] = json!(served.info.kind);
    let old = &before["metadata"];
    let metadata = object::metadata(new);
    for field in IDENTITY {
        match old.get(*field) {
            Some(value) => metadata.insert((*field).to_owned(), value.clone()),
            None => metadata.remove(*field),
        };
    }
    // It is only read when an object is made, but never taken away.
    if !metadata.contains_key("generateName")
        && let Some(base) = old.get("generateName")
    {
        metadata.insert("generateName".to_owned(), base.clone());
    }
}
