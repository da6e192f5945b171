//! All groups with all their resources in one answer.

use serde_json::Value;
use serde_json::json;

use crate::accept::Aggregated;
use crate::discovery::entry::Entry;
use crate::discovery::entry::entries;
use crate::types::Types;

/// `/api` (the core group) or `/apis` (all others) for who wants them at once.
pub(crate) fn aggregated(types: &Types, core: bool, form: Aggregated) -> Value {
    let items: Vec<_> = types
        .groups()
        .iter()
        .filter(|(group, _)| group.is_empty() == core)
        .map(|(group, versions)| {
            let versions: Vec<_> = versions
                .iter()
                .map(|version| of_version(types, group, version))
                .collect();
            let metadata = if core {
                json!({})
            } else {
                json!({ "name": group })
            };
            json!({ "metadata": metadata, "versions": versions })
        })
        .collect();
    let version = match form {
        Aggregated::V2 => "apidiscovery.k8s.io/v2",
        Aggregated::V2Beta1 => "apidiscovery.k8s.io/v2beta1",
    };
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": version,
        "metadata": {},
        "items": items,
    })
}

fn of_version(types: &Types, group: &str, version: &str) -> Value {
    let all = entries(types, group, version);
    let own = match types.is_builtin_group(group) {
        true => ("", ""),
        false => (group, version),
    };
    let resources: Vec<_> = all
        .iter()
        .filter(|entry| !entry.name.contains('/'))
        .map(|entry| resource(own, entry, &all))
        .collect();
    json!({ "version": version, "resources": resources, "freshness": "Current" })
}

fn resource(own: (&str, &str), entry: &Entry, all: &[Entry]) -> Value {
    let scope = if entry.namespaced {
        "Namespaced"
    } else {
        "Cluster"
    };
    let mut found = json!({
        "resource": entry.name,
        "responseKind": kind(own, entry),
        "scope": scope,
        "singularResource": entry.singular,
        "verbs": entry.verbs,
    });
    if !entry.short_names.is_empty() {
        found["shortNames"] = json!(entry.short_names);
    }
    if !entry.categories.is_empty() {
        found["categories"] = json!(entry.categories);
    }
    let subs: Vec<_> = all
        .iter()
        .filter_map(|sub| {
            let (of, name) = sub.name.split_once('/')?;
            (of == entry.name).then(|| {
                json!({
                    "subresource": name,
                    "responseKind": kind(own, sub),
                    "verbs": sub.verbs,
                })
            })
        })
        .collect();
    if !subs.is_empty() {
        found["subresources"] = json!(subs);
    }
    found
}

/// The kind of an answer; built-in resources say group and version only where they are others.
fn kind(own: (&str, &str), entry: &Entry) -> Value {
    let (group, version) = entry.of.unwrap_or(own);
    json!({ "group": group, "version": version, "kind": entry.kind })
}
