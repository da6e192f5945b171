//! Reading one object.

use std::sync::Arc;

use crate::failure::Failure;
use crate::failure::Outcome;
use crate::object::Object;
use crate::reply::Reply;
use crate::request::Request;
use crate::state::State;
use crate::types::Served;
use crate::write::about;

/// `GET` of one object.
pub(crate) fn get(state: &State, served: &Served, request: &Request) -> Outcome<Reply> {
    let object = stored(state, served, request)?;
    Ok(Reply::object(
        200,
        served,
        &object,
        request.accept,
        request.now,
    ))
}

/// The object that a request names.
pub(crate) fn stored(state: &State, served: &Served, request: &Request) -> Outcome<Arc<Object>> {
    let name = request.name();
    let found = state.store.get(&served.id, &name);
    found
        .cloned()
        .ok_or_else(|| Failure::not_found(about(served, &name.name)))
}
