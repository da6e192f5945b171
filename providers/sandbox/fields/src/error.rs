//! What can be wrong with a write, in the words of the real API.
//!
//! Knows no HTTP: whoever serves decides on codes, except that [`invalid_status`] is the one answer
//! to which field errors lead.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;
use serde_json::json;

use crate::TypeInfo;

/// One thing wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The path of the field, such as `spec.ports[0].name`.
    pub path: String,
    /// The reason of the cause, such as `FieldValueRequired`.
    pub reason: &'static str,
    /// What stands in the cause, such as `Required value: must be set`.
    pub message: String,
}

impl FieldError {
    /// A field that must be there is not.
    pub(crate) fn required(path: impl Into<String>, detail: &str) -> Self {
        Self::new(path, "FieldValueRequired", "Required value", detail)
    }

    /// A value that may not be.
    pub(crate) fn invalid(path: impl Into<String>, value: &Value, detail: &str) -> Self {
        let head = format!("Invalid value: {}", shown(value));
        Self::new(path, "FieldValueInvalid", &head, detail)
    }

    /// A value that is none of the known ones.
    pub(crate) fn not_supported(path: impl Into<String>, value: &Value, known: &[&str]) -> Self {
        let head = format!("Unsupported value: {}", shown(value));
        let quoted: Vec<_> = known.iter().map(|known| format!("{known:?}")).collect();
        let detail = format!("supported values: {}", quoted.join(", "));
        Self::new(path, "FieldValueNotSupported", &head, &detail)
    }

    /// A field that may not be set here.
    pub(crate) fn forbidden(path: impl Into<String>, detail: &str) -> Self {
        Self::new(path, "FieldValueForbidden", "Forbidden", detail)
    }

    /// The same value a second time.
    pub(crate) fn duplicate(path: impl Into<String>, value: &Value) -> Self {
        let head = format!("Duplicate value: {}", shown(value));
        Self::new(path, "FieldValueDuplicate", &head, "")
    }

    /// An error with a head of its own.
    pub(crate) fn new(
        path: impl Into<String>,
        reason: &'static str,
        head: &str,
        detail: &str,
    ) -> Self {
        let message = if detail.is_empty() {
            head.to_owned()
        } else {
            format!("{head}: {detail}")
        };
        Self {
            path: path.into(),
            reason,
            message,
        }
    }

    /// The error as a cause of a `Status`.
    #[must_use]
    pub fn cause(&self) -> Value {
        json!({ "reason": self.reason, "message": self.message, "field": self.path })
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// A value as the real API shows it in an error.
pub(crate) fn shown(value: &Value) -> String {
    value.to_string()
}

/// The `Status` with code 422 that answers a write with these errors; each is said once.
#[must_use]
pub fn invalid_status(ty: &TypeInfo, name: &str, errors: &[FieldError]) -> Value {
    let kind = ty.qualified_kind();
    let mut seen = BTreeSet::new();
    let mut once = errors.to_vec();
    once.retain(|error| seen.insert((error.path.clone(), error.message.clone())));
    let shown = match once.as_slice() {
        [one] => one.to_string(),
        many => {
            let texts: Vec<_> = many.iter().map(ToString::to_string).collect();
            format!("[{}]", texts.join(", "))
        }
    };
    let mut details = json!({
        "kind": ty.kind,
        "causes": once.iter().map(FieldError::cause).collect::<Vec<_>>(),
    });
    if !name.is_empty() {
        details["name"] = json!(name);
    }
    if !ty.group.is_empty() {
        details["group"] = json!(ty.group);
    }
    json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": format!("{kind} {name:?} is invalid: {shown}"),
        "reason": "Invalid",
        "details": details,
        "code": 422,
    })
}

/// Why a patch could not be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// The patch itself makes no sense; the API answers 400 `BadRequest`.
    #[error("{0}")]
    BadRequest(String),
    /// The patch makes sense, but not for this object; the API answers 422 `Invalid`, whose
    /// message this is.
    #[error("{0}")]
    Unprocessable(String),
}
