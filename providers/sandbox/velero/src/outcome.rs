//! Warnings and errors, by where they belong.

use std::collections::BTreeMap;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// Messages of one severity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Messages {
    pub(crate) velero: Vec<String>,
    pub(crate) cluster: Vec<String>,
    pub(crate) namespaces: BTreeMap<String, Vec<String>>,
}

/// What happened while something was restored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) warnings: Messages,
    pub(crate) errors: Messages,
}

impl Messages {
    /// Adds a message for a namespace, or for the cluster when that is empty.
    pub(crate) fn add(&mut self, namespace: &str, message: impl Into<String>) {
        let message = message.into();
        if namespace.is_empty() {
            self.cluster.push(message);
        } else {
            let messages = self.namespaces.entry(namespace.to_owned()).or_default();
            messages.push(message);
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.velero.extend(other.velero);
        self.cluster.extend(other.cluster);
        for (namespace, messages) in other.namespaces {
            self.namespaces
                .entry(namespace)
                .or_default()
                .extend(messages);
        }
    }

    pub(crate) fn count(&self) -> usize {
        let named: usize = self.namespaces.values().map(Vec::len).sum();
        self.velero.len() + self.cluster.len() + named
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count() == 0
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut all = Map::new();
        if !self.velero.is_empty() {
            all.insert("velero".to_owned(), json!(self.velero));
        }
        if !self.cluster.is_empty() {
            all.insert("cluster".to_owned(), json!(self.cluster));
        }
        if !self.namespaces.is_empty() {
            all.insert("namespaces".to_owned(), json!(self.namespaces));
        }
        Value::Object(all)
    }
}

impl Outcome {
    pub(crate) fn merge(&mut self, other: Self) {
        self.warnings.merge(other.warnings);
        self.errors.merge(other.errors);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.warnings.is_empty() && self.errors.is_empty()
    }

    /// The content of the file `restore-NAME-results.gz`.
    pub(crate) fn to_json(&self) -> Value {
        json!({"errors": self.errors.to_json(), "warnings": self.warnings.to_json()})
    }
}
