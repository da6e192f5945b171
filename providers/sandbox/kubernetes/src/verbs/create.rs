//! Creating objects.

use drplan_sandbox_fields as fields;
use drplan_sandbox_fields::TypeInfo;
use serde_json::Value;
use serde_json::json;

use crate::decode::Decoded;
use crate::failure::Failure;
use crate::failure::Outcome;
use crate::failure::invalid_value;
use crate::object;
use crate::reply::Reply;
use crate::request::Request;
use crate::state::State;
use crate::store::Name;
use crate::store::ResourceId;
use crate::types::Served;
use crate::write;
use crate::write::Author;
use crate::write::Ownership;
use crate::write::Part;
use crate::write::Wish;

/// `POST` to a collection.
pub(crate) fn create(state: &mut State, served: &Served, request: &Request) -> Outcome<Reply> {
    let dry_run = request.query.dry_run("CreateOptions")?;
    let (new, warnings) = body(&served.info, request)?;
    refuse_ending(state, served, &new)?;
    let space = space_of(served, request, &new)?;
    let author = author(request, dry_run);
    let wish = Wish {
        new,
        part: Part::Main,
        ownership: Ownership::Changed,
    };
    let written = write::create(state, served, &space, wish, author)?;
    let object = written.object();
    let mut reply = Reply::object(201, served, object, request.accept, request.now);
    reply.warnings.splice(0..0, warnings);
    Ok(reply)
}

/// Nothing is made of a type that is going.
fn refuse_ending(state: &State, served: &Served, new: &Value) -> Outcome<()> {
    if !served.info.custom {
        return Ok(());
    }
    let definitions = ResourceId::new("apiextensions.k8s.io", "customresourcedefinitions");
    let name = format!("{}.{}", served.info.plural, served.info.group);
    let definition = state.store.get(&definitions, &Name::new("", &name));
    if definition.is_some_and(|definition| object::is_ending(definition.json())) {
        let why = "create not allowed while custom resource definition is terminating";
        return Err(Failure::forbidden(
            write::about(served, object::name(new)),
            why,
        ));
    }
    Ok(())
}

pub(crate) fn author(request: &Request, dry_run: bool) -> Author<'_> {
    Author {
        user: &request.user,
        manager: request.manager(),
        now: request.now,
        dry_run,
    }
}

/// The object in the body, checked to be of the type, without fields that the type does not have;
/// with what is to be warned of.
pub(crate) fn body(info: &TypeInfo, request: &Request) -> Outcome<(Value, Vec<String>)> {
    let decoded = request.object(&info.kind)?;
    let sent = of_type(info, decoded)?;
    let unknown = Unknown::find(info, sent);
    unknown.judge(info, request)
}

/// The object if it is of the type that the path names.
fn of_type(info: &TypeInfo, decoded: Decoded) -> Outcome<Decoded> {
    let Decoded {
        mut value,
        duplicates,
    } = decoded;
    let text = |field: &str| value[field].as_str().unwrap_or_default().to_owned();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    if info.custom {
        refuse_foreign_custom(info, &api_version, &kind, object::name(&value))?;
    } else {
        refuse_foreign(info, &api_version, &kind)?;
    }
    value["apiVersion"] = json!(info.api_version());
    value["kind"] = json!(info.kind);
    if let Some(message) = fields::decode_error(info, &value) {
        return Err(Failure::bad_request(&message));
    }
    Ok(Decoded { value, duplicates })
}

/// Built-in types take objects without a kind; another kind is no such object.
fn refuse_foreign(info: &TypeInfo, api_version: &str, kind: &str) -> Outcome<()> {
    let right_version = api_version.is_empty() || api_version == info.api_version();
    let right_kind = kind.is_empty() || kind == info.kind;
    if right_version && right_kind {
        return Ok(());
    }
    if !right_version && right_kind {
        let message = format!(
            "the API version in the data ({api_version}) does not match the expected API version \
             ({})",
            info.api_version()
        );
        return Err(Failure::bad_request(&message));
    }
    let version = api_version.rsplit('/').next().unwrap_or_default();
    let known = fields::builtins()
        .iter()
        .any(|other| other.kind == kind && other.api_version() == api_version);
    let package = if info.group.is_empty() {
        "core"
    } else {
        info.group.split('.').next().unwrap_or_default()
    };
    let reason = if known {
        format!(
            "converting (v1.{kind}) to ({package}.{}): unknown conversion",
            info.kind
        )
    } else {
        format!(
            "no kind {kind:?} is registered for version {api_version:?} in scheme \
             \"pkg/runtime/scheme.go:111\""
        )
    };
    let message = format!(
        "{kind} in version {version:?} cannot be handled as a {}: {reason}",
        info.kind
    );
    Err(Failure::bad_request(&message))
}

fn refuse_foreign_custom(
    info: &TypeInfo,
    api_version: &str,
    kind: &str,
    name: &str,
) -> Outcome<()> {
    if api_version != info.api_version() {
        let message = format!(
            "the API version in the data ({api_version}) does not match the expected API version \
             ({})",
            info.api_version()
        );
        return Err(Failure::bad_request(&message));
    }
    if kind != info.kind {
        let detail = format!("must be {}", info.kind);
        let error = invalid_value("kind", &json!(kind), &detail);
        return Err(Failure::invalid((&info.group, kind), name, &[error]));
    }
    Ok(())
}

/// An object without its unknown fields, and what those were.
pub(crate) struct Unknown {
    pub(crate) value: Value,
    pub(crate) found: Vec<String>,
}

impl Unknown {
    /// Takes out of an object what its type does not have.
    pub(crate) fn find(info: &TypeInfo, decoded: Decoded) -> Self {
        let Decoded {
            mut value,
            duplicates,
        } = decoded;
        let mut found = fields::prune(info, &mut value);
        found.extend(duplicates.into_iter().map(duplicate));
        Self { value, found }
    }

    /// Leaves an object as it is; only what stands there twice is found.
    pub(crate) fn twice(decoded: Decoded) -> Self {
        Self {
            value: decoded.value,
            found: decoded.duplicates.into_iter().map(duplicate).collect(),
        }
    }

    /// Refuses, warns or says nothing, as the request asks.
    pub(crate) fn judge(self, info: &TypeInfo, request: &Request) -> Outcome<(Value, Vec<String>)> {
        match request.query.field_validation.as_str() {
            "Strict" if !self.found.is_empty() => {
                let message = format!(
                    "{kind} in version {:?} cannot be handled as a {kind}: strict decoding error: \
                     {}",
                    info.version,
                    self.found.join(", "),
                    kind = info.kind,
                );
                Err(Failure::bad_request(&message))
            }
            "Strict" | "Ignore" => Ok((self.value, Vec::new())),
            _ => Ok((self.value, self.found)),
        }
    }
}

fn duplicate(path: String) -> String {
    format!("duplicate field {}", Value::from(path))
}

/// The namespace in which the object is made.
fn space_of(served: &Served, request: &Request, new: &Value) -> Outcome<String> {
    let asked = request.space();
    let said = object::namespace(new);
    if !served.info.namespaced {
        return Ok(String::new());
    }
    if asked.is_empty() {
        // A namespaced object can only be made in a namespace.
        return Err(Failure::method_not_allowed());
    }
    if !said.is_empty() && said != asked {
        return Err(Failure::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    Ok(asked.to_owned())
}
