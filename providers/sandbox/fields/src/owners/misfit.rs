//! Configurations that cannot be read as their type, in the words of structured merge.

use std::collections::BTreeMap;

use serde_json::Value;

use super::walk::element;
use super::walk::told_apart;
use crate::schema::Cursor;
use crate::schema::Scalar;
use crate::schema::Shape;

/// What keeps a configuration from being read as this type.
pub(crate) fn misfits(at: Cursor<'_>, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    misfit(at, value, "", &mut found);
    found
}

fn misfit(at: Cursor<'_>, value: &Value, path: &str, found: &mut Vec<String>) {
    if value.is_null() {
        return;
    }
    let mut say = |what: String| {
        found.push(if path.is_empty() {
            what
        } else {
            format!("{path}: {what}")
        });
    };
    match at.shape() {
        Shape::Scalar(scalar) => {
            let fits = match scalar {
                Scalar::Integer { .. } | Scalar::Number => value.is_number(),
                Scalar::Bool => value.is_boolean(),
                Scalar::Quantity | Scalar::IntOrString => !value.is_object() && !value.is_array(),
                _ => value.is_string(),
            };
            let wanted = match scalar {
                Scalar::Integer { .. } | Scalar::Number => "numeric (int or float)",
                Scalar::Bool => "boolean",
                Scalar::Quantity | Scalar::IntOrString => "any scalar",
                _ => "string",
            };
            if !fits {
                say(format!(
                    "expected {wanted}, got {}",
                    go_value(value, wanted)
                ));
            }
        }
        Shape::List(list) => {
            let Value::Array(values) = value else {
                return say(format!("expected list, got &{{{}}}", go_text(value)));
            };
            let mut seen = BTreeMap::new();
            for (index, value) in values.iter().enumerate() {
                let step = match told_apart(Some(&list.order)) {
                    None => format!("[{index}]"),
                    Some(order) => match element(order, at.item(), value) {
                        Err(what) => {
                            found.push(format!("{path}: element {index}: {what}"));
                            return;
                        }
                        Ok(element) => {
                            let step = element.to_string();
                            if seen.insert(element, ()).is_some() {
                                found.push(format!("{path}: duplicate entries for key {step}"));
                            }
                            step
                        }
                    },
                };
                misfit(at.item(), value, &format!("{path}{step}"), found);
            }
        }
        Shape::Record(_) | Shape::Map { .. } => {
            let Value::Object(map) = value else {
                return say(format!("expected map, got &{{{}}}", go_text(value)));
            };
            for (key, value) in map {
                match at.child(key) {
                    Some(child) => misfit(child, value, &format!("{path}.{key}"), found),
                    None => {
                        found.push(format!("{path}.{key}: field not declared in schema"));
                        return;
                    }
                }
            }
        }
        Shape::Any { .. } | Shape::Builtin(_) => {}
    }
}

/// The real server prints its own representation of a value here.
fn go_value(value: &Value, wanted: &str) -> String {
    match (wanted, value) {
        ("string", value) => format!("&value.valueUnstructured{{Value:{}}}", go_text(value)),
        (_, Value::String(_)) if wanted.starts_with("numeric") => "string".to_owned(),
        (_, Value::Bool(_)) if wanted.starts_with("numeric") => "bool".to_owned(),
        (_, value) => format!("&{{{}}}", go_text(value)),
    }
}

fn go_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
