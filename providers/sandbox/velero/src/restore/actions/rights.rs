//! Service accounts and those to whom rights are bound.

use serde_json::Value;
use serde_json::json;

use super::typed;
use crate::restore::execute::Run;
use crate::text::name;

/// Binds to accounts where they are now.
pub(super) fn map_subjects(run: &Run<'_>, object: Value) -> Value {
    let mapping = &run.restore["spec"]["namespaceMapping"];
    if mapping.as_object().is_none_or(serde_json::Map::is_empty) {
        return object;
    }
    let mut object = typed(object);
    for subject in object["subjects"].as_array_mut().into_iter().flatten() {
        let from = subject["namespace"].as_str().unwrap_or_default();
        if let Some(to) = mapping[from].as_str() {
            subject["namespace"] = json!(to);
        }
    }
    object
}

/// The token that an old cluster made for an account stays behind.
pub(super) fn without_token(object: Value) -> Value {
    let mut object = typed(object);
    let prefix = format!("{}-token-", name(&object));
    let Some(object_fields) = object.as_object_mut() else {
        return object;
    };
    if let Some(secrets) = object_fields
        .get_mut("secrets")
        .and_then(Value::as_array_mut)
    {
        let is_token = |secret: &Value| {
            secret["name"]
                .as_str()
                .is_some_and(|name| name.starts_with(&prefix))
        };
        if let Some(last) = secrets.iter().rposition(is_token) {
            secrets.remove(last);
        }
        if secrets.is_empty() {
            object_fields.remove("secrets");
        }
    }
    object
}
