//! Answers that refuse: `Status` objects with the reasons and texts of the real API server.
//!
//! Knows no request; whoever refuses says what it was about.

use serde_json::Value;
use serde_json::json;

/// The result of everything that may be refused.
pub(crate) type Outcome<T> = Result<T, Failure>;

/// A refusal: the code and the `Status` that explains it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failure {
    /// The HTTP code.
    pub(crate) code: u16,
    /// The body; text only for paths that are none of the API's.
    pub(crate) body: FailureBody,
}

/// What stands in the answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FailureBody {
    /// A `Status`.
    Status(Box<Value>),
    /// Plain text.
    Text(&'static str),
}

/// What a refusal is about: a resource in its group, and a name if there is one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About<'a> {
    /// The API group.
    pub(crate) group: &'a str,
    /// The plural name of the resource.
    pub(crate) resource: &'a str,
    /// The object's name; may be empty.
    pub(crate) name: &'a str,
}

impl About<'_> {
    fn resource_text(&self) -> String {
        if self.group.is_empty() {
            self.resource.to_owned()
        } else {
            format!("{}.{}", self.resource, self.group)
        }
    }

    /// `pods "x"`, as messages name it.
    fn text(&self) -> String {
        if self.name.is_empty() {
            self.resource_text()
        } else {
            format!("{} {:?}", self.resource_text(), self.name)
        }
    }

    fn details(&self) -> Value {
        let mut details = json!({ "kind": self.resource });
        if !self.name.is_empty() {
            details["name"] = json!(self.name);
        }
        if !self.group.is_empty() {
            details["group"] = json!(self.group);
        }
        details
    }
}

impl Failure {
    /// A refusal with a `Status` made of these parts.
    pub(crate) fn new(code: u16, reason: &str, message: &str, details: Option<Value>) -> Self {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "code": code,
        });
        if !reason.is_empty() {
            status["reason"] = json!(reason);
        }
        if let Some(details) = details {
            status["details"] = details;
        }
        Self::from_status(status)
    }

    /// A refusal whose `Status` somebody else wrote.
    pub(crate) fn from_status(status: Value) -> Self {
        let code = status["code"]
            .as_u64()
            .and_then(|code| code.try_into().ok());
        Self {
            code: code.unwrap_or(500),
            body: FailureBody::Status(Box::new(status)),
        }
    }

    /// A path that is none of the API's.
    pub(crate) fn no_such_path() -> Self {
        Self {
            code: 404,
            body: FailureBody::Text("404 page not found\n"),
        }
    }

    /// A group, version or resource that is not served.
    pub(crate) fn no_such_resource() -> Self {
        let message = "the server could not find the requested resource";
        Self::new(404, "NotFound", message, Some(json!({})))
    }

    pub(crate) fn not_found(about: About<'_>) -> Self {
        let message = format!("{} not found", about.text());
        Self::new(404, "NotFound", &message, Some(about.details()))
    }

    pub(crate) fn already_exists(about: About<'_>) -> Self {
        let message = format!("{} already exists", about.text());
        Self::new(409, "AlreadyExists", &message, Some(about.details()))
    }

    /// The name is taken by something that is going.
    pub(crate) fn still_ending(about: About<'_>) -> Self {
        let message = format!("object is being deleted: {} already exists", about.text());
        Self::new(409, "AlreadyExists", &message, Some(about.details()))
    }

    pub(crate) fn conflict(about: About<'_>, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {}: {why}", about.text());
        Self::new(409, "Conflict", &message, Some(about.details()))
    }

    /// The stored object is newer than the one that was sent.
    pub(crate) fn modified(about: About<'_>) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version \
                   and try again";
        Self::conflict(about, why)
    }

    pub(crate) fn forbidden(about: About<'_>, why: &str) -> Self {
        let message = format!("{} is forbidden: {why}", about.text());
        Self::new(403, "Forbidden", &message, Some(about.details()))
    }

    pub(crate) fn forbidden_path(why: &str) -> Self {
        let message = format!("forbidden: {why}");
        Self::new(403, "Forbidden", &message, Some(json!({})))
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized", None)
    }

    pub(crate) fn bad_request(message: &str) -> Self {
        Self::new(400, "BadRequest", message, None)
    }

    /// A mistake of the server, or what it calls one.
    pub(crate) fn internal(message: &str) -> Self {
        let details = json!({ "causes": [{ "message": message }] });
        let message = format!("Internal error occurred: {message}");
        Self::new(500, "InternalError", &message, Some(details))
    }

    /// Field errors of something that is no stored type, such as the options of a request.
    pub(crate) fn invalid(
        kind: (&str, &str),
        name: &str,
        errors: &[drplan_sandbox_fields::FieldError],
    ) -> Self {
        let (group, kind) = kind;
        let qualified = if group.is_empty() {
            kind.to_owned()
        } else {
            format!("{kind}.{group}")
        };
        // The same sentence is said once, however often it is a cause.
        let mut texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        texts.dedup();
        let text = match texts.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let causes: Vec<_> = errors.iter().map(|error| error.cause()).collect();
        let mut details = json!({ "causes": causes });
        if !kind.is_empty() {
            details["kind"] = json!(kind);
        }
        if !name.is_empty() {
            details["name"] = json!(name);
        }
        if !group.is_empty() {
            details["group"] = json!(group);
        }
        let message = format!("{qualified} {name:?} is invalid: {text}");
        Self::new(422, "Invalid", &message, Some(details))
    }

    pub(crate) fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::new(405, "MethodNotAllowed", message, Some(json!({})))
    }

    /// A revision, or a page of a list, that is no longer kept.
    pub(crate) fn expired(message: &str) -> Self {
        Self::new(410, "Expired", message, None)
    }

    /// A revision that does not exist yet.
    pub(crate) fn revision_too_large(asked: u64, current: u64) -> Self {
        let details = json!({
            "causes": [{
                "reason": "ResourceVersionTooLarge",
                "message": "Too large resource version",
            }],
            "retryAfterSeconds": 1,
        });
        let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
        Self::new(504, "Timeout", &message, Some(details))
    }

    /// The `Status`, if it is one.
    pub(crate) fn status(&self) -> Option<&Value> {
        match &self.body {
            FailureBody::Status(status) => Some(status),
            FailureBody::Text(_) => None,
        }
    }
}

/// Makes a field error of whatever kind; the path is that of the field.
pub(crate) fn field_error(
    path: &str,
    reason: &'static str,
    message: String,
) -> drplan_sandbox_fields::FieldError {
    drplan_sandbox_fields::FieldError {
        path: path.to_owned(),
        reason,
        message,
    }
}

/// A value that may not be, as a field error.
pub(crate) fn invalid_value(
    path: &str,
    value: &Value,
    detail: &str,
) -> drplan_sandbox_fields::FieldError {
    field_error(
        path,
        "FieldValueInvalid",
        format!("Invalid value: {value}: {detail}"),
    )
}
