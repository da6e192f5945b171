//! What the server's admission adds to objects, and what it refuses.
//!
//! One file for each concern; the order is that of the real server's plugins.

pub(crate) mod budgets;
mod claims;
mod escalation;
mod jobs;
mod lifecycle;
mod pods;
mod protected;
mod services;
pub(crate) mod webhooks;

use serde_json::Value;

use crate::failure::Outcome;
use crate::state::State;
use crate::types::Served;
use crate::write::Author;
use crate::write::Part;

/// The group of roles and bindings.
const RIGHTS: &str = "rbac.authorization.k8s.io";

/// Looks at an object before it is created.
pub(crate) fn create(
    state: &mut State,
    served: &Served,
    new: &mut Value,
    author: Author<'_>,
) -> Outcome<()> {
    lifecycle::create(state, served, new)?;
    if !served.info.custom {
        match (served.info.group.as_str(), served.info.kind.as_str()) {
            ("", "Pod") => pods::create(state, served, new)?,
            ("batch", "Job") => jobs::create(served, new)?,
            ("", "Service") => services::create(state, served, new)?,
            _ => {}
        }
        if served.info.group == RIGHTS {
            escalation::check(state, served, None, new, author)?;
        }
        claims::create(state, served, new);
        protected::create(served, new, author);
    }
    webhooks::admit(
        state,
        served,
        webhooks::Operation::Create,
        new,
        None,
        author,
    )
}

/// Looks at an object before it is replaced.
pub(crate) fn update(
    state: &mut State,
    served: &Served,
    before: &Value,
    new: &mut Value,
    part: Part,
    author: Author<'_>,
) -> Outcome<()> {
    if !served.info.custom && served.info.group == RIGHTS {
        escalation::check(state, served, Some(before), new, author)?;
    }
    if !served.info.custom && served.info.kind == "Service" && part == Part::Main {
        services::update(state, served, before, new)?;
    }
    webhooks::admit(
        state,
        served,
        webhooks::Operation::Update,
        new,
        part.subresource(),
        author,
    )
}

/// Looks at an object before it is deleted.
pub(crate) fn delete(
    state: &State,
    served: &Served,
    before: &Value,
    author: Author<'_>,
) -> Outcome<()> {
    lifecycle::delete(served, before)?;
    webhooks::admit(
        state,
        served,
        webhooks::Operation::Delete,
        before,
        None,
        author,
    )
}
