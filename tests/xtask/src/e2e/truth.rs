//! What site A held when it died, and how site B differs from it.
//!
//! Normalisation is written here a second time on purpose: a comparison that shared drplan's own
//! tables would share their mistakes.

use std::collections::BTreeMap;

use anyhow::Result;
use anyhow::bail;
use serde_json::Value;

use super::database::Tables;
use super::kubectl::Kubectl;
use super::shop;

/// The kinds with a namespace that are compared.
const NAMESPACED: &str = "configmaps,secrets,serviceaccounts,services,deployments.apps,\
                          statefulsets.apps,cronjobs.batch,roles,rolebindings,\
                          persistentvolumeclaims,resourcequotas,pricelists.shop.example";

/// The kinds without one.
const CLUSTER_SCOPED: &str = "clusterroles,clusterrolebindings,customresourcedefinitions,\
                              validatingwebhookconfigurations,priorityclasses";

/// What belongs to one object's life and not to what it says.
const OWN_LIFE: &[&str] = &[
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "managedFields",
    "generation",
];

/// Labels that Velero adds.
const VELERO_LABELS: &[&str] = &["velero.io/backup-name", "velero.io/restore-name"];

/// How many differences an error names.
const SHOWN_MAX: usize = 8;

/// Everything that must come back.
#[derive(Debug)]
pub(crate) struct Truth {
    /// Normalised objects by `Kind namespace/name`.
    pub(crate) objects: BTreeMap<String, Value>,
    /// Rows and digests by table, with indexes, constraints and sequences.
    pub(crate) tables: Tables,
}

/// Reads all objects of the shop that somebody made by hand, normalised.
pub(crate) async fn objects(kubectl: &Kubectl) -> Result<BTreeMap<String, Value>> {
    let mut items = kubectl.list(&[CLUSTER_SCOPED, "-l", shop::PART_OF]).await?;
    let namespaces = kubectl.list(&["namespaces", "-l", "team=shop"]).await?;
    items.extend(namespaces);
    let all = kubectl.list(&[NAMESPACED, "-A"]).await?;
    items.extend(all.into_iter().filter(is_of_the_shop));
    let out = items.into_iter().map(|o| (name(&o), normalised(o)));
    Ok(out.collect())
}

fn is_of_the_shop(object: &Value) -> bool {
    let meta = &object["metadata"];
    let namespace = meta["namespace"].as_str().unwrap_or_default();
    shop::NAMESPACES.contains(&namespace)
        && meta["ownerReferences"].is_null()
        && meta["name"] != "kube-root-ca.crt"
}

fn name(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let meta = &object["metadata"];
    let name = match &meta["namespace"] {
        Value::String(namespace) => format!("{namespace}/{}", text(&meta["name"])),
        _ => text(&meta["name"]),
    };
    format!("{} {name}", text(&object["kind"]))
}

fn normalised(mut object: Value) -> Value {
    let is_service = object["kind"] == "Service";
    if let Some(map) = object.as_object_mut() {
        map.remove("status");
    }
    if let Some(meta) = object["metadata"].as_object_mut() {
        meta.retain(|key, _| !OWN_LIFE.contains(&key.as_str()));
        if let Some(Value::Object(labels)) = meta.get_mut("labels") {
            labels.retain(|key, _| !VELERO_LABELS.contains(&key.as_str()));
        }
        meta.retain(|_, value| *value != serde_json::json!({}));
    }
    // A cluster gives out its own addresses; none is part of what a headless Service says.
    if is_service
        && object["spec"]["clusterIP"] != "None"
        && let Some(spec) = object["spec"].as_object_mut()
    {
        spec.retain(|key, _| key != "clusterIP" && key != "clusterIPs");
    }
    object
}

/// Compares objects, both ways.
///
/// # Errors
///
/// Names what is missing, what is there beside, and what differs, with both sides.
pub(crate) fn compare(
    expected: &BTreeMap<String, Value>,
    found: &BTreeMap<String, Value>,
) -> Result<()> {
    let mut wrong = Vec::new();
    for (name, object) in expected {
        match found.get(name) {
            None => wrong.push(format!("missing: {name}")),
            Some(other) if other != object => wrong.push(format!(
                "differs: {name}\n      expected {object}\n      found    {other}"
            )),
            Some(_) => {}
        }
    }
    let beside = found.keys().filter(|name| !expected.contains_key(*name));
    wrong.extend(beside.map(|name| format!("not on A: {name}")));
    if wrong.is_empty() {
        return Ok(());
    }
    let total = wrong.len();
    wrong.truncate(SHOWN_MAX);
    bail!(
        "of {} objects expected, {total} are not as on A:\n    {}",
        expected.len(),
        wrong.join("\n    ")
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(names: &[(&str, i32)]) -> BTreeMap<String, Value> {
        names
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect()
    }

    #[test]
    fn what_is_missing_differs_or_is_there_beside_is_named() {
        let expected = map(&[("a", 1), ("b", 2), ("c", 3)]);
        assert!(compare(&expected, &expected.clone()).is_ok());
        let found = map(&[("a", 1), ("b", 9), ("d", 4)]);
        let error = compare(&expected, &found).unwrap_err().to_string();
        for part in ["differs: b", "missing: c", "not on A: d"] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn an_object_is_compared_by_what_it_says_and_not_by_its_life() {
        let on_a = json!({
            "kind": "Service",
            "metadata": {"name": "s", "namespace": "n", "uid": "1", "generation": 3},
            "spec": {"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "type": "ClusterIP"},
        });
        let on_b = json!({
            "kind": "Service",
            "metadata": {"name": "s", "namespace": "n", "uid": "2", "labels": {"velero.io/restore-name": "r"}},
            "spec": {"clusterIP": "10.0.0.2", "clusterIPs": ["10.0.0.2"], "type": "ClusterIP"},
            "status": {"loadBalancer": {}},
        });
        assert_eq!(name(&on_a), "Service n/s");
        assert_eq!(normalised(on_a), normalised(on_b));
        let headless = json!({"kind": "Service", "metadata": {}, "spec": {"clusterIP": "None"}});
        assert_eq!(normalised(headless)["spec"]["clusterIP"], "None");
    }
}
