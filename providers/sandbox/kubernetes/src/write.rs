//! What every write goes through between the request and the store.
//!
//! Whoever calls has decided what the object shall be; here it gets what the server adds, is
//! admitted and checked, and is stored, unless it was only tried or changes nothing.

use std::sync::Arc;

use drplan_sandbox_fields as fields;
use serde_json::Value;
use serde_json::json;

use crate::admission;
use crate::convert;
use crate::failure::About;
use crate::failure::Failure;
use crate::failure::FailureBody;
use crate::failure::Outcome;
use crate::failure::field_error;
use crate::generation;
use crate::identity::keep_identity;
use crate::identity::refuse_stale;
use crate::object;
use crate::object::Object;
use crate::options::User;
use crate::request::stamp;
use crate::state::State;
use crate::store::Name;
use crate::types::Served;

/// Who writes, when, and how seriously.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Author<'a> {
    pub(crate) user: &'a User,
    pub(crate) manager: &'a str,
    pub(crate) now: drplan_api::Timestamp,
    pub(crate) dry_run: bool,
}

/// What part of an object a write is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Everything but the status, where that is a subresource.
    Main,
    /// The status alone.
    Status,
    /// Everything, under the name of another subresource.
    Other(&'static str),
}

impl Part {
    /// The subresource, as ownership of fields names it.
    pub(crate) fn subresource(self) -> Option<&'static str> {
        match self {
            Self::Main => None,
            Self::Status => Some("status"),
            Self::Other(name) => Some(name),
        }
    }
}

/// How the owners of fields are found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ownership {
    /// From what changed.
    Changed,
    /// They stand there already: the object was applied.
    Applied,
}

/// What a write wants.
#[derive(Debug)]
pub(crate) struct Wish {
    /// The object in the served version.
    pub(crate) new: Value,
    pub(crate) part: Part,
    pub(crate) ownership: Ownership,
}

/// What came of a write.
#[derive(Debug)]
pub(crate) enum Written {
    Created(Arc<Object>),
    Updated(Arc<Object>),
}

impl Written {
    pub(crate) fn object(&self) -> &Arc<Object> {
        match self {
            Self::Created(object) | Self::Updated(object) => object,
        }
    }

    pub(crate) fn code(&self) -> u16 {
        match self {
            Self::Created(_) => 201,
            Self::Updated(_) => 200,
        }
    }
}

/// Creates an object in a namespace, or in none.
pub(crate) fn create(
    state: &mut State,
    served: &Served,
    space: &str,
    wish: Wish,
    author: Author<'_>,
) -> Outcome<Written> {
    let mut new = wish.new;
    let made_up = object::name(&new).is_empty();
    begin(state, served, space, &mut new, author)?;
    fields::default(&served.info, &mut new);
    own(served, None, &mut new, wish.part, wish.ownership, author);
    fields::prepare_create(&served.info, &mut new);
    fields::default(&served.info, &mut new);
    admission::create(state, served, &mut new, author)?;
    let generation = generation::first(served);
    if let Some(first) = generation {
        object::metadata(&mut new).insert("generation".to_owned(), json!(first));
    }
    refuse_invalid(served, &new, Vec::new()).map_err(|failure| match made_up {
        true => blame_base(failure),
        false => failure,
    })?;
    let name = Name::of(&new);
    if let Some(known) = state.store.get(&served.id, &name) {
        let about = about(served, &name.name);
        return Err(match object::is_ending(known.json()) {
            true => Failure::still_ending(about),
            false => Failure::already_exists(about),
        });
    }
    let stored = convert::to_stored(served, new);
    if author.dry_run {
        return Ok(Written::Created(Arc::new(Object::new(stored, 0))));
    }
    let object = state.store.put(&served.id, stored);
    state.follow_types(&served.id);
    Ok(Written::Created(object))
}

/// A name that the server completed is wrong because its beginning is.
fn blame_base(mut failure: Failure) -> Failure {
    if let FailureBody::Status(status) = &mut failure.body {
        for cause in object::elements_mut(status, "/details/causes") {
            if cause["field"] == "metadata.name" && cause["reason"] != "FieldValueRequired" {
                cause["field"] = json!("metadata.generateName");
            }
        }
    }
    failure
}

/// Records who owns what. What admission adds later belongs to nobody, as in life.
fn own(
    served: &Served,
    before: Option<&Value>,
    new: &mut Value,
    part: Part,
    ownership: Ownership,
    author: Author<'_>,
) {
    if ownership == Ownership::Changed {
        let now = stamp(author.now);
        let (info, sub) = (&served.info, part.subresource());
        fields::owners::update(info, before, new, author.manager, sub, &now);
        if sub == Some("scale") {
            forget_time(new);
        }
    }
}

/// Whoever scales owns the number without a time, as on the real server.
fn forget_time(new: &mut Value) {
    for owner in object::elements_mut(new, "/metadata/managedFields") {
        if owner["subresource"] == "scale" {
            owner.as_object_mut().map(|owner| owner.remove("time"));
        }
    }
}

/// Gives a new object what identifies it.
fn begin(
    state: &mut State,
    served: &Served,
    space: &str,
    new: &mut Value,
    author: Author<'_>,
) -> Outcome<()> {
    let revision = object::text(new, "/metadata/resourceVersion");
    if !matches!(revision, "" | "0") {
        let message = "resourceVersion should not be set on objects to be created";
        return Err(Failure::new(500, "", message, None));
    }
    let given = object::text(new, "/metadata/name").to_owned();
    let base = object::text(new, "/metadata/generateName").to_owned();
    let uid = state.ids.uid();
    let name = if given.is_empty() && !base.is_empty() {
        state.ids.name(&base)
    } else {
        given
    };
    new["apiVersion"] = json!(served.info.api_version());
    new["kind"] = json!(served.info.kind);
    let metadata = object::metadata(new);
    for field in [
        "resourceVersion",
        "selfLink",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "namespace",
    ] {
        metadata.remove(field);
    }
    metadata.insert("name".to_owned(), json!(name));
    if !space.is_empty() {
        metadata.insert("namespace".to_owned(), json!(space));
    }
    metadata.insert("uid".to_owned(), json!(uid));
    metadata.insert("creationTimestamp".to_owned(), json!(stamp(author.now)));
    Ok(())
}

/// Replaces an object, or one part of it.
pub(crate) fn update(
    state: &mut State,
    served: &Served,
    old: &Arc<Object>,
    wish: Wish,
    author: Author<'_>,
) -> Outcome<Written> {
    let before = convert::shown(served, old);
    let mut new = wish.new;
    refuse_stale(served, old, &new)?;
    keep_identity(served, &before, &mut new);
    fields::default(&served.info, &mut new);
    own(
        served,
        Some(&before),
        &mut new,
        wish.part,
        wish.ownership,
        author,
    );
    let sub = wish.part.subresource();
    fields::prepare_update(&served.info, &before, &mut new, sub);
    fields::default(&served.info, &mut new);
    admission::update(state, served, &before, &mut new, wish.part, author)?;
    generation::follow(served, &before, &mut new);
    let mut errors = new_finalizers(served, &before, &new);
    // Other subresources exist to change what is otherwise fixed.
    if !matches!(wish.part, Part::Other(_)) {
        errors.extend(fields::check_update(&served.info, &before, &new));
    }
    refuse_invalid(served, &new, errors)?;
    let stored = convert::to_stored(served, new);
    if same_but_times(old.json(), &stored) {
        return Ok(Written::Updated(Arc::clone(old)));
    }
    if author.dry_run {
        return Ok(Written::Updated(Arc::new(Object::new(
            stored,
            old.revision(),
        ))));
    }
    if may_go(&stored) {
        // Watches see it go as it was before; the answer shows what was sent, under the old
        // revision.
        state.store.remove(&served.id, old.json().clone());
        state.follow_types(&served.id);
        let last = Object::new(stored, old.revision());
        return Ok(Written::Updated(Arc::new(last)));
    }
    let object = state.store.put(&served.id, stored);
    state.follow_types(&served.id);
    Ok(Written::Updated(object))
}

/// Whether nothing keeps an object that is being deleted any longer.
pub(crate) fn may_go(json: &Value) -> bool {
    object::is_ending(json)
        && object::finalizers(json).is_empty()
        && json["metadata"]["deletionGracePeriodSeconds"]
            .as_u64()
            .unwrap_or(0)
            == 0
        && !has_own_finalizers(json)
}

/// Namespaces have a second list of finalizers.
fn has_own_finalizers(json: &Value) -> bool {
    json["kind"] == "Namespace"
        && json["spec"]["finalizers"]
            .as_array()
            .is_some_and(|list| !list.is_empty())
}

/// Finalizers that came after the object's end had begun.
fn new_finalizers(served: &Served, before: &Value, new: &Value) -> Vec<fields::FieldError> {
    if !object::is_ending(before) {
        return Vec::new();
    }
    let old = object::finalizers(before);
    let added: Vec<_> = object::finalizers(new)
        .into_iter()
        .filter(|finalizer| !old.contains(finalizer))
        .map(|finalizer| format!("{finalizer:?}"))
        .collect();
    if added.is_empty() {
        return Vec::new();
    }
    let message = format!(
        "Forbidden: no new finalizers can be added if the object is being deleted, found new \
         finalizers []string{{{}}}",
        added.join(", ")
    );
    let error = field_error("metadata.finalizers", "FieldValueForbidden", message);
    // Built-in types are checked twice, and both checks tell.
    vec![error; if served.info.custom { 1 } else { 2 }]
}

/// Refuses an object of which something is wrong.
fn refuse_invalid(
    served: &Served,
    new: &Value,
    mut errors: Vec<fields::FieldError>,
) -> Outcome<()> {
    errors.extend(fields::validate(&served.info, new));
    if errors.is_empty() {
        return Ok(());
    }
    let twice = errors.windows(2).any(|pair| pair[0] == pair[1]);
    if twice {
        let kind = (served.info.group.as_str(), served.info.kind.as_str());
        return Err(Failure::invalid(kind, object::name(new), &errors));
    }
    let status = fields::invalid_status(&served.info, object::name(new), &errors);
    Err(Failure::from_status(status))
}

/// Whether two states differ in nothing but the times at which fields were owned.
fn same_but_times(old: &Value, new: &Value) -> bool {
    let rest = |json: &Value| -> Option<(Value, Vec<Value>)> {
        let mut json = json.clone();
        let metadata = json.get_mut("metadata")?.as_object_mut()?;
        metadata.remove("resourceVersion");
        let mut owners = match metadata.remove("managedFields") {
            Some(Value::Array(owners)) => owners,
            _ => Vec::new(),
        };
        for owner in &mut owners {
            owner.as_object_mut().map(|owner| owner.remove("time"));
        }
        Some((json, owners))
    };
    rest(old) == rest(new)
}

/// What refusals of writes to an object are about.
pub(crate) fn about<'a>(served: &'a Served, name: &'a str) -> About<'a> {
    About {
        group: &served.info.group,
        resource: &served.info.plural,
        name,
    }
}
