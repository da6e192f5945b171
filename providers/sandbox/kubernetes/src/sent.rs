//! What is sent to subresources and never stored: types of their own, read like all others.

use drplan_sandbox_fields as fields;
use drplan_sandbox_fields::TypeInfo;
use serde_json::Value;

use crate::failure::Failure;
use crate::failure::Outcome;
use crate::object;
use crate::request::Request;
use crate::verbs::create;
use crate::verbs::update::refuse_other_space;

/// The type of a kind.
pub(crate) fn type_of(kind: &str) -> Outcome<&'static TypeInfo> {
    fields::body(kind).ok_or_else(|| Failure::internal(&format!("no kind {kind:?} is known")))
}

/// The body of a request that makes something beside the object that its path names, with what is to be
/// warned of.
pub(crate) fn read(request: &Request, kind: &str) -> Outcome<(Value, Vec<String>)> {
    let (value, warnings) = create::body(type_of(kind)?, request)?;
    refuse_other_space(request, &value)?;
    Ok((value, warnings))
}

/// The same; it must name the object of the path.
pub(crate) fn read_named(request: &Request, kind: &str) -> Outcome<(Value, Vec<String>)> {
    let (value, warnings) = read(request, kind)?;
    if Some(object::name(&value)) != request.target.name.as_deref() {
        let message = format!("name in URL does not match name in {kind} object");
        return Err(Failure::bad_request(&message));
    }
    Ok((value, warnings))
}
