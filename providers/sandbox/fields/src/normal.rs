//! What a built-in object looks like after the real server has read it.
//!
//! The real server reads built-in objects into its own types and writes them again: empty fields go
//! or come, quantities and times get their canonical form. Custom objects stay as they are.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::TypeInfo;
use crate::quantity;
use crate::schema::Cursor;
use crate::schema::Field;
use crate::schema::Scalar;
use crate::schema::Shape;

/// An object of which only the type is known.
pub(crate) fn empty(ty: &TypeInfo) -> Value {
    let mut object = if ty.custom {
        json!({})
    } else {
        zero(ty.schema.root())
    };
    object["apiVersion"] = json!(ty.api_version());
    object["kind"] = json!(ty.kind);
    object
}

/// Brings a built-in object into the form in which the real server writes it.
pub(crate) fn normalise(ty: &TypeInfo, object: &mut Value) {
    if !ty.custom {
        canonical(ty.schema.root(), object);
    }
}

/// Brings `metadata` of a custom object into the form in which the real server writes it.
pub(crate) fn normalise_metadata(ty: &TypeInfo, object: &mut Value) {
    if let (Some(at), Some(meta)) = (
        ty.schema.root().child("metadata"),
        object.get_mut("metadata"),
    ) {
        canonical(at, meta);
    }
}

/// The value that is written where there is none.
pub(crate) fn zero(at: Cursor<'_>) -> Value {
    match at.shape() {
        Shape::Record(record) => {
            let written = record.fields.iter().filter(|(_, field)| field.written);
            let fields = written.filter_map(|(name, field)| {
                let (_, child) = at.declared(name)?;
                Some((name.clone(), zero_field(field, child)))
            });
            Value::Object(fields.collect::<Map<_, _>>())
        }
        Shape::Scalar(Scalar::String) => json!(""),
        Shape::Scalar(Scalar::Integer { .. } | Scalar::Number | Scalar::IntOrString) => json!(0),
        Shape::Scalar(Scalar::Bool) => json!(false),
        Shape::Scalar(Scalar::Quantity) => json!("0"),
        _ => Value::Null,
    }
}

fn zero_field(field: &Field, child: Cursor<'_>) -> Value {
    if field.optional {
        Value::Null
    } else {
        zero(child)
    }
}

/// Whether a value is what Go leaves out when it may.
fn is_zero(at: Cursor<'_>, value: &Value) -> bool {
    match (at.shape(), value) {
        (Shape::Scalar(_), Value::String(text)) => text.is_empty(),
        (Shape::Scalar(Scalar::IntOrString), _) => false,
        (Shape::Scalar(_), Value::Number(number)) => number.as_f64() == Some(0.0),
        (Shape::Scalar(_), Value::Bool(flag)) => !flag,
        (Shape::List(_), Value::Array(values)) => values.is_empty(),
        (Shape::Map { .. }, Value::Object(map)) => map.is_empty(),
        _ => false,
    }
}

fn canonical(at: Cursor<'_>, value: &mut Value) {
    match (at.shape(), value) {
        (Shape::Record(record), Value::Object(map)) => {
            let mut gone = Vec::new();
            for (name, value) in map.iter_mut() {
                let Some((field, child)) = at.declared(name) else {
                    continue;
                };
                canonical(child, value);
                let empty = value.is_null() || (!field.optional && is_zero(child, value));
                if empty && field.written && value.is_null() {
                    *value = zero_field(field, child);
                } else if empty && !field.written {
                    gone.push(name.clone());
                }
            }
            for name in gone {
                map.remove(&name);
            }
            for (name, field) in record.fields.iter().filter(|(_, field)| field.written) {
                if let Some((_, child)) = at.declared(name)
                    && !map.contains_key(name)
                {
                    map.insert(name.clone(), zero_field(field, child));
                }
            }
        }
        (Shape::Map { .. }, Value::Object(map)) => {
            for (key, value) in map.iter_mut() {
                if let Some(child) = at.child(key) {
                    canonical_item(child, value);
                }
            }
        }
        (Shape::List(_), Value::Array(values)) => {
            for value in values {
                canonical_item(at.item(), value);
            }
        }
        (Shape::Scalar(Scalar::Quantity), value) => {
            let text = match &*value {
                Value::String(text) => quantity::canonical(text),
                Value::Number(number) => quantity::canonical(&number.to_string()),
                _ => None,
            };
            if let Some(text) = text {
                *value = json!(text);
            }
        }
        (Shape::Scalar(Scalar::Time), Value::String(text)) => {
            if let Ok(time) = text.parse::<jiff::Timestamp>() {
                *text = time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            }
        }
        (Shape::Scalar(Scalar::MicroTime), Value::String(text)) => {
            if let Ok(time) = text.parse::<jiff::Timestamp>() {
                *text = time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string();
            }
        }
        _ => {}
    }
}

/// What is no field cannot be left out.
fn canonical_item(at: Cursor<'_>, value: &mut Value) {
    if value.is_null() {
        *value = match at.shape() {
            Shape::List(_) | Shape::Map { .. } | Shape::Any { .. } => Value::Null,
            _ => zero(at),
        };
    }
    canonical(at, value);
}
