//! Fields that a type does not have.

use serde_json::Value;

use crate::TypeInfo;
use crate::schema::Cursor;
use crate::schema::Shape;

/// Removes the fields that the type does not have; returns one text for each, such as
/// `unknown field "spec.foo"`.
///
/// A server says the texts when the client asked for `fieldValidation=Warn` or `Strict`.
pub fn prune(ty: &TypeInfo, object: &mut Value) -> Vec<String> {
    let mut unknown = Vec::new();
    walk(ty.schema.root(), object, "", &mut unknown);
    unknown
}

fn walk(at: Cursor<'_>, value: &mut Value, path: &str, unknown: &mut Vec<String>) {
    match (at.shape(), value) {
        (Shape::Record(_) | Shape::Map { .. }, Value::Object(map)) => {
            let dot = if path.is_empty() { "" } else { "." };
            map.retain(|key, value| {
                let path = format!("{path}{dot}{key}");
                match at.child(key) {
                    Some(child) => walk(child, value, &path, unknown),
                    None => unknown.push(format!("unknown field {path:?}")),
                }
                at.child(key).is_some()
            });
        }
        (Shape::List(_), Value::Array(values)) => {
            for (index, value) in values.iter_mut().enumerate() {
                walk(at.item(), value, &format!("{path}[{index}]"), unknown);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::builtins;

    #[test]
    fn unknown_fields_go_and_are_named_with_their_path() {
        let pod = builtins().iter().find(|ty| ty.kind == "Pod").unwrap();
        let mut object = json!({
            "metadata": { "labels": { "any": "x" }, "nope": 1 },
            "spec": { "containers": [{ "name": "a" }, { "name": "b", "what": {} }] },
        });
        let unknown = prune(pod, &mut object);
        assert_eq!(
            unknown,
            [
                "unknown field \"metadata.nope\"",
                "unknown field \"spec.containers[1].what\""
            ]
        );
        assert_eq!(object["metadata"], json!({ "labels": { "any": "x" } }));
        assert!(prune(pod, &mut object).is_empty());
    }
}
