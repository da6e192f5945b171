//! Namespaces: nothing is created in one that is missing or going, and some may not go.

use serde_json::Value;
use serde_json::json;

use crate::failure::About;
use crate::failure::Failure;
use crate::failure::FailureBody;
use crate::failure::Outcome;
use crate::object;
use crate::state::State;
use crate::types::Served;
use crate::write::about;

/// Namespaces that cannot be deleted.
const PERMANENT: &[&str] = &["default", "kube-public", "kube-system"];

pub(super) fn create(state: &State, served: &Served, new: &Value) -> Outcome<()> {
    let space = object::namespace(new);
    if space.is_empty() {
        return Ok(());
    }
    let Some(namespace) = state.namespace(space) else {
        return Err(Failure::not_found(About {
            group: "",
            resource: "namespaces",
            name: space,
        }));
    };
    if !object::is_ending(namespace.json()) {
        return Ok(());
    }
    let why =
        format!("unable to create new content in namespace {space} because it is being terminated");
    let mut failure = Failure::forbidden(about(served, object::name(new)), &why);
    if let FailureBody::Status(status) = &mut failure.body {
        status["details"]["causes"] = json!([{
            "reason": "NamespaceTerminating",
            "message": format!("namespace {space} is being terminated"),
            "field": "metadata.namespace",
        }]);
    }
    Err(failure)
}

pub(super) fn delete(served: &Served, before: &Value) -> Outcome<()> {
    let name = object::name(before);
    let permanent = served.info.kind == "Namespace"
        && served.info.group.is_empty()
        && PERMANENT.contains(&name);
    if permanent {
        let why = "this namespace may not be deleted";
        return Err(Failure::forbidden(about(served, name), why));
    }
    Ok(())
}
