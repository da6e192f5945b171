//! Objects that cannot be read as their type at all.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::TypeInfo;
use crate::quantity;
use crate::schema::Cursor;
use crate::schema::Scalar;
use crate::schema::Shape;

/// Why an object cannot be read as its type; the API answers 400 `BadRequest` with this as its
/// message. Of a custom object only `metadata` can fail here, the rest fails in
/// [`crate::validate`].
#[must_use]
pub fn decode_error(ty: &TypeInfo, object: &Value) -> Option<String> {
    let found = if ty.custom {
        let at = ty.schema.root().child("metadata")?;
        walk(at, object.get("metadata")?, "", "ObjectMeta")
    } else {
        walk(ty.schema.root(), object, "", &ty.kind)
    };
    let (version, kind) = (&ty.version, &ty.kind);
    found.map(|why| format!("{kind} in version {version:?} cannot be handled as a {kind}: {why}"))
}

/// `owner` is the type that has the field, `path` the way to it.
fn walk(at: Cursor<'_>, value: &Value, path: &str, owner: &str) -> Option<String> {
    if value.is_null() {
        return None;
    }
    match (at.shape(), value) {
        (Shape::Record(record), Value::Object(map)) => {
            let owner = record.name.rsplit('.').next().unwrap_or_default();
            map.iter().find_map(|(key, value)| {
                let dot = if path.is_empty() { "" } else { "." };
                walk(at.child(key)?, value, &format!("{path}{dot}{key}"), owner)
            })
        }
        (Shape::Map { .. }, Value::Object(map)) => map
            .iter()
            .find_map(|(key, value)| walk(at.child(key)?, value, path, owner)),
        (Shape::List(_), Value::Array(values)) => values
            .iter()
            .find_map(|value| walk(at.item(), value, path, owner)),
        (Shape::Scalar(scalar), value) => scalar_error(*scalar, value, path, owner),
        (Shape::Any { .. } | Shape::Builtin(_), _) => None,
        _ => Some(mismatch(at, value, path, owner)),
    }
}

fn scalar_error(scalar: Scalar, value: &Value, path: &str, owner: &str) -> Option<String> {
    match (scalar, value) {
        (Scalar::Quantity, Value::String(text)) if quantity::canonical(text).is_none() => {
            let pattern = "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
            Some(format!(
                "quantities must match the regular expression {pattern}"
            ))
        }
        (Scalar::Bytes, Value::String(text)) => {
            let error = STANDARD.decode(text).err()?;
            let at = match error {
                base64::DecodeError::InvalidByte(at, _)
                | base64::DecodeError::InvalidLastSymbol(at, _) => at,
                _ => text.len().saturating_sub(text.len() % 4),
            };
            Some(format!("illegal base64 data at input byte {at}"))
        }
        (Scalar::Time, Value::String(text)) if text.parse::<jiff::Timestamp>().is_err() => {
            Some(format!(
                "parsing time {text:?} as \"2006-01-02T15:04:05Z07:00\": cannot parse {text:?} as \"2006\""
            ))
        }
        (Scalar::MicroTime, Value::String(text)) => micro_time_error(text),
        (Scalar::String | Scalar::Time, Value::String(_))
        | (Scalar::Quantity | Scalar::IntOrString, Value::String(_) | Value::Number(_))
        | (Scalar::Bool, Value::Bool(_))
        | (Scalar::Number, Value::Number(_)) => None,
        (Scalar::Integer { bits }, Value::Number(number)) => {
            let fits = number
                .as_i64()
                .is_some_and(|number| bits == 64 || i32::try_from(number).is_ok());
            let text = format!(
                "json: cannot unmarshal number {number} into Go struct field {owner}.{path} of type int{bits}"
            );
            (!fits).then_some(text)
        }
        (_, value) => {
            let wanted = scalar_name(scalar);
            let given = json_name(value);
            Some(format!(
                "json: cannot unmarshal {given} into Go struct field {owner}.{path} of type {wanted}"
            ))
        }
    }
}

/// Microseconds are always written in full.
fn micro_time_error(text: &str) -> Option<String> {
    let layout = "2006-01-02T15:04:05.000000Z07:00";
    let say = |rest: &str, wanted: &str| {
        Some(format!(
            "parsing time {text:?} as {layout:?}: cannot parse {rest:?} as {wanted:?}"
        ))
    };
    if text.parse::<jiff::Timestamp>().is_err() {
        return say(text, "2006");
    }
    let seconds = "2006-01-02T15:04:05".len();
    let rest = text.get(seconds..).unwrap_or_default();
    let digits = rest.strip_prefix('.').map_or(0, |rest| {
        rest.chars().take_while(char::is_ascii_digit).count()
    });
    if digits == 6 {
        None
    } else {
        say(rest, ".000000")
    }
}

fn mismatch(at: Cursor<'_>, value: &Value, path: &str, owner: &str) -> String {
    let (given, wanted) = (json_name(value), go_name(at));
    format!("json: cannot unmarshal {given} into Go struct field {owner}.{path} of type {wanted}")
}

fn json_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn scalar_name(scalar: Scalar) -> &'static str {
    match scalar {
        Scalar::Integer { bits: 32 } => "int32",
        Scalar::Integer { .. } => "int64",
        Scalar::Number => "float64",
        Scalar::Bool => "bool",
        Scalar::Bytes => "[]uint8",
        Scalar::Time => "v1.Time",
        Scalar::MicroTime => "v1.MicroTime",
        Scalar::String | Scalar::Quantity | Scalar::IntOrString => "string",
    }
}

fn go_name(at: Cursor<'_>) -> String {
    match at.shape() {
        Shape::Record(record) => record.name.clone(),
        Shape::Scalar(scalar) => scalar_name(*scalar).to_owned(),
        Shape::List(_) => format!("[]{}", go_name(at.item())),
        Shape::Map { .. } => format!(
            "map[string]{}",
            at.child("").map(go_name).unwrap_or_default()
        ),
        Shape::Any { .. } | Shape::Builtin(_) => "interface {}".to_owned(),
    }
}
