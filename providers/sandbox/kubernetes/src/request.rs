//! One request to a resource, taken apart and read.

use bytes::Bytes;
use drplan_api::Timestamp;
use http::HeaderMap;
use http::Method;
use http::header;
use serde_json::Value;

use crate::accept::Accept;
use crate::decode;
use crate::decode::Decoded;
use crate::failure::Failure;
use crate::failure::Outcome;
use crate::options::User;
use crate::path::Target;
use crate::protobuf;
use crate::query::Query;
use crate::store::Name;

/// Who writes when a client says neither a manager nor its own name.
const MANAGER_UNKNOWN: &str = "unknown";

/// A request to a resource.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) target: Target,
    pub(crate) query: Query,
    pub(crate) accept: Accept,
    pub(crate) content_type: String,
    pub(crate) body: Bytes,
    pub(crate) user: User,
    pub(crate) program: String,
    pub(crate) now: Timestamp,
}

impl Request {
    /// The verb, as rights name it.
    pub(crate) fn verb(&self) -> &'static str {
        let named = self.target.name.is_some();
        match self.method.as_str() {
            "GET" | "HEAD" if self.query.watch && !named => "watch",
            "GET" | "HEAD" if named => "get",
            "GET" | "HEAD" => "list",
            "POST" => "create",
            "PUT" => "update",
            "PATCH" => "patch",
            "DELETE" if named => "delete",
            "DELETE" => "deletecollection",
            _ => "",
        }
    }

    /// Who owns the fields that this request writes.
    pub(crate) fn manager(&self) -> &str {
        if !self.query.field_manager.is_empty() {
            return &self.query.field_manager;
        }
        let name = self.program.split('/').next().unwrap_or_default();
        if name.is_empty() {
            MANAGER_UNKNOWN
        } else {
            name
        }
    }

    /// The time of the request, as objects show it.
    pub(crate) fn stamp(&self) -> String {
        stamp(self.now)
    }

    /// The object that the path names; of no name when it names none.
    pub(crate) fn name(&self) -> Name {
        let name = self.target.name.as_deref().unwrap_or_default();
        Name::new(self.space(), name)
    }

    /// The namespace of the object that the path names; a Namespace is in none.
    pub(crate) fn space(&self) -> &str {
        if self.target.resource == "namespaces" && self.target.group.is_empty() {
            return "";
        }
        self.target.namespace.as_deref().unwrap_or_default()
    }

    pub(crate) fn is_yaml(&self) -> bool {
        matches!(
            self.media_type(),
            "application/yaml" | "application/apply-patch+yaml"
        )
    }

    pub(crate) fn media_type(&self) -> &str {
        self.content_type
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
    }

    /// The body as an object; `kind` is what it should be.
    pub(crate) fn object(&self, kind: &str) -> Outcome<Decoded> {
        match self.media_type() {
            "" | "application/json" | "application/yaml" => {}
            "application/vnd.kubernetes.protobuf" => return self.protobuf(kind),
            _ => {
                let message = "the body of the request was in an unknown format - accepted media \
                               types include: application/json, application/yaml, \
                               application/vnd.kubernetes.protobuf";
                return Err(unsupported(message));
            }
        }
        let read = if self.is_yaml() {
            decode::yaml
        } else {
            decode::json
        };
        let refused = |error: &dyn std::fmt::Display| {
            let message = format!(
                "the object provided is unrecognized (must be of type {kind}): couldn't get \
                 version/kind; json parse error: {error}"
            );
            Failure::bad_request(&message)
        };
        let decoded = read(&self.body).map_err(|error| refused(&error))?;
        let is_other = match &decoded.value {
            Value::Object(_) | Value::Null => None,
            Value::Array(_) => Some("array"),
            Value::String(_) => Some("string"),
            Value::Number(_) => Some("number"),
            Value::Bool(_) => Some("bool"),
        };
        match is_other {
            None => Ok(decoded),
            Some(other) => Err(refused(&format!(
                "json: cannot unmarshal {other} into Go value"
            ))),
        }
    }

    /// The body of a command that sends protobuf, if its kind is one of those that are known.
    fn protobuf(&self, kind: &str) -> Outcome<Decoded> {
        match protobuf::read(&self.body) {
            Ok(Some(value)) => Ok(Decoded {
                value,
                duplicates: Vec::new(),
            }),
            Ok(None) => Err(unsupported(&format!(
                "the rehearsal reads no protobuf of {kind}: write the object down and apply it"
            ))),
            Err(why) => Err(Failure::bad_request(&format!(
                "the protobuf of {kind} cannot be read: {why}"
            ))),
        }
    }

    /// The body as options, which may be missing.
    pub(crate) fn options(&self) -> Outcome<Value> {
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        let read = if self.is_yaml() {
            decode::yaml
        } else {
            decode::json
        };
        read(&self.body)
            .map(|decoded| decoded.value)
            .map_err(|error| Failure::bad_request(&error))
    }
}

fn unsupported(message: &str) -> Failure {
    Failure::new(415, "UnsupportedMediaType", message, None)
}

/// A time as objects show it: in whole seconds.
pub(crate) fn stamp(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second())
        .unwrap_or(time)
        .to_string()
}

/// The text of a header, or nothing.
pub(crate) fn header_text(headers: &HeaderMap, name: header::HeaderName) -> String {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned()
}
