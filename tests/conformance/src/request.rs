//! Makes a request of a step: words in angle brackets get their values, short words their meaning.
//!
//! Knows nothing about answers.

use std::collections::BTreeMap;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;
use http::Request;
use kube::client::Body;
use serde_json::Value;

use crate::sequence::Step;

/// What the word for a long text stands for in a body.
const FILL: &str = "<fill>";

/// Short words for media types that may be accepted.
const ACCEPTS: &[(&str, &str)] = &[
    (
        "metadata",
        "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
    ),
    (
        "metadata-list",
        "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
    ),
    (
        "table",
        "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
    ),
    (
        "discovery",
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
    ),
];

/// Short words for media types of bodies.
const CONTENTS: &[(&str, &str)] = &[
    ("apply", "application/apply-patch+yaml"),
    ("json-patch", "application/json-patch+json"),
    ("merge", "application/merge-patch+json"),
    ("strategic", "application/strategic-merge-patch+json"),
];

/// The words of a sequence and what they stand for.
pub type Words = BTreeMap<String, String>;

/// Makes the request of a step.
///
/// # Errors
///
/// When the step does not name a method and a path.
pub fn build(step: &Step, words: &Words) -> Result<Request<Body>> {
    let line = fill_in(&step.r#do, words);
    let Some((method, target)) = line.split_once(' ') else {
        bail!("`{line}` is no method and path");
    };
    let mut request = Request::builder()
        .method(method)
        .uri(encode(target))
        .header(
            http::header::ACCEPT,
            meaning(
                step.accept.as_deref().unwrap_or("application/json"),
                ACCEPTS,
            ),
        );
    let body = body(step, words)?;
    if !body.is_empty() || step.content.is_some() {
        let content = step.content.as_deref().unwrap_or("application/json");
        request = request.header(http::header::CONTENT_TYPE, meaning(content, CONTENTS));
    }
    request
        .body(Body::from(body))
        .with_context(|| format!("`{line}` is no request"))
}

fn body(step: &Step, words: &Words) -> Result<Vec<u8>> {
    let text = match (&step.body, &step.text) {
        (Some(data), None) => serde_json::to_string(&fill_in_value(data, words))?,
        (None, Some(text)) => fill_in(text, words),
        (None, None) => String::new(),
        (Some(_), Some(_)) => bail!("`{}` has both a `body` and a `text`", step.r#do),
    };
    Ok(match step.fill_bytes {
        Some(bytes) => text.replace(FILL, &"x".repeat(bytes)),
        None => text,
    }
    .into_bytes())
}

fn meaning<'m>(word: &'m str, table: &'m [(&str, &str)]) -> &'m str {
    let found = table.iter().find(|(short, _)| *short == word);
    found.map_or(word, |(_, long)| long)
}

/// Replaces each word in angle brackets that is known.
#[must_use]
pub fn fill_in(text: &str, words: &Words) -> String {
    let mut filled = text.to_owned();
    for (word, value) in words {
        filled = filled.replace(&format!("<{word}>"), value);
    }
    filled
}

/// Replaces words in all texts of a value.
pub(crate) fn fill_in_value(value: &Value, words: &Words) -> Value {
    match value {
        Value::String(text) => Value::String(fill_in(text, words)),
        Value::Array(items) => items
            .iter()
            .map(|item| fill_in_value(item, words))
            .collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, item)| (fill_in(key, words), fill_in_value(item, words)))
            .collect(),
        other => other.clone(),
    }
}

/// Escapes what may not stand in a request line; what is escaped already stays as it is.
fn encode(target: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(target.len());
    for byte in target.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/?&=%,:!()'*@+$;".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            write!(encoded, "%{byte:02X}").ok();
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_filled_in_and_the_query_is_escaped() {
        let words = Words::from([("ns".into(), "a".into())]);
        let text = fill_in("/n/<ns>/p?labelSelector=x in (b,<unknown>)", &words);
        assert_eq!(
            encode(&text),
            "/n/a/p?labelSelector=x%20in%20(b,%3Cunknown%3E)"
        );
    }
}
