//! What is kept of an answer.
//!
//! An outcome is JSON, so that it can be written, read and compared without a type for each kind.

use std::collections::BTreeMap;

use http::HeaderMap;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::sequence::Among;
use crate::sequence::Step;

/// The answers of one sequence; the outcome of a watch holds those of its inner steps.
pub type Outcomes = Vec<Outcome>;

/// What one step came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// The request, as the file has it, so that a recording can be read by itself.
    pub step: String,
    /// The HTTP code.
    pub code: u16,
    /// The media type of the answer, without its parameters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub media: String,
    /// `Warning` headers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The body, as far as the step compares it.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub body: Value,
    /// The words of a refusal, for whoever reads the recording.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub words: String,
    /// Whether the words are compared.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wording: bool,
    /// The events of a watch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<Value>>,
    /// Whether the server ended the watch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<bool>,
    /// What came of the requests that were sent while the watch was open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub during: Outcomes,
}

/// The head of an answer.
#[derive(Clone, Debug)]
pub struct Head {
    /// The HTTP code.
    pub code: u16,
    media: String,
    warnings: Vec<String>,
}

impl Head {
    /// Reads what is compared of a head.
    #[must_use]
    pub fn of<B>(answer: &http::Response<B>) -> Self {
        let text = |name| headers(answer.headers(), name);
        let media = text("content-type").into_iter().next().unwrap_or_default();
        Self {
            code: answer.status().as_u16(),
            media: media.split(';').next().unwrap_or_default().to_owned(),
            warnings: text("warning"),
        }
    }
}

fn headers(map: &HeaderMap, name: &str) -> Vec<String> {
    let values = map.get_all(name).into_iter();
    values
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .collect()
}

impl Outcome {
    /// Begins an outcome with the head of an answer.
    #[must_use]
    pub fn begin(step: &Step, head: Head) -> Self {
        Self {
            step: step.r#do.clone(),
            code: head.code,
            media: head.media,
            warnings: head.warnings,
            body: Value::Null,
            words: String::new(),
            wording: step.wording,
            events: None,
            ended: None,
            during: Vec::new(),
        }
    }

    /// Takes over the body of an answer, as far as the step wants it.
    pub fn take(&mut self, step: &Step, body: Value) {
        if let Some(words) = words(&body) {
            self.words = words.to_owned();
        }
        self.body = reduce(step, body);
    }
}

fn is_status(body: &Value) -> bool {
    body["kind"] == "Status" && body["apiVersion"] == "v1"
}

fn words(body: &Value) -> Option<&str> {
    is_status(body).then(|| body["message"].as_str()).flatten()
}

/// Leaves of a body what the step compares.
#[must_use]
pub fn reduce(step: &Step, mut body: Value) -> Value {
    if is_status(&body) && step.pick.is_empty() {
        return status(&body);
    }
    if step.managed_fields {
        sort_managed_fields(&mut body);
    } else {
        drop_managed_fields(&mut body);
    }
    if let Some(among) = &step.among {
        return choose(among, &body);
    }
    if !step.pick.is_empty() {
        return pick(&step.pick, &body);
    }
    match body["items"].as_array() {
        Some(items) if !step.whole => list(&body, items),
        _ => body,
    }
}

/// The part of a refusal on which clients branch.
fn status(body: &Value) -> Value {
    let mut kept = Map::new();
    for key in ["status", "reason", "code"] {
        if let Some(value) = body.get(key) {
            kept.insert(key.to_owned(), value.clone());
        }
    }
    if let Some(token) = body.pointer("/metadata/continue") {
        kept.insert("continue".to_owned(), token.clone());
    }
    if let Some(details) = body["details"].as_object() {
        let mut details = details.clone();
        if let Some(causes) = details.get_mut("causes").and_then(Value::as_array_mut) {
            for cause in causes.iter_mut().filter_map(Value::as_object_mut) {
                cause.remove("message");
            }
            // The order in which a server looks at fields is no promise.
            causes.sort_by_key(ToString::to_string);
        }
        kept.insert("details".to_owned(), Value::Object(details));
    }
    Value::Object(kept)
}

/// Entries of the same second are ordered by chance.
fn sort_managed_fields(body: &mut Value) {
    if let Some(entries) = body.pointer_mut("/metadata/managedFields") {
        let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        let by = |entry: &Value| {
            ["operation", "manager", "subresource", "apiVersion"].map(|key| text(entry, key))
        };
        if let Some(entries) = entries.as_array_mut() {
            entries.sort_by_key(by);
        }
    }
}

fn drop_managed_fields(body: &mut Value) {
    match body {
        Value::Object(fields) => {
            fields.remove("managedFields");
            fields.values_mut().for_each(drop_managed_fields);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_managed_fields),
        _ => {}
    }
}

fn list(body: &Value, items: &[Value]) -> Value {
    let names = items.iter().map(|item| item["metadata"]["name"].clone());
    json!({
        "apiVersion": body["apiVersion"],
        "kind": body["kind"],
        "metadata": body["metadata"],
        "items": names.collect::<Vec<_>>(),
    })
}

fn pick(pointers: &[String], body: &Value) -> Value {
    let values = pointers.iter().map(|pointer| {
        let value = body.pointer(pointer).cloned().unwrap_or_default();
        (pointer.clone(), value)
    });
    Value::Object(values.collect())
}

fn choose(among: &Among, body: &Value) -> Value {
    let items = body.pointer(&among.list).and_then(Value::as_array);
    let named = items.into_iter().flatten().filter_map(|item| {
        let name = item.pointer(&among.by)?.as_str()?;
        let kept = if among.pick.is_empty() {
            item.clone()
        } else {
            pick(&among.pick, item)
        };
        among
            .names
            .iter()
            .any(|n| n == name)
            .then(|| (name.to_owned(), kept))
    });
    let named: BTreeMap<String, Value> = named.collect();
    json!(named)
}

/// Leaves of an event of a watch what the step compares.
#[must_use]
pub fn event(step: &Step, event: Value) -> Value {
    let kind = event["type"].clone();
    let object = &event["object"];
    if is_status(object) {
        return json!({"type": kind, "status": status(object)});
    }
    if kind == "BOOKMARK" {
        let metadata = &object["metadata"];
        return json!({
            "type": kind,
            "kind": object["kind"],
            "resourceVersion": metadata["resourceVersion"],
            "annotations": metadata["annotations"],
        });
    }
    if step.whole {
        return json!({"type": kind, "object": reduce(step, object.clone())});
    }
    json!({"type": kind, "name": object["metadata"]["name"]})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_refusal_the_words_of_causes_are_left_out() {
        let body = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "m", "reason": "Invalid", "code": 422,
            "details": {"name": "a", "causes": [{"reason": "b", "message": "m", "field": "f"}]},
        });
        let expected = json!({
            "status": "Failure", "reason": "Invalid", "code": 422,
            "details": {"name": "a", "causes": [{"reason": "b", "field": "f"}]},
        });
        assert_eq!(status(&body), expected);
    }
}
