//! The four patches.

use drplan_sandbox_fields as fields;
use drplan_sandbox_fields::PatchError;
use drplan_sandbox_fields::TypeInfo;
use serde_json::Value;
use serde_json::json;

use crate::convert;
use crate::decode;
use crate::decode::Decoded;
use crate::failure::Failure;
use crate::failure::Outcome;
use crate::failure::field_error;
use crate::failure::invalid_value;
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
    if kind != Kind::Apply && request.query.force {
        let error = field_error(
            "force",
            "FieldValueForbidden",
            "Forbidden: may not be specified for non-apply patch".to_owned(),
        );
        return Err(Failure::invalid(
            ("meta.k8s.io", "PatchOptions"),
            "",
            &[error],
        ));
    }
    if kind == Kind::Apply {
        return apply(state, served, request, part, decoded);
    }
    let name = request.name();
    let Some(old) = state.store.get(&served.id, &name).cloned() else {
        return Err(Failure::not_found(about(served, &name.name)));
    };
    let before = convert::shown(served, &old);
    let (new, warnings) = patched(&served.info, request, kind, &before, decoded)?;
    refuse_new_identity(served, &before, &new)?;
    refuse_other_name(request, &new)?;
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

/// What a patch other than an apply makes of an object, if that is one of its type; with what is to be
/// warned of.
fn patched(
    info: &TypeInfo,
    request: &Request,
    kind: Kind,
    before: &Value,
    decoded: Decoded,
) -> Outcome<(Value, Vec<String>)> {
    let new = match kind {
        Kind::Merge => Ok(fields::merge_patch(before, &decoded.value)),
        Kind::Json => fields::json_patch(before, &decoded.value),
        Kind::Strategic | Kind::Apply => fields::strategic_merge(info, before, &decoded.value),
    };
    let new = new.map_err(|error| refusal(&error))?;
    if let Some(message) = fields::decode_error(info, &new) {
        let head = format!("cannot be handled as a {}: ", info.kind);
        let detail = message
            .split_once(&head)
            .map_or(message.as_str(), |(_, rest)| rest);
        return Err(no_such_object(&new.to_string(), detail));
    }
    let text = new.to_string();
    let unknown = Unknown::find(
        info,
        Decoded {
            value: new,
            duplicates: decoded.duplicates,
        },
    );
    unknown.judge_patch(info, request, &text)
}

/// What a patch of a subresource makes of what that shows of an object.
pub(crate) fn of_view(
    served: &Served,
    info: &TypeInfo,
    request: &Request,
    before: &Value,
) -> Outcome<(Value, Vec<String>)> {
    let kind = kind(served, request)?;
    let decoded = decoded(request, kind)?;
    if kind == Kind::Apply {
        refuse_without_manager(request)?;
        refuse_other_kind(info, &decoded.value)?;
    }
    patched(info, request, kind, before, decoded)
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
        info: &TypeInfo,
        request: &Request,
        patched: &str,
    ) -> Outcome<(Value, Vec<String>)> {
        if request.query.field_validation == "Strict" && !self.found.is_empty() {
            let detail = format!("strict decoding error: {}", self.found.join(", "));
            return Err(no_such_object(patched, &detail));
        }
        self.judge(info, request)
    }
}

/// What a patch makes of the object is none of its type.
fn no_such_object(patched: &str, detail: &str) -> Failure {
    let error = invalid_value("patch", &Value::from(patched), detail);
    Failure::invalid(("", ""), "", &[error])
}

/// No patch gives an object another uid, or an end.
fn refuse_new_identity(served: &Served, before: &Value, new: &Value) -> Outcome<()> {
    for field in ["uid", "deletionTimestamp"] {
        let wanted = &new["metadata"][field];
        if !wanted.is_null() && *wanted != before["metadata"][field] {
            let path = format!("metadata.{field}");
            let error = invalid_value(&path, wanted, "field is immutable");
            let kind = (served.info.group.as_str(), served.info.kind.as_str());
            // It is checked twice, and both checks tell.
            let errors = [error.clone(), error];
            return Err(Failure::invalid(kind, object::name(before), &errors));
        }
    }
    Ok(())
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
    refuse_other_kind(&served.info, &decoded.value)?;
    if !object::name(&decoded.value).is_empty() {
        refuse_other_name(request, &decoded.value)?;
    }
    // What the type does not have, the merge itself refuses.
    let duplicates = Unknown::twice(decoded);
    let (applied, warnings) = duplicates.judge(&served.info, request)?;
    let old = state.store.get(&served.id, &name).cloned();
    let live = old.as_ref().map(|old| convert::shown(served, old));
    if live.is_none() && part != Part::Main {
        return Err(Failure::not_found(about(served, &name.name)));
    }
    let mut merged = fields::owners::apply(
        &served.info,
        live.as_ref(),
        &applied,
        &request.query.field_manager,
        request.query.force,
        part.subresource(),
        &request.stamp(),
    )
    .map_err(|error| Failure::from_status(error.status()))?;
    let metadata = object::metadata(&mut merged);
    metadata.insert("name".to_owned(), json!(name.name));
    if old.is_none() {
        refuse_uid_of_nothing(served, &merged)?;
        // There is nothing that it could be older than.
        object::metadata(&mut merged).remove("resourceVersion");
    }
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
    let error = field_error(
        "fieldManager",
        "FieldValueRequired",
        "Required value: is required for apply patch".to_owned(),
    );
    Err(Failure::invalid(
        ("meta.k8s.io", "PatchOptions"),
        "",
        &[error],
    ))
}

/// What is applied must say what it is.
fn refuse_other_kind(info: &TypeInfo, applied: &Value) -> Outcome<()> {
    if !applied.is_object() {
        return Err(Failure::bad_request(
            "error decoding YAML: the body is no object",
        ));
    }
    let (api_version, kind) = (
        object::text(applied, "/apiVersion"),
        object::text(applied, "/kind"),
    );
    if api_version == info.api_version() && kind == info.kind {
        return Ok(());
    }
    let slash = if api_version.contains('/') { "" } else { "/" };
    let message = format!("invalid object type: {slash}{api_version}, Kind={kind}");
    Err(Failure::bad_request(&message))
}

/// An object that is named by its uid is not made anew.
fn refuse_uid_of_nothing(served: &Served, new: &Value) -> Outcome<()> {
    let uid = object::uid(new);
    if uid.is_empty() {
        return Ok(());
    }
    let why = format!(
        "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
    );
    Err(Failure::conflict(about(served, object::name(new)), &why))
}
