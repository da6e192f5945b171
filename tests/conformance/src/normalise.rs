//! Takes out of answers what makes two runs differ without meaning.
//!
//! Values that differ from run to run become words in angle brackets; the revisions of one object
//! become numbers, so that a write that changes nothing still shows. Knows nothing about kinds.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::request::Words;

/// Keys whose value is a revision of the object or list that holds them.
const REVISION: &str = "resourceVersion";

/// How many letters the server adds to a name that it completes. Names that a controller chose by
/// counting are no longer than that and stay.
const MADE_LENGTH: usize = 5;

/// What was seen in the answers of one sequence.
#[derive(Clone, Debug, Default)]
pub struct Normaliser {
    /// Texts of this run and the words for them, in the order in which they are replaced.
    texts: Vec<(String, String)>,
    /// The revisions of each object, in the order in which they appeared.
    revisions: BTreeMap<String, Vec<String>>,
    /// Whether revisions are numbered: only where nobody else writes.
    numbered: bool,
}

impl Normaliser {
    /// Begins with the words that a run chose itself.
    #[must_use]
    pub fn new(words: &Words, numbered: bool) -> Self {
        let mut texts: Vec<(String, String)> = words
            .iter()
            .map(|(word, value)| (value.clone(), format!("<{word}>")))
            .collect();
        // A longer text may hold a shorter one.
        texts.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        Self {
            texts,
            revisions: BTreeMap::new(),
            numbered,
        }
    }

    /// Takes what differs out of a text.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        let mut plain = text.to_owned();
        for (value, word) in &self.texts {
            plain = plain.replace(value, word);
        }
        if is_time(&plain) {
            return "<time>".into();
        }
        let plain = without_times(&plain);
        let words = plain.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
        words
            .map(|word| {
                let bare =
                    word.trim_end_matches(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
                if is_uid(bare) {
                    word.replacen(bare, "<uid>", 1)
                } else {
                    word.to_owned()
                }
            })
            .collect()
    }

    /// Takes what differs out of an answer.
    pub fn value(&mut self, value: &Value) -> Value {
        self.learn(value);
        self.walk("", value)
    }

    /// Learns the names that the server made.
    fn learn(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.learn(item)),
            Value::Object(fields) => {
                let text = |key: &str| fields.get(key).and_then(Value::as_str);
                if let (Some(stem), Some(name)) = (text("generateName"), text("name"))
                    && name.len() == stem.len() + MADE_LENGTH
                    && name.starts_with(stem)
                    && !self.texts.iter().any(|(known, _)| known == name)
                {
                    self.texts
                        .insert(0, (name.to_owned(), format!("{stem}<generated>")));
                }
                fields.values().for_each(|item| self.learn(item));
            }
            _ => {}
        }
    }

    fn walk(&mut self, key: &str, value: &Value) -> Value {
        match value {
            Value::Object(fields) => {
                let owner = fields.get("uid").and_then(Value::as_str).unwrap_or("");
                let walked = fields.iter().map(|(key, item)| {
                    let item = match (key.as_str(), item.as_str()) {
                        (REVISION, Some(revision)) => Value::String(self.revision(owner, revision)),
                        ("storageVersionHash", Some(_)) => "<hash>".into(),
                        ("continue", Some(token)) if !token.is_empty() => "<continue>".into(),
                        _ => self.walk(key, item),
                    };
                    (self.text(key), item)
                });
                Value::Object(walked.collect())
            }
            Value::Array(items) => items.iter().map(|item| self.walk(key, item)).collect(),
            Value::String(text) if is_address(key, text) => "<address>".into(),
            Value::String(text) => Value::String(self.text(text)),
            Value::Number(_) if matches!(key, "nodePort" | "healthCheckNodePort") => {
                "<port>".into()
            }
            other => other.clone(),
        }
    }

    fn revision(&mut self, owner: &str, revision: &str) -> String {
        if owner.is_empty() || !self.numbered {
            return if revision.is_empty() || revision == "0" {
                revision.to_owned()
            } else {
                "<revision>".into()
            };
        }
        let seen = self.revisions.entry(owner.to_owned()).or_default();
        let place = seen.iter().position(|known| known == revision);
        let place = place.unwrap_or_else(|| {
            seen.push(revision.to_owned());
            seen.len() - 1
        });
        format!("<revision {}>", place + 1)
    }
}

fn is_address(key: &str, text: &str) -> bool {
    matches!(key, "clusterIP" | "clusterIPs" | "podIP" | "hostIP" | "ip")
        && text.parse::<std::net::IpAddr>().is_ok()
}

fn is_uid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        })
}

/// Says whether a text is a moment as Kubernetes writes it: `2026-01-02T03:04:05[.000000]Z`.
fn is_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 20
        && bytes.len() <= 30
        && bytes.ends_with(b"Z")
        && bytes[..19]
            .iter()
            .enumerate()
            .all(|(place, byte)| match place {
                4 | 7 => *byte == b'-',
                10 => *byte == b'T',
                13 | 16 => *byte == b':',
                _ => byte.is_ascii_digit(),
            })
}

/// Replaces moments and revisions inside of a longer text, as refusals quote whole objects.
fn without_times(text: &str) -> String {
    const REVISION_QUOTED: &str = "\"resourceVersion\":\"";
    let mut rest = text;
    let mut plain = String::with_capacity(text.len());
    while let Some(first) = rest.chars().next() {
        let revision = rest.strip_prefix(REVISION_QUOTED);
        if rest.get(..20).is_some_and(is_time) {
            plain.push_str("<time>");
            rest = &rest[20..];
        } else if let Some(after) = revision {
            plain.push_str(REVISION_QUOTED);
            plain.push_str("<revision>");
            rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
        } else {
            plain.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_differs_becomes_words_and_an_unchanged_revision_shows() {
        let words = Words::from([("id".into(), "q1".into()), ("ns".into(), "ns-q1".into())]);
        let mut normaliser = Normaliser::new(&words, true);
        let uid = "0a1b2c3d-0000-4000-8000-0123456789ab";
        let object = |revision: &str| {
            json!({"metadata": {
                "name": "a-x7k2p", "generateName": "a-", "namespace": "ns-q1", "uid": uid,
                "resourceVersion": revision, "creationTimestamp": "2026-01-02T03:04:05Z",
            }})
        };
        let first = normaliser.value(&object("7"));
        assert_eq!(
            first,
            json!({"metadata": {
                "name": "a-<generated>", "generateName": "a-", "namespace": "<ns>", "uid": "<uid>",
                "resourceVersion": "<revision 1>", "creationTimestamp": "<time>",
            }})
        );
        assert_eq!(normaliser.value(&object("7")), first);
        let changed = normaliser.value(&object("9"));
        assert_eq!(changed["metadata"]["resourceVersion"], "<revision 2>");
        assert_eq!(
            normaliser.text(&format!("uid: {uid}, has q1")),
            "uid: <uid>, has <id>"
        );
    }
}
