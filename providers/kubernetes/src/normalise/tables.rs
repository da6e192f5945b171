//! The tables of the normaliser, read once from the data file beside this one.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use drplan_api::Json;
use serde::Deserialize;

/// The data file as data.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tables {
    pub(super) ignored: Vec<Way>,
    pub(super) ignored_annotations: Vec<String>,
    pub(super) ignored_labels: Vec<String>,
    by_kind: Vec<KindRule>,
    pub(super) injecting_annotations: Vec<String>,
    pub(super) merge_keys: BTreeMap<String, Vec<Vec<String>>>,
    pub(super) merge_key_defaults: BTreeMap<String, Json>,
    pub(super) sets: Vec<String>,
    pub(super) quantity_maps: Vec<String>,
    pub(super) quantity_fields: Vec<String>,
    pub(super) defaults: Vec<DefaultRule>,
    pub(super) pod_specs: BTreeMap<String, String>,
    pub(super) pod_defaults: Vec<PodDefaults>,
    pub(crate) hands: Vec<String>,
    kinds: BTreeMap<String, BTreeMap<String, (String, bool)>>,
}

/// A path, taken apart once.
#[derive(Deserialize)]
#[serde(from = "String")]
pub(super) struct Way(pub(super) Vec<String>);

impl From<String> for Way {
    fn from(path: String) -> Self {
        Self(super::steps(&path))
    }
}

/// What does not count for one kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KindRule {
    group: String,
    kind: String,
    #[serde(default)]
    pub(super) ignored: Vec<Way>,
    #[serde(default)]
    pub(super) ignored_annotations: Vec<String>,
    #[serde(default)]
    pub(super) ignored_if_injected: Vec<Way>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DefaultRule {
    pub(super) kinds: Vec<String>,
    pub(super) at: String,
    pub(super) values: BTreeMap<String, Json>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PodDefaults {
    pub(super) at: String,
    pub(super) values: BTreeMap<String, Json>,
}

impl Tables {
    /// Returns the rule of a kind, if it has one.
    pub(super) fn rule(&self, group: &str, kind: &str) -> Option<&KindRule> {
        self.by_kind
            .iter()
            .find(|r| r.kind == kind && r.group == group)
    }

    /// Returns resource and scope of a kind that every cluster has.
    pub(crate) fn built_in(&self, group: &str, kind: &str) -> Option<(&str, bool)> {
        let (plural, namespaced) = self.kinds.get(group)?.get(kind)?;
        Some((plural, *namespaced))
    }
}

/// Returns the tables.
///
/// # Panics
///
/// If the data file is broken, which the test below would have found.
pub(crate) fn tables() -> &'static Tables {
    const TEXT: &str = include_str!(concat!(env!("OUT_DIR"), "/tables.json"));
    static TABLES: LazyLock<Tables> = LazyLock::new(|| match serde_json::from_str(TEXT) {
        Ok(tables) => tables,
        Err(e) => panic!("the normaliser's own table cannot be read: {e}"),
    });
    &TABLES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_file_is_read_and_agrees_with_the_built_in_groups() {
        let tables = tables();
        assert_eq!(
            tables.built_in("apps", "Deployment"),
            Some(("deployments", true))
        );
        assert!(tables.rule("", "Service").is_some());
        for group in tables.kinds.keys() {
            assert!(crate::is_built_in_group(group), "{group}");
        }
    }
}
