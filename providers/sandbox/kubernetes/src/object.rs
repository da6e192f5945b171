//! A stored object: immutable JSON behind an `Arc`, with its serialised form made once.
//!
//! Knows nothing about types; what a field means is the business of whoever reads it.

use std::sync::Arc;
use std::sync::OnceLock;

use bytes::Bytes;
use serde::Serialize;
use serde::Serializer;
use serde::ser::SerializeMap;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// One state of one object.
#[derive(Debug)]
pub(crate) struct Object {
    json: Arc<Value>,
    revision: u64,
    /// The object without `apiVersion` and `kind`: lists of built-in types show it so, and one text
    /// serves all versions of a type.
    body: OnceLock<Bytes>,
}

impl Object {
    /// An object as it stands in the store at a revision.
    pub(crate) fn new(json: Value, revision: u64) -> Self {
        Self {
            json: Arc::new(json),
            revision,
            body: OnceLock::new(),
        }
    }

    pub(crate) fn json(&self) -> &Value {
        &self.json
    }

    pub(crate) fn shared(&self) -> Arc<Value> {
        Arc::clone(&self.json)
    }

    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// The serialised object without `apiVersion` and `kind`.
    pub(crate) fn body(&self) -> &Bytes {
        self.body.get_or_init(|| {
            serde_json::to_vec(&Untyped(&self.json))
                .unwrap_or_default()
                .into()
        })
    }
}

/// Puts `apiVersion` and `kind` in front of the rest of an object.
pub(crate) fn write_typed(body: &[u8], api_version: &str, kind: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"apiVersion\":\"");
    out.extend_from_slice(api_version.as_bytes());
    out.extend_from_slice(b"\",\"kind\":\"");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\"");
    match body {
        [b'{', rest @ ..] if rest != b"}" => {
            out.push(b',');
            out.extend_from_slice(rest);
        }
        _ => out.push(b'}'),
    }
}

/// Serialises all but `apiVersion` and `kind`.
struct Untyped<'a>(&'a Value);

impl Serialize for Untyped<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let empty = Map::new();
        let fields = self.0.as_object().unwrap_or(&empty);
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in fields {
            if name != "apiVersion" && name != "kind" {
                map.serialize_entry(name, value)?;
            }
        }
        map.end()
    }
}

/// Text at a path of an object, or nothing.
pub(crate) fn text<'a>(json: &'a Value, pointer: &str) -> &'a str {
    json.pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

pub(crate) fn name(json: &Value) -> &str {
    text(json, "/metadata/name")
}

pub(crate) fn namespace(json: &Value) -> &str {
    text(json, "/metadata/namespace")
}

pub(crate) fn uid(json: &Value) -> &str {
    text(json, "/metadata/uid")
}

pub(crate) fn labels(json: &Value) -> Option<&Map<String, Value>> {
    json.pointer("/metadata/labels").and_then(Value::as_object)
}

/// Whether the object is being deleted.
pub(crate) fn is_ending(json: &Value) -> bool {
    json.pointer("/metadata/deletionTimestamp")
        .is_some_and(|time| !time.is_null())
}

/// The finalizers of an object, in order.
pub(crate) fn finalizers(json: &Value) -> Vec<&str> {
    let list = json
        .pointer("/metadata/finalizers")
        .and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// Adds a finalizer that is not there yet.
pub(crate) fn add_finalizer(new: &mut Value, finalizer: &str) {
    if finalizers(new).contains(&finalizer) {
        return;
    }
    let list = metadata(new)
        .entry("finalizers")
        .or_insert_with(|| json!([]));
    match list.as_array_mut() {
        Some(list) => list.push(json!(finalizer)),
        None => *list = json!([finalizer]),
    }
}

/// The metadata of an object that must have one; made when it is missing.
pub(crate) fn metadata(json: &mut Value) -> &mut Map<String, Value> {
    object_at(json, "metadata")
}

/// The elements at a path, to be changed; none where there is no list.
pub(crate) fn elements_mut<'a>(
    json: &'a mut Value,
    pointer: &str,
) -> impl Iterator<Item = &'a mut Value> {
    let list = json.pointer_mut(pointer).and_then(Value::as_array_mut);
    list.into_iter().flatten()
}

/// A field that must be an object; whatever else stands there gives way.
pub(crate) fn object_at<'a>(json: &'a mut Value, field: &str) -> &'a mut Map<String, Value> {
    if !json.is_object() {
        *json = Value::Object(Map::new());
    }
    let slot = &mut json[field];
    if !slot.is_object() {
        *slot = Value::Object(Map::new());
    }
    let Value::Object(map) = slot else {
        unreachable!("it was made an object above");
    };
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_written_in_any_version() {
        let object = Object::new(
            json!({"apiVersion": "x/v1", "kind": "A", "spec": {"a": 1}}),
            3,
        );
        let mut out = Vec::new();
        write_typed(object.body(), "x/v2", "A", &mut out);
        let back: Value = serde_json::from_slice(&out).expect("JSON");
        assert_eq!(
            back,
            json!({"apiVersion": "x/v2", "kind": "A", "spec": {"a": 1}})
        );
        assert_eq!(&object.body()[..], br#"{"spec":{"a":1}}"#);
    }

    #[test]
    fn an_object_without_fields_is_written() {
        let mut out = Vec::new();
        let object = Object::new(json!({"kind": "A"}), 1);
        write_typed(object.body(), "v1", "A", &mut out);
        assert_eq!(out, br#"{"apiVersion":"v1","kind":"A"}"#);
    }
}
