//! Sets of fields, and how `fieldsV1` writes them.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Map;
use serde_json::Value;

/// One step of a path as `fieldsV1` writes it: `f:name`, `k:{"name":"a"}`, `v:"a"` or `i:0`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Element(String);

impl Element {
    pub(crate) fn field(name: &str) -> Self {
        Self(format!("f:{name}"))
    }

    pub(crate) fn value(value: &Value) -> Self {
        Self(format!("v:{value}"))
    }

    /// An element of a list by its key fields.
    pub(crate) fn key(fields: Map<String, Value>) -> Self {
        Self(format!("k:{}", Value::Object(fields)))
    }

    /// The field name, if it is a field.
    pub(crate) fn name(&self) -> Option<&str> {
        self.0.strip_prefix("f:")
    }

    /// Reads a key of `fieldsV1`; an unknown form is dropped, as the real server does.
    fn read(text: &str) -> Option<Self> {
        let known = ["f:", "k:", "v:", "i:"]
            .iter()
            .any(|form| text.starts_with(form));
        known.then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (form, rest) = self.0.split_at(2);
        match form {
            "f:" => write!(f, ".{rest}"),
            "v:" => write!(f, "[={rest}]"),
            "i:" => write!(f, "[{rest}]"),
            _ => {
                let keys: Map<String, Value> = serde_json::from_str(rest).unwrap_or_default();
                let keys: Vec<_> = keys
                    .iter()
                    .map(|(key, value)| format!("{key}={value}"))
                    .collect();
                write!(f, "[{}]", keys.join(","))
            }
        }
    }
}

/// A set of fields as a tree: what is a member, and what stands below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Set {
    entries: BTreeMap<Element, Entry>,
}

/// A place in the tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) member: bool,
    pub(crate) below: Set,
}

impl Entry {
    fn is_empty(&self) -> bool {
        !self.member && self.below.is_empty()
    }
}

impl Set {
    /// A set of whole paths of fields.
    pub(crate) fn of_paths(paths: &[&[&str]]) -> Self {
        let mut set = Self::default();
        for path in paths {
            set.mark(path);
        }
        set
    }

    fn mark(&mut self, path: &[&str]) {
        if let Some((first, rest)) = path.split_first() {
            let entry = self.entries.entry(Element::field(first)).or_default();
            if rest.is_empty() {
                entry.member = true;
            } else {
                entry.below.mark(rest);
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.values().all(Entry::is_empty)
    }

    /// Puts an entry at a place; an empty one leaves no trace.
    pub(crate) fn put(&mut self, element: Element, entry: Entry) {
        if !entry.is_empty() {
            self.entries.insert(element, entry);
        }
    }

    pub(crate) fn get(&self, element: &Element) -> Option<&Entry> {
        self.entries.get(element)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Element, &Entry)> {
        self.entries.iter()
    }

    /// What is in either.
    pub(crate) fn union(&self, other: &Self) -> Self {
        let mut union = self.clone();
        union.extend(other);
        union
    }

    fn extend(&mut self, other: &Self) {
        for (element, entry) in &other.entries {
            let mine = self.entries.entry(element.clone()).or_default();
            mine.member |= entry.member;
            mine.below.extend(&entry.below);
        }
    }

    /// What is in both.
    pub(crate) fn intersection(&self, other: &Self) -> Self {
        let mut both = Self::default();
        for (element, mine) in &self.entries {
            if let Some(theirs) = other.entries.get(element) {
                let entry = Entry {
                    member: mine.member && theirs.member,
                    below: mine.below.intersection(&theirs.below),
                };
                both.put(element.clone(), entry);
            }
        }
        both
    }

    /// What is only in this one; a member of `other` takes nothing from below it.
    pub(crate) fn difference(&self, other: &Self) -> Self {
        self.without(other, false)
    }

    /// What is only in this one; a member of `other` takes all below it.
    pub(crate) fn recursive_difference(&self, other: &Self) -> Self {
        self.without(other, true)
    }

    fn without(&self, other: &Self, recursive: bool) -> Self {
        let mut rest = Self::default();
        for (element, mine) in &self.entries {
            let entry = match other.entries.get(element) {
                None => mine.clone(),
                Some(theirs) if theirs.member && recursive => Entry::default(),
                Some(theirs) => Entry {
                    member: mine.member && !theirs.member,
                    below: mine.below.without(&theirs.below, recursive),
                },
            };
            rest.put(element.clone(), entry);
        }
        rest
    }

    /// The members as paths, those of one level before those below it.
    pub(crate) fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect("", &mut paths);
        paths
    }

    fn collect(&self, prefix: &str, paths: &mut Vec<String>) {
        for (element, _) in self.iter().filter(|(_, entry)| entry.member) {
            paths.push(format!("{prefix}{element}"));
        }
        for (element, entry) in self.iter().filter(|(_, entry)| !entry.below.is_empty()) {
            entry.below.collect(&format!("{prefix}{element}"), paths);
        }
    }

    /// Reads `fieldsV1`.
    pub(crate) fn read(fields: &Value) -> Self {
        let mut set = Self::default();
        for (key, below) in fields.as_object().into_iter().flatten() {
            if let Some(element) = Element::read(key) {
                let entry = Entry {
                    member: below
                        .as_object()
                        .is_none_or(|map| map.is_empty() || map.contains_key(".")),
                    below: Self::read(below),
                };
                set.put(element, entry);
            }
        }
        set
    }

    /// Writes `fieldsV1`.
    pub(crate) fn write(&self) -> Value {
        let mut fields = Map::new();
        for (Element(text), entry) in &self.entries {
            let mut below = entry.below.write();
            if let Value::Object(map) = &mut below
                && entry.member
                && !map.is_empty()
            {
                map.insert(".".to_owned(), Value::Object(Map::new()));
            }
            fields.insert(text.clone(), below);
        }
        Value::Object(fields)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields() -> Value {
        json!({
            "f:metadata": { "f:labels": { ".": {}, "f:app": {} }, "f:finalizers": { "v:\"x\"": {} } },
            "f:spec": { "f:ports": { "k:{\"port\":80,\"protocol\":\"TCP\"}": { ".": {}, "f:port": {} } } },
        })
    }

    #[test]
    fn what_is_read_is_written_again() {
        assert_eq!(Set::read(&fields()).write(), fields());
    }

    #[test]
    fn members_of_a_level_come_before_what_is_below_it() {
        assert_eq!(
            Set::read(&fields()).paths(),
            [
                ".metadata.labels",
                ".metadata.finalizers[=\"x\"]",
                ".metadata.labels.app",
                ".spec.ports[port=80,protocol=\"TCP\"]",
                ".spec.ports[port=80,protocol=\"TCP\"].port",
            ]
        );
    }

    #[test]
    fn a_plain_difference_keeps_children_of_what_is_taken_and_a_recursive_one_does_not() {
        let labels = Set::of_paths(&[&["metadata", "labels"]]);
        let set = Set::read(&json!({ "f:metadata": { "f:labels": { ".": {}, "f:app": {} } } }));
        assert_eq!(
            set.difference(&labels).write(),
            json!({ "f:metadata": { "f:labels": { "f:app": {} } } })
        );
        assert_eq!(set.recursive_difference(&labels).write(), json!({}));
        assert_eq!(set.intersection(&labels), labels);
        assert_eq!(set.difference(&labels).union(&labels), set);
    }
}
