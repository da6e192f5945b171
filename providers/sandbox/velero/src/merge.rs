//! The merge patch that leads from one object to another.

use serde_json::Map;
use serde_json::Value;

/// What must be merged into `from` to make it `to`; `None` when they are equal.
pub(crate) fn patch(from: &Value, to: &Value) -> Option<Value> {
    if from == to {
        return None;
    }
    let empty = Map::new();
    let from = from.as_object().unwrap_or(&empty);
    let to = to.as_object().unwrap_or(&empty);
    Some(Value::Object(difference(from, to)))
}

fn difference(from: &Map<String, Value>, to: &Map<String, Value>) -> Map<String, Value> {
    let mut patch = Map::new();
    for (key, new) in to {
        match (from.get(key), new) {
            (Some(Value::Object(old)), Value::Object(new)) => {
                let inner = difference(old, new);
                if !inner.is_empty() {
                    patch.insert(key.clone(), Value::Object(inner));
                }
            }
            (Some(old), new) if old == new => {}
            (_, new) => {
                patch.insert(key.clone(), new.clone());
            }
        }
    }
    for key in from.keys().filter(|key| !to.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    patch
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_patch_names_what_is_new_other_and_gone() {
        let from = json!({"a": 1, "b": {"c": [1], "d": 2}, "e": {}});
        let to = json!({"a": 1, "b": {"c": [1, 2]}, "f": "x"});
        assert_eq!(
            patch(&from, &to),
            Some(json!({"b": {"c": [1, 2], "d": null}, "e": null, "f": "x"}))
        );
        assert_eq!(patch(&from, &from), None);
    }
}
