//! One answer for each group version: what every client understands.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;

use crate::discovery::entry::Entry;
use crate::discovery::entry::entries;
use crate::types::Types;
use crate::types::Versions;

/// How many bytes of a digest are shown.
const HASH_BYTES: usize = 8;

/// `/api`.
pub(crate) fn core_versions(address: &str) -> Value {
    json!({
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{ "clientCIDR": "0.0.0.0/0", "serverAddress": address }],
    })
}

/// `/apis`.
pub(crate) fn groups(types: &Types) -> Value {
    let groups: Vec<_> = types
        .groups()
        .iter()
        .filter(|(group, _)| !group.is_empty())
        .map(|(group, versions)| of_group(group, versions))
        .collect();
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
}

/// `/apis/GROUP`.
pub(crate) fn group(types: &Types, name: &str) -> Option<Value> {
    let (group, versions) = types.groups().iter().find(|(group, _)| group == name)?;
    let mut found = of_group(group, versions);
    found["kind"] = json!("APIGroup");
    found["apiVersion"] = json!("v1");
    Some(found)
}

fn of_group(group: &str, versions: &Versions) -> Value {
    let version = |version: &String| json!({ "groupVersion": format!("{group}/{version}"), "version": version });
    json!({
        "name": group,
        "versions": versions.iter().map(version).collect::<Vec<_>>(),
        "preferredVersion": versions.first().map(version),
    })
}

/// `/api/v1` and `/apis/GROUP/VERSION`.
pub(crate) fn resources(types: &Types, group: &str, version: &str) -> Option<Value> {
    if !types.knows_version(group, version) {
        return None;
    }
    let list: Vec<_> = entries(types, group, version)
        .iter()
        .map(resource)
        .collect();
    let mut found = json!({ "kind": "APIResourceList", "resources": list });
    if group.is_empty() {
        found["groupVersion"] = json!(version);
    } else {
        found["apiVersion"] = json!("v1");
        found["groupVersion"] = json!(format!("{group}/{version}"));
    }
    Some(found)
}

/// The mark by which clients notice that objects are stored in another version now.
fn storage_hash(stored: &str) -> String {
    let stored = match stored.matches('/').count() {
        // The core group is empty.
        1 => format!("/{stored}"),
        _ => stored.to_owned(),
    };
    STANDARD.encode(&Sha256::digest(stored.as_bytes())[..HASH_BYTES])
}

fn resource(entry: &Entry) -> Value {
    let mut found = json!({
        "name": entry.name,
        "singularName": entry.singular,
        "namespaced": entry.namespaced,
        "kind": entry.kind,
        "verbs": entry.verbs,
    });
    if let Some((group, version)) = entry.of {
        found["group"] = json!(group);
        found["version"] = json!(version);
    }
    if !entry.short_names.is_empty() {
        found["shortNames"] = json!(entry.short_names);
    }
    if !entry.categories.is_empty() {
        found["categories"] = json!(entry.categories);
    }
    if let Some(stored) = &entry.stored {
        found["storageVersionHash"] = json!(storage_hash(stored));
    }
    found
}
