//! Values that are not there yet, and values that must never be seen.
//!
//! Unknown and secret are one mechanism: a *hole* in a resource's arguments, filled at apply. On the
//! wire a hole is `{"$hole": {"expr": 3, "secret": false, "after": ["command.cluster"]}}`, where
//! `expr` is the index of the residual expression in the plan.

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::de::DeserializeOwned;

use crate::Address;
use crate::Json;

/// The one key of a hole.
pub(crate) const HOLE: &str = "$hole";

/// A place in a resource's arguments that is filled at apply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hole {
    /// The residual expression that fills it.
    pub expr: usize,
    /// Whether the value is a secret; such a hole is opened only by [`crate::WriteCx::open`].
    pub secret: bool,
    /// The resources that must be done before the value is known; empty for a plain secret.
    pub after: Vec<Address>,
}

/// A value that is known now, or a hole that is filled at apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Late<T> {
    /// Known now.
    Known(T),
    /// Filled at apply.
    Hole(Hole),
}

impl<T> Late<T> {
    /// Returns the value if it is known now.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Hole(_) => None,
        }
    }
}

impl<T: Serialize> Serialize for Late<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Known(value) => value.serialize(serializer),
            Self::Hole(hole) => serializer.collect_map([(HOLE, hole)]),
        }
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Late<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Json::deserialize(deserializer)?;
        match as_hole(&json) {
            Some(hole) => Ok(Self::Hole(hole)),
            None => serde_json::from_value(json)
                .map(Self::Known)
                .map_err(serde::de::Error::custom),
        }
    }
}

/// Reads a hole, if this very value is one.
pub fn is_hole(json: &Json) -> Option<Hole> {
    as_hole(json)
}

fn as_hole(json: &Json) -> Option<Hole> {
    let map = json.as_object()?;
    if map.len() != 1 {
        return None;
    }
    Hole::deserialize(map.get(HOLE)?).ok()
}

/// Lists the holes anywhere inside a value, each with its JSON pointer.
pub fn holes(json: &Json) -> Vec<(String, Hole)> {
    let mut out = Vec::new();
    walk(json, &mut String::new(), &mut out);
    out
}

fn walk(json: &Json, at: &mut String, out: &mut Vec<(String, Hole)>) {
    if let Some(hole) = as_hole(json) {
        out.push((at.clone(), hole));
        return;
    }
    let length = at.len();
    match json {
        Json::Object(map) => {
            for (key, value) in map {
                at.push('/');
                at.push_str(&key.replace('~', "~0").replace('/', "~1"));
                walk(value, at, out);
                at.truncate(length);
            }
        }
        Json::Array(list) => {
            for (i, value) in list.iter().enumerate() {
                at.push('/');
                at.push_str(&i.to_string());
                walk(value, at, out);
                at.truncate(length);
            }
        }
        _ => {}
    }
}

/// Where a secret lives. A reference is safe to store and to show; the value never is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretRef {
    /// The text of a sensitive input variable, given again to `apply`.
    Variable(String),
    /// An environment variable.
    Env(String),
    /// The content of a file; a relative path starts at the folder of the spec.
    File(String),
    /// One field inside a JSON file: path of the file, pointer inside it.
    JsonFile(String, String),
}

impl std::fmt::Display for SecretRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "variable `{name}`"),
            Self::Env(name) => write!(f, "environment variable `{name}`"),
            Self::File(path) => write!(f, "file `{path}`"),
            Self::JsonFile(path, at) => write!(f, "file `{path}` at `{at}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn holes_survive_a_round_trip_and_are_found_where_they_lie() {
        let raw = json!({"$hole": {"expr": 3, "secret": true, "after": ["command.x"]}});
        let late: Late<String> = serde_json::from_value(raw.clone()).expect("a hole");
        assert!(late.known().is_none());
        assert_eq!(serde_json::to_value(&late).expect("JSON"), raw);

        let found = holes(&json!({"a/b": [1, raw]}));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, "/a~1b/1");

        let known: Late<u8> = serde_json::from_value(json!(7)).expect("a number");
        assert_eq!(known, Late::Known(7));
    }
}
