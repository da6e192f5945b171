//! Label selectors in the form that specs have.

use serde_json::Value;

use crate::text::texts;

/// Checks that a selector can be read.
pub(crate) fn check(selector: &Value) -> Result<(), String> {
    for expression in expressions(selector) {
        let operator = expression["operator"].as_str().unwrap_or_default();
        let values = texts(&expression["values"]).len();
        match operator {
            "In" | "NotIn" if values == 0 => {
                return Err(
                    "values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty"
                        .to_owned(),
                );
            }
            "Exists" | "DoesNotExist" if values > 0 => {
                return Err(
                    "values: Invalid value: values set must be empty for exists and does not exist"
                        .to_owned(),
                );
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => {
                return Err(format!(
                    "\"{other}\" is not a valid label selector operator"
                ));
            }
        }
    }
    Ok(())
}

/// Whether an object's labels are as the selector wants them; no selector wants nothing.
pub(crate) fn matches(selector: &Value, object: &Value) -> bool {
    let none = Value::Null;
    let labels = object.pointer("/metadata/labels").unwrap_or(&none);
    let exact = selector["matchLabels"].as_object().into_iter().flatten();
    for (key, value) in exact {
        if labels.get(key) != Some(value) {
            return false;
        }
    }
    expressions(selector).iter().all(|expression| {
        let key = expression["key"].as_str().unwrap_or_default();
        let found = labels.get(key).and_then(Value::as_str);
        let values = texts(&expression["values"]);
        let is_in = found.is_some_and(|found| values.iter().any(|value| value == found));
        match expression["operator"].as_str().unwrap_or_default() {
            "In" => is_in,
            "NotIn" => !is_in,
            "Exists" => found.is_some(),
            "DoesNotExist" => found.is_none(),
            _ => false,
        }
    })
}

fn expressions(selector: &Value) -> &[Value] {
    selector["matchExpressions"]
        .as_array()
        .map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn labels_are_matched_exactly_and_by_expressions() {
        let object = json!({"metadata": {"labels": {"app": "shop", "tier": "front"}}});
        assert!(matches(&Value::Null, &object));
        assert!(matches(&json!({"matchLabels": {"app": "shop"}}), &object));
        assert!(!matches(&json!({"matchLabels": {"app": "blog"}}), &object));
        let one = |operator: &str, values: Value| json!({"matchExpressions": [{"key": "tier", "operator": operator, "values": values}]});
        assert!(matches(&one("In", json!(["front", "back"])), &object));
        assert!(!matches(&one("NotIn", json!(["front"])), &object));
        assert!(matches(&one("Exists", json!([])), &object));
        assert!(!matches(&one("DoesNotExist", json!([])), &object));
        assert!(check(&one("Near", json!([]))).is_err());
        assert!(check(&one("In", json!([]))).is_err());
    }
}
