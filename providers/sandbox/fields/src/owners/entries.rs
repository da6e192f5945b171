//! The entries of `metadata.managedFields`.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::json;

use super::set::Set;

/// How many writers by update are told apart; older ones become one.
const UPDATERS_MAX: usize = 10;

/// The name under which writers above that number are kept.
const OLD_UPDATERS: &str = "ancient-changes";

/// Who wrote: the entry of one writer in one way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Writer {
    pub(crate) manager: String,
    pub(crate) applied: bool,
    /// Empty for those who apply: they keep their entry across versions.
    pub(crate) version: String,
    pub(crate) subresource: String,
}

impl Writer {
    pub(crate) fn applier(manager: &str, subresource: Option<&str>) -> Self {
        Self::new(manager, true, "", subresource)
    }

    pub(crate) fn updater(manager: &str, version: &str, subresource: Option<&str>) -> Self {
        Self::new(manager, false, version, subresource)
    }

    fn new(manager: &str, applied: bool, version: &str, subresource: Option<&str>) -> Self {
        let manager = if manager.is_empty() {
            "unknown"
        } else {
            manager
        };
        Self {
            manager: manager.to_owned(),
            applied,
            version: if applied {
                String::new()
            } else {
                version.to_owned()
            },
            subresource: subresource.unwrap_or_default().to_owned(),
        }
    }
}

/// What one writer owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owned {
    pub(crate) set: Set,
    pub(crate) version: String,
    pub(crate) time: Option<String>,
}

/// What each writer owns.
pub(crate) type Owners = BTreeMap<Writer, Owned>;

/// Reads the entries of an object; `None` if one of them makes no sense.
pub(crate) fn read(object: Option<&Value>) -> Option<Owners> {
    let mut owners = Owners::new();
    let entries = object.and_then(|object| object["metadata"]["managedFields"].as_array());
    for entry in entries.into_iter().flatten() {
        let text = |name: &str| entry[name].as_str().unwrap_or_default();
        let applied = match text("operation") {
            "Apply" => true,
            "Update" => false,
            _ => return None,
        };
        if text("apiVersion").is_empty() || text("fieldsType") != "FieldsV1" {
            return None;
        }
        let writer = Writer {
            manager: text("manager").to_owned(),
            applied,
            version: if applied {
                String::new()
            } else {
                text("apiVersion").to_owned()
            },
            subresource: text("subresource").to_owned(),
        };
        let owned = Owned {
            set: Set::read(&entry["fieldsV1"]),
            version: text("apiVersion").to_owned(),
            time: entry["time"].as_str().map(str::to_owned),
        };
        owners.insert(writer, owned);
    }
    Some(owners)
}

/// Writes the entries into an object, those who apply first, then the oldest first.
pub(crate) fn write(object: &mut Value, owners: &Owners) {
    let Some(object) = object.as_object_mut() else {
        return;
    };
    let meta = object.entry("metadata").or_insert_with(|| json!({}));
    if meta.is_null() {
        *meta = json!({});
    }
    let Some(meta) = meta.as_object_mut() else {
        return;
    };
    if owners.is_empty() {
        meta.remove("managedFields");
        return;
    }
    let mut entries: Vec<_> = owners.iter().collect();
    entries.sort_by(order);
    let entries = entries
        .into_iter()
        .map(|(writer, owned)| entry(writer, owned))
        .collect();
    meta.insert("managedFields".to_owned(), Value::Array(entries));
}

fn order(left: &(&Writer, &Owned), right: &(&Writer, &Owned)) -> Ordering {
    let key = |(writer, owned): &(&Writer, &Owned)| {
        (
            !writer.applied,
            owned.time.clone(),
            writer.manager.clone(),
            owned.version.clone(),
            writer.subresource.clone(),
        )
    };
    key(left).cmp(&key(right))
}

fn entry(writer: &Writer, owned: &Owned) -> Value {
    let mut entry = json!({
        "manager": writer.manager,
        "operation": if writer.applied { "Apply" } else { "Update" },
        "apiVersion": owned.version,
        "fieldsType": "FieldsV1",
        "fieldsV1": owned.set.write(),
    });
    if let Some(time) = &owned.time {
        entry["time"] = json!(time);
    }
    if !writer.subresource.is_empty() {
        entry["subresource"] = json!(writer.subresource);
    }
    entry
}

/// Puts the oldest updaters together when there are too many.
pub(crate) fn cap(owners: &mut Owners) {
    let mut updaters: Vec<_> = owners
        .iter()
        .filter(|(writer, _)| !writer.applied)
        .map(|(writer, owned)| (owned.time.clone(), writer.clone()))
        .collect();
    updaters.sort();
    let mut first_of_version: BTreeMap<String, Writer> = BTreeMap::new();
    let mut left = updaters.len();
    for (_, writer) in updaters {
        if left <= UPDATERS_MAX {
            return;
        }
        let bucket = Writer::updater(OLD_UPDATERS, &writer.version, None);
        match first_of_version.get(&writer.version) {
            None => {
                first_of_version.insert(writer.version.clone(), writer);
            }
            Some(first) => {
                if !owners.contains_key(&bucket)
                    && let Some(owned) = owners.remove(first)
                {
                    owners.insert(bucket.clone(), owned);
                }
                if let Some(younger) = owners.remove(&writer)
                    && let Some(owned) = owners.get_mut(&bucket)
                {
                    owned.set = owned.set.union(&younger.set);
                    owned.time = younger.time;
                }
                left -= 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_of_too_many_updaters_become_one() {
        let mut owners = Owners::new();
        for number in 0..12 {
            let owned = Owned {
                set: Set::of_paths(&[&["data", &number.to_string()]]),
                version: "v1".to_owned(),
                time: Some(format!("2026-01-01T00:00:{number:02}Z")),
            };
            owners.insert(Writer::updater(&format!("m{number}"), "v1", None), owned);
        }
        cap(&mut owners);
        assert_eq!(owners.len(), UPDATERS_MAX);
        let old = &owners[&Writer::updater(OLD_UPDATERS, "v1", None)];
        assert_eq!(old.set.paths(), [".data.0", ".data.1", ".data.2"]);
        assert_eq!(old.time.as_deref(), Some("2026-01-01T00:00:02Z"));
    }
}
