//! Why an apply is refused, in the words of the real API.

use serde_json::Value;
use serde_json::json;

/// Fields that another writer owns and that an apply would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The other writer.
    pub manager: String,
    /// Whether the other writer applied, too.
    pub applied: bool,
    /// The version in which it wrote.
    pub api_version: String,
    /// The subresource through which it wrote.
    pub subresource: Option<String>,
    /// The fields, such as `.spec.replicas`.
    pub fields: Vec<String>,
}

impl Conflict {
    /// The other writer as the real API names it.
    fn writer(&self) -> String {
        let mut named = format!("{:?}", self.manager);
        if let Some(subresource) = &self.subresource {
            named = format!("{named} with subresource {subresource:?}");
        }
        if self.applied {
            named
        } else {
            format!("{named} using {}", self.api_version)
        }
    }
}

/// Why an apply was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// Other writers own fields with other values: 409 `Conflict`.
    #[error("{}", message(.0))]
    Conflicts(Vec<Conflict>),
    /// The configuration is none that could be applied: 400 `BadRequest`.
    #[error("{0}")]
    BadRequest(String),
    /// The configuration does not fit the type: 500 with no reason.
    #[error("{0}")]
    Misfit(String),
    /// Nothing is left of a value that may not be nothing: this `Status`, 422 `Invalid`.
    #[error("{}", .0["message"].as_str().unwrap_or_default())]
    Invalid(Value),
}

impl ApplyError {
    /// The whole `Status` that answers.
    #[must_use]
    pub fn status(&self) -> Value {
        let (code, reason) = match self {
            Self::Conflicts(_) => (409, "Conflict"),
            Self::BadRequest(_) => (400, "BadRequest"),
            Self::Misfit(_) => (500, ""),
            Self::Invalid(status) => return status.clone(),
        };
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.to_string(),
            "code": code,
        });
        if !reason.is_empty() {
            status["reason"] = json!(reason);
        }
        if let Self::Conflicts(conflicts) = self {
            status["details"] = json!({ "causes": causes(conflicts) });
        }
        status
    }
}

fn causes(conflicts: &[Conflict]) -> Vec<Value> {
    let mut causes = Vec::new();
    for conflict in conflicts {
        let message = format!("conflict with {}", conflict.writer());
        causes.extend(conflict.fields.iter().map(
            |field| json!({ "reason": "FieldManagerConflict", "message": message, "field": field }),
        ));
    }
    causes
}

fn message(conflicts: &[Conflict]) -> String {
    if let [conflict] = conflicts
        && let [field] = conflict.fields.as_slice()
    {
        let writer = conflict.writer();
        return format!("Apply failed with 1 conflict: conflict with {writer}: {field}");
    }
    let mut lines = Vec::new();
    for conflict in conflicts {
        lines.push(format!("conflicts with {}:", conflict.writer()));
        lines.extend(conflict.fields.iter().map(|field| format!("- {field}")));
    }
    let count: usize = conflicts.iter().map(|conflict| conflict.fields.len()).sum();
    format!("Apply failed with {count} conflicts: {}", lines.join("\n"))
}
