//! Lists: one consistent state, whole or in pages.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use serde_json::json;

use crate::accept::Encoding;
use crate::accept::Shape;
use crate::convert;
use crate::failure::Failure;
use crate::failure::FailureBody;
use crate::failure::Outcome;
use crate::failure::field_error;
use crate::field_selector::FieldSelector;
use crate::label_selector::LabelSelector;
use crate::object;
use crate::object::Object;
use crate::reply::Reply;
use crate::reply::write_object;
use crate::request::Request;
use crate::state::State;
use crate::store::Name;
use crate::table;
use crate::types::Served;

const EXPIRED_PAGE: &str = "The provided continue parameter is too old to display a consistent \
     list result. You can start a new list without the continue parameter, or use the continue \
     token in this response to retrieve the remainder of the results. Continuing with the provided \
     token results in an inconsistent list - objects that were created, modified, or deleted \
     between the time the first chunk was returned and now may show up in the list.";

/// Which objects of a type a request is about.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    kind: String,
    labels: LabelSelector,
    fields: FieldSelector,
}

impl Selection {
    pub(crate) fn of(served: &Served, request: &Request) -> Outcome<Self> {
        let query = &request.query;
        let selection = Self {
            kind: served.info.kind.clone(),
            labels: LabelSelector::parse(&query.label_selector)?,
            fields: FieldSelector::parse(&query.field_selector, &served.info, &served.selectable)?,
        };
        Ok(selection)
    }

    pub(crate) fn matches(&self, json: &Value) -> bool {
        self.labels.matches(object::labels(json)) && self.fields.matches(&self.kind, json)
    }

    fn is_everything(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }
}

/// A page of a list: where it starts and of which state it is.
struct Page {
    objects: Vec<Arc<Object>>,
    revision: u64,
    /// The name after which the next page starts.
    next: Option<Name>,
    remaining: Option<usize>,
}

/// `GET` of a collection.
pub(crate) fn list(state: &State, served: &Served, request: &Request) -> Outcome<Reply> {
    let selection = Selection::of(served, request)?;
    let page = page(state, served, request, &selection)?;
    let mut metadata = json!({ "resourceVersion": page.revision.to_string() });
    if served.info.custom && request.accept.shape == Shape::Whole {
        metadata["continue"] = json!("");
    }
    if let Some(next) = &page.next {
        metadata["continue"] = json!(token(Some(page.revision), next));
        if let Some(remaining) = page.remaining.filter(|_| selection.is_everything()) {
            metadata["remainingItemCount"] = json!(remaining);
        }
    }
    let reply = match request.accept.shape {
        Shape::Table => {
            let shown: Vec<_> = page
                .objects
                .iter()
                .map(|object| convert::shown(served, object))
                .collect();
            let table = table::of(served, shown.iter(), request.now, &metadata);
            Reply::value(200, &table, request.accept)
        }
        shape => rendered(served, &page.objects, shape, &metadata, request),
    };
    Ok(reply.warned(served))
}

fn rendered(
    served: &Served,
    objects: &[Arc<Object>],
    shape: Shape,
    metadata: &Value,
    request: &Request,
) -> Reply {
    let info = &served.info;
    let (version, kind) = match shape {
        Shape::Metadata => (
            "meta.k8s.io/v1".to_owned(),
            "PartialObjectMetadataList".to_owned(),
        ),
        _ => (info.api_version(), format!("{}List", info.kind)),
    };
    let mut body = format!(
        "{{\"kind\":\"{kind}\",\"apiVersion\":\"{version}\",\"metadata\":{metadata},\"items\":["
    )
    .into_bytes();
    for (index, object) in objects.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        // In lists of built-in types the objects do not say again what they are.
        let bare = !info.custom && shape == Shape::Whole && !convert::changes_fields(served);
        if bare {
            body.extend_from_slice(object.body());
        } else {
            write_object(served, object, shape, &mut body);
        }
    }
    body.extend_from_slice(b"]}");
    if request.accept.encoding == Encoding::Yaml {
        let value = serde_json::from_slice(&body).unwrap_or_default();
        return Reply::value(200, &value, request.accept);
    }
    Reply::json(200, body)
}

fn page(state: &State, served: &Served, request: &Request, selection: &Selection) -> Outcome<Page> {
    let namespace = request.target.namespace.as_deref();
    let query = &request.query;
    let (revision, after) = if query.after.is_empty() {
        (revision_of(state, request)?, None)
    } else {
        let (revision, after) = read_token(&query.after)?;
        // A token without a revision goes on in whatever is there now.
        let revision = revision.unwrap_or_else(|| state.store.revision());
        (Some(revision), Some(after))
    };
    let mut all: Box<dyn Iterator<Item = Arc<Object>>> = match revision {
        None => Box::new(state.store.list(&served.id, namespace).cloned()),
        Some(revision) => {
            let objects = state
                .store
                .list_at(&served.id, namespace, after.as_ref(), revision)
                .ok_or_else(|| forgotten(after.as_ref()))?;
            Box::new(objects.into_iter())
        }
    };
    let revision = revision.unwrap_or_else(|| state.store.revision());
    // Who takes any state gets it whole.
    let any_state = query.resource_version == "0" && query.after.is_empty();
    let limit = if any_state { 0 } else { query.limit };
    if limit == 0 {
        return Ok(Page {
            objects: all
                .filter(|object| selection.matches(object.json()))
                .collect(),
            revision,
            next: None,
            remaining: None,
        });
    }
    let objects: Vec<_> = all
        .by_ref()
        .filter(|object| selection.matches(object.json()))
        .take(limit)
        .collect();
    // Whether more of them match is only known when they are looked at.
    let remaining = all.count();
    let last = objects.last().map(|object| Name::of(object.json()));
    Ok(Page {
        objects,
        revision,
        next: last.filter(|_| remaining > 0),
        remaining: Some(remaining),
    })
}

/// A state that is not kept; who was in the middle of it may go on in the newest.
fn forgotten(after: Option<&Name>) -> Failure {
    let Some(after) = after else {
        return Failure::expired("The resourceVersion for the provided list is too old.");
    };
    let mut failure = Failure::expired(EXPIRED_PAGE);
    if let FailureBody::Status(status) = &mut failure.body {
        status["metadata"]["continue"] = json!(token(None, after));
    }
    failure
}

/// The old revision that is asked for exactly; none when the newest state serves.
fn revision_of(state: &State, request: &Request) -> Outcome<Option<u64>> {
    let query = &request.query;
    let exact = match query.resource_version_match.as_str() {
        "" | "NotOlderThan" => false,
        "Exact" => true,
        other => {
            let message = format!(
                "Unsupported value: {other:?}: supported values: \"Exact\", \"NotOlderThan\", \"\""
            );
            return Err(invalid_options(
                "resourceVersionMatch",
                "FieldValueNotSupported",
                message,
            ));
        }
    };
    if !query.resource_version_match.is_empty() && query.resource_version.is_empty() {
        let message =
            "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided";
        return Err(invalid_options(
            "resourceVersionMatch",
            "FieldValueForbidden",
            message.to_owned(),
        ));
    }
    if exact && query.resource_version == "0" {
        let message = "Forbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion \
                       \"0\"";
        return Err(invalid_options(
            "resourceVersionMatch",
            "FieldValueForbidden",
            message.to_owned(),
        ));
    }
    let asked = number(&query.resource_version)
        .map_err(|why| Failure::bad_request(&format!("invalid resource version: {why}")))?;
    let current = state.store.revision();
    if asked > current {
        return Err(Failure::revision_too_large(asked, current));
    }
    Ok((exact && asked > 0).then_some(asked))
}

pub(crate) fn invalid_options(path: &str, reason: &'static str, message: String) -> Failure {
    let error = field_error(path, reason, message);
    Failure::invalid(("meta.k8s.io", "ListOptions"), "", &[error])
}

/// Reads a revision, or says what is wrong with it; none means any.
pub(crate) fn number(text: &str) -> Result<u64, String> {
    if text.is_empty() {
        return Ok(0);
    }
    text.parse().map_err(|_| {
        let shown = Value::from(text);
        format!(
            "resourceVersion: Invalid value: {shown}: strconv.ParseUint: parsing {shown}: invalid \
             syntax"
        )
    })
}

/// What a token says instead of a revision when it means any.
const NO_REVISION: i64 = -1;

/// The revision and the name, as clients hand them back.
fn token(revision: Option<u64>, after: &Name) -> String {
    let revision = revision.map_or(json!(NO_REVISION), |revision| json!(revision));
    let place = json!({
        "v": "meta.k8s.io/v1",
        "rv": revision,
        "start": format!("{}/{}", after.namespace, after.name),
    });
    URL_SAFE_NO_PAD.encode(place.to_string())
}

fn read_token(token: &str) -> Outcome<(Option<u64>, Name)> {
    let invalid = |why: &str| {
        let message = format!("invalid continue token: continue key is not valid: {why}");
        Failure::bad_request(&message)
    };
    let bytes = URL_SAFE_NO_PAD
        .decode(token)
        .map_err(|_| invalid("illegal base64 data at input byte 0"))?;
    let place: Value =
        serde_json::from_slice(&bytes).map_err(|error| invalid(&error.to_string()))?;
    let start = place["start"]
        .as_str()
        .and_then(|start| start.split_once('/'));
    match (place["rv"].is_number(), start) {
        (true, Some((namespace, name))) => Ok((place["rv"].as_u64(), Name::new(namespace, name))),
        _ => Err(invalid("it names no place")),
    }
}
