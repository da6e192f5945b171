//! Values of which an apply leaves nothing.
//!
//! Only custom objects keep them: built-in ones are read into types that know no `null`.

use serde_json::Value;

use super::ApplyError;
use crate::TypeInfo;
use crate::default;
use crate::defaults::default_keeping_nulls;
use crate::invalid_status;
use crate::validate;

/// Refuses a custom object in which nothing is left of a value that may not be nothing.
///
/// Whatever else is written is read once more, and loses such values; what is applied is not.
pub(super) fn refuse(ty: &TypeInfo, merged: &Value) -> Result<(), ApplyError> {
    if !ty.custom {
        return Ok(());
    }
    let mut kept = merged.clone();
    default_keeping_nulls(ty, &mut kept);
    let mut read = kept.clone();
    default(ty, &mut read);
    if read == kept {
        return Ok(());
    }
    let name = merged["metadata"]["name"].as_str().unwrap_or_default();
    let mut errors = validate(ty, &kept);
    // What is applied may leave its name to the path.
    errors.retain(|error| !name.is_empty() || error.path != "metadata.name");
    if errors.is_empty() {
        return Ok(());
    }
    Err(ApplyError::Invalid(invalid_status(ty, name, &errors)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::owners::apply;

    const NOW: &str = "2026-01-01T00:00:00Z";

    #[test]
    fn an_apply_that_leaves_nothing_of_a_custom_value_is_refused() {
        let schema = json!({ "type": "object", "properties": { "spec": { "type": "object", "properties": {
            "options": { "type": "object", "additionalProperties": { "type": "string" } },
        } } } });
        let crd = json!({ "metadata": { "name": "as.a.example" }, "spec": {
            "group": "a.example", "scope": "Namespaced", "names": { "kind": "A", "plural": "as" },
            "versions": [{ "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": schema } }],
        } });
        let ty = crate::from_crd(&crd, "v1").unwrap();
        let apply_options = |live: Option<&Value>, options: Value, manager: &str| {
            let applied = json!({ "apiVersion": "a.example/v1", "kind": "A", "metadata": { "name": "a", "creationTimestamp": null }, "spec": { "options": options } });
            apply(&ty, live, &applied, manager, true, None, NOW)
        };
        let one = apply_options(None, json!({ "o": "p" }), "one").unwrap();
        let both = apply_options(Some(&one), json!({}), "two").unwrap();
        let applied =
            json!({ "apiVersion": "a.example/v1", "kind": "A", "metadata": { "name": "a" } });
        let refused = apply(&ty, Some(&both), &applied, "one", false, None, NOW).unwrap_err();
        assert_eq!(refused.status()["code"], 422);
        assert_eq!(
            refused.status()["details"]["causes"][0]["field"],
            "spec.options"
        );
    }
}
