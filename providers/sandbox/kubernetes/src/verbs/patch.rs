//! The four patches.

use drplan_sandbox_fields as fields;
use drplan_sandbox_fields::PatchError;
use serde_json::Value;
use serde_json::json;

use crate::convert;
use crate::decode;
use crate::decode::Decoded;
use crate::failure::Failure;
use crate::failure::Outcome;
use crate::object;
use crate::reply::Reply;
use crate::request::Request;
use crate::state::State;
use crate::types::Served;
use crate::verbs::create::Unknown;
use crate::verbs::create::author;
use crate::verbs::update::refuse_other_name;
use crate::write;
use crate::write::Ownership;
use crate::write::Part;
use crate::write::Wish;
use crate::write::about;

/// How a patch says what to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Json,
    Merge,
    Strategic,
    Apply,
}

/// `PATCH` of an object or of its status.
pub(crate) fn patch(
    state: &mut State,
    served: &Served,
    request: &Request,
    part: Part,
) -> Outcome<Reply> {
    let kind = kind(served, request)?;
    let dry_run = request.query.dry_run("PatchOptions")?;
    let decoded = decoded(request, kind)?;
    if kind == Kind::Apply {
        return apply(state, served, request, part, decoded);
    }
    let name = request.name();
    let Some(old) = state.store.get(&served.id, &name).cloned() else {
        return Err(Failure::not_found(about(served, &name.name)));
    };
    let before = convert::shown(served, &old);
    let new = match kind {
        Kind::Merge => Ok(fields::merge_patch(&before, &decoded.value)),
        Kind::Json => fields::json_patch(&before, &decoded.value),
        Kind::Strategic | Kind::Apply => {
            fields::strategic_merge(&served.info, &before, &decoded.value)
        }
    };
    let new = new.map_err(|error| refusal(&error))?;
    if let Some(message) = fields::decode_error(&served.info, &new) {
        return Err(Failure::bad_request(&message));
    }
    refuse_other_name(request, &new)?;
    let text = new.to_string();
    let unknown = Unknown::find(
        served,
        Decoded {
            value: new,
            duplicates: decoded.duplicates,
        },
    );
    let (new, warnings) = unknown.judge_patch(served, request, &text)?;
    let wish = Wish {
        new,
        part,
        ownership: Ownership::Changed,
    };
    let written = write::update(state, served, &old, wish, author(request, dry_run))?;
    let mut reply = Reply::object(
        written.code(),
        served,
        written.object(),
        request.accept,
        request.now,
    );
    reply.warnings.splice(0..0, warnings);
    Ok(reply)
}

fn kind(served: &Served, request: &Request) -> Outcome<Kind> {
    let kind = match request.media_type() {
        "application/json-patch+json" => Kind::Json,
        "application/merge-patch+json" => Kind::Merge,
        "application/apply-patch+yaml" => Kind::Apply,
        "application/strategic-merge-patch+json" if !served.info.custom => Kind::Strategic,
        _ => {
            let message = if served.info.custom {
                "the body of the request was in an unknown format - accepted media types include: \
                 application/json-patch+json, application/merge-patch+json, \
                 application/apply-patch+yaml"
            } else {
                "415: Unsupported Media Type"
            };
            let details = (!served.info.custom).then(|| json!({}));
            return Err(Failure::new(415, "UnsupportedMediaType", message, details));
        }
    };
    Ok(kind)
}

fn decoded(request: &Request, kind: Kind) -> Outcome<Decoded> {
    let read = match kind {
        Kind::Apply => decode::yaml(&request.body),
        _ => decode::json(&request.body),
    };
    read.map_err(|error| {
        let message = match kind {
            Kind::Apply => format!("error decoding YAML: {error}"),
            _ => format!("error decoding patch: {error}"),
        };
        Failure::bad_request(&message)
    })
}

fn refusal(error: &PatchError) -> Failure {
    match error {
        PatchError::BadRequest(message) => Failure::bad_request(message),
        PatchError::Unprocessable(message) => {
            Failure::new(422, "Invalid", message, Some(json!({})))
        }
    }
}

impl Unknown {
    /// Like [`Unknown::judge`], in the words that patches are refused with.
    fn judge_patch(
        self,
        served: &Served,
        request: &Request,
        patched: &str,
    ) -> Outcome<(Value, Vec<String>)> {
        if request.query.field_validation == "Strict" && !self.found.is_empty() {
            let detail = format!("strict decoding error: {}", self.found.join(", "));
            let shown = crate::failure::field_error(
                "patch",
                "FieldValueInvalid",
                format!("Invalid value: {}: {detail}", Value::from(patched)),
            );
            return Err(Failure::invalid(("", ""), "", &[shown]));
        }
        self.judge(served, request)
    }
}

/// Server-side apply: creates what is not there.
fn apply(
    state: &mut State,
    served: &Served,
    request: &Request,
    part: Part,
    decoded: Decoded,
) -> Outcome<Reply> {
    let dry_run = request.query.dry_run("PatchOptions")?;
    refuse_without_manager(request)?;
    let name = request.name();
    let mut decoded = decoded;
    complete(served, request, &mut decoded.value)?;
    refuse_other_name(request, &decoded.value)?;
    // What the type does not have, the merge itself refuses.
    let duplicates = Unknown::twice(decoded);
    let (applied, warnings) = duplicates.judge(served, request)?;
    let old = state.store.get(&served.id, &name).cloned();
    let live = old.as_ref().map(|old| convert::shown(served, old));
    if live.is_none() && part != Part::Main {
        return Err(Failure::not_found(about(served, &name.name)));
    }
    let merged = fields::owners::apply(
        &served.info,
        live.as_ref(),
        &applied,
        &request.query.field_manager,
        request.query.force,
        part.subresource(),
        &request.stamp(),
    )
    .map_err(|error| Failure::from_status(error.status()))?;
    let wish = Wish {
        new: merged,
        part,
        ownership: Ownership::Applied,
    };
    let author = author(request, dry_run);
    let written = match old {
        Some(old) => write::update(state, served, &old, wish, author)?,
        None => write::create(state, served, &name.namespace, wish, author)?,
    };
    let mut reply = Reply::object(
        written.code(),
        served,
        written.object(),
        request.accept,
        request.now,
    );
    reply.warnings.splice(0..0, warnings);
    Ok(reply)
}

fn refuse_without_manager(request: &Request) -> Outcome<()> {
    if !request.query.field_manager.is_empty() {
        return Ok(());
    }
    let error = crate::failure::field_error(
        "fieldManager",
        "FieldValueRequired",
        "Required value: is required for apply patch".to_owned(),
    );
    Err(Failure::invalid(("meta.k8s.io", "PatchOptions"), "", &[error]))
}

/// Fills in and checks what the path says already.
fn complete(served: &Served, request: &Request, applied: &mut Value) -> Outcome<()> {
    let info = &served.info;
    if !applied.is_object() {
        return Err(Failure::bad_request("error decoding YAML: the body is no object"));
    }
    let expected = info.api_version();
    let (api_version, kind) = (
        object::text(applied, "/apiVersion"),
        object::text(applied, "/kind"),
    );
    if api_version != expected || kind != info.kind {
        let message = if api_version.is_empty() || kind.is_empty() {
            "invalid object type: /, Kind=".to_owned()
        } else {
            let slash = if api_version.contains('/') { "" } else { "/" };
            format!("invalid object type: {slash}{api_version}, Kind={kind}")
        };
        return Err(Failure::bad_request(&message));
    }
    if !served.info.namespaced {
        return Ok(());
    }
    let space = request.space().to_owned();
    let metadata = object::metadata(applied);
    metadata.entry("namespace").or_insert_with(|| json!(space));
    Ok(())
}
