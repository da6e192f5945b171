//! Replacing objects.

use serde_json::Value;

use crate::failure::Failure;
use crate::failure::Outcome;
use crate::failure::invalid_value;
use crate::object;
use crate::reply::Reply;
use crate::request::Request;
use crate::state::State;
use crate::types::Served;
use crate::verbs::create::author;
use crate::verbs::create::body;
use crate::write;
use crate::write::Ownership;
use crate::write::Part;
use crate::write::Wish;
use crate::write::about;

/// The kinds that a `PUT` creates when they are not there.
const CREATED_BY_PUT: &[&str] = &[
    "ClusterRole",
    "ClusterRoleBinding",
    "Endpoints",
    "Event",
    "Lease",
    "LimitRange",
    "Role",
    "RoleBinding",
    "Service",
];

/// `PUT` of an object or of its status.
pub(crate) fn update(
    state: &mut State,
    served: &Served,
    request: &Request,
    part: Part,
) -> Outcome<Reply> {
    let dry_run = request.query.dry_run("UpdateOptions")?;
    let (new, warnings) = body(&served.info, request)?;
    refuse_other_name(request, &new)?;
    let name = request.name();
    let author = author(request, dry_run);
    let wish = Wish {
        new,
        part,
        ownership: Ownership::Changed,
    };
    let written = match state.store.get(&served.id, &name).cloned() {
        Some(old) => {
            refuse_without_revision(served, &wish.new)?;
            write::update(state, served, &old, wish, author)?
        }
        None if may_create(served) && part == Part::Main => {
            write::create(state, served, &name.namespace, wish, author)?
        }
        None => return Err(Failure::not_found(about(served, &name.name))),
    };
    let object = written.object();
    let mut reply = Reply::object(written.code(), served, object, request.accept, request.now);
    reply.warnings.splice(0..0, warnings);
    Ok(reply)
}

fn may_create(served: &Served) -> bool {
    !served.info.custom && CREATED_BY_PUT.contains(&served.info.kind.as_str())
}

/// Custom objects, and few others, can only be replaced by somebody who has seen them.
fn refuse_without_revision(served: &Served, new: &Value) -> Outcome<()> {
    let sees = served.info.custom || served.info.kind == "Lease";
    if !sees || !object::text(new, "/metadata/resourceVersion").is_empty() {
        return Ok(());
    }
    let error = invalid_value(
        "metadata.resourceVersion",
        &Value::from(0),
        "must be specified for an update",
    );
    // The real server names the resource here where it names the kind elsewhere.
    let kind = (served.info.group.as_str(), served.info.plural.as_str());
    Err(Failure::invalid(kind, object::name(new), &[error]))
}

/// The object in a body must be the one that the path names.
pub(crate) fn refuse_other_name(request: &Request, new: &Value) -> Outcome<()> {
    let name = request.target.name.as_deref().unwrap_or_default();
    let said = object::name(new);
    if said != name {
        let message = if said.is_empty() {
            format!(
                "the name of the object ({name} based on URL) was undeterminable: name must be \
                 provided"
            )
        } else {
            format!("the name of the object ({said}) does not match the name on the URL ({name})")
        };
        return Err(Failure::bad_request(&message));
    }
    refuse_other_space(request, new)
}

/// An object that names a namespace must name that of the path.
pub(crate) fn refuse_other_space(request: &Request, new: &Value) -> Outcome<()> {
    let said = object::namespace(new);
    if !said.is_empty() && said != request.space() {
        return Err(Failure::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    Ok(())
}
