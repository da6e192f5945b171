//! The three patches that say what to change.
//!
//! Server-side apply is none of them; see [`crate::owners`].

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::PatchError;
use crate::TypeInfo;
use crate::operations;
use crate::schema::Cursor;
use crate::schema::Merge;
use crate::schema::Shape;

/// What a part of a strategic merge patch does when it does not merge.
const DIRECTIVE: &str = "$patch";

/// The keys that stay; all others go.
const RETAIN_KEYS: &str = "$retainKeys";

/// In front of a list's name: the values that go.
const DELETE_VALUES: &str = "$deleteFromPrimitiveList/";

/// In front of a list's name: the order of its elements.
const ELEMENT_ORDER: &str = "$setElementOrder/";

/// Applies a JSON merge patch.
#[must_use]
pub fn merge_patch(original: &Value, patch: &Value) -> Value {
    let mut patched = original.clone();
    json_patch::merge(&mut patched, patch);
    patched
}

/// Applies a JSON patch.
///
/// # Errors
///
/// [`PatchError::BadRequest`] when it is no patch, [`PatchError::Unprocessable`] when one of its
/// operations or tests fails.
pub fn json_patch(original: &Value, patch: &Value) -> Result<Value, PatchError> {
    operations::carry_out(original, patch)
}

/// Applies a strategic merge patch: lists merge by the keys that the type names.
///
/// # Errors
///
/// When a directive is unknown, or an element lacks the key by which its list merges.
pub fn strategic_merge(
    ty: &TypeInfo,
    original: &Value,
    patch: &Value,
) -> Result<Value, PatchError> {
    let Value::Object(patch) = patch else {
        return Err(PatchError::BadRequest("the patch is no object".to_owned()));
    };
    merge_map(ty.schema.root(), original.as_object(), patch)
}

fn bad<T>(what: String) -> Result<T, PatchError> {
    Err(PatchError::BadRequest(what))
}

fn merge_map(
    at: Cursor<'_>,
    original: Option<&Map<String, Value>>,
    patch: &Map<String, Value>,
) -> Result<Value, PatchError> {
    match patch
        .get(DIRECTIVE)
        .map(|directive| directive.as_str().unwrap_or_default())
    {
        None | Some("merge") => {}
        Some("replace") => return Ok(Value::Object(without_directives(patch))),
        Some("delete") => return Ok(json!({})),
        Some(other) => return bad(format!("Unknown patch type: {other}")),
    }
    let mut merged = original.cloned().unwrap_or_default();
    if let Some(keys) = patch.get(RETAIN_KEYS).and_then(Value::as_array) {
        merged.retain(|key, _| keys.iter().any(|kept| kept == key.as_str()));
    }
    for (key, values) in patch {
        if let Some(list) = key.strip_prefix(DELETE_VALUES) {
            delete_values(&mut merged, list, values);
        }
    }
    for (key, change) in patch.iter().filter(|(key, _)| !key.starts_with('$')) {
        if change.is_null() {
            merged.remove(key);
            continue;
        }
        let child = at.child(key).unwrap_or(Cursor::untyped(true));
        let old = merged.get(key);
        let value = match (change, child.shape()) {
            (Value::Object(change), _) => merge_map(child, old.and_then(Value::as_object), change)?,
            (Value::Array(change), Shape::List(list)) => {
                let old = old.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                let order = patch
                    .get(&format!("{ELEMENT_ORDER}{key}"))
                    .and_then(Value::as_array);
                merge_list(child.item(), &list.merge, key, (old, change), order)?
            }
            (other, _) => other.clone(),
        };
        merged.insert(key.clone(), value);
    }
    // An order may come without a change.
    for (key, order) in patch {
        if let Some(list) = key.strip_prefix(ELEMENT_ORDER)
            && !patch.contains_key(list)
            && let (Some(order), Some(child)) = (order.as_array(), at.child(list))
            && let (Shape::List(shape), Some(Value::Array(values))) =
                (child.shape(), merged.get_mut(list))
        {
            let old = (std::mem::take(values), usize::MAX);
            *values = in_order(&shape.merge, old, &values_of(&shape.merge, order));
        }
    }
    Ok(Value::Object(merged))
}

fn without_directives(patch: &Map<String, Value>) -> Map<String, Value> {
    let plain = patch.iter().filter(|(key, _)| !key.starts_with('$'));
    plain
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn delete_values(merged: &mut Map<String, Value>, list: &str, gone: &Value) {
    if let (Some(Value::Array(values)), Value::Array(gone)) = (merged.get_mut(list), gone) {
        values.retain(|value| !gone.contains(value));
    }
}

fn merge_list(
    item: Cursor<'_>,
    merge: &Merge,
    name: &str,
    (old, change): (&[Value], &[Value]),
    order: Option<&Vec<Value>>,
) -> Result<Value, PatchError> {
    let mut values = old.to_vec();
    let mut old_len = old.len();
    let mut added: Vec<Value> = Vec::new();
    match merge {
        Merge::Replace => {
            let plain = change.iter().filter(|value| value[DIRECTIVE] != "replace");
            return Ok(Value::Array(plain.cloned().collect()));
        }
        Merge::Values => {
            let mut known: BTreeSet<String> = values.iter().map(Value::to_string).collect();
            for value in change {
                if known.insert(value.to_string()) {
                    values.push(value.clone());
                }
                added.push(value.clone());
            }
        }
        Merge::ByKey(key) => {
            if change.iter().any(|value| value[DIRECTIVE] == "replace") {
                let plain = change.iter().filter(|value| value[DIRECTIVE] != "replace");
                return Ok(Value::Array(plain.cloned().collect()));
            }
            let (deletions, others): (Vec<_>, Vec<_>) =
                change.iter().partition(|part| part[DIRECTIVE] == "delete");
            let of = |value: &Value| value[key.as_str()].to_string();
            let gone: BTreeSet<String> = deletions.into_iter().map(of).collect();
            values.retain(|value| !gone.contains(&of(value)));
            old_len = values.len();
            let mut places: BTreeMap<String, usize> = values
                .iter()
                .enumerate()
                .map(|(place, value)| (of(value), place))
                .collect();
            for part in others {
                let Some(found) = part.get(key).filter(|found| !found.is_null()) else {
                    return bad(format!(
                        "map: {part} does not contain declared merge key: {key}"
                    ));
                };
                added.push(found.clone());
                let place = places.get(&found.to_string()).copied();
                let merged = merge_element(item, name, place.map(|place| &values[place]), part)?;
                match place {
                    Some(place) => values[place] = merged,
                    None => {
                        places.insert(found.to_string(), values.len());
                        values.push(merged);
                    }
                }
            }
        }
    }
    let wanted = order.map_or(added, |order| values_of(merge, order));
    Ok(Value::Array(in_order(merge, (values, old_len), &wanted)))
}

fn merge_element(
    item: Cursor<'_>,
    name: &str,
    old: Option<&Value>,
    part: &Value,
) -> Result<Value, PatchError> {
    match (part[DIRECTIVE].as_str(), part) {
        (None | Some("merge"), Value::Object(change)) => {
            merge_map(item, old.and_then(Value::as_object), change)
        }
        (None | Some("merge"), _) => bad(format!("elements of {name} are objects")),
        (Some(other), _) => bad(format!("Unknown patch type: {other}")),
    }
}

/// What tells the elements apart.
fn identity(merge: &Merge, value: &Value) -> Value {
    match merge {
        Merge::ByKey(key) => value[key.as_str()].clone(),
        Merge::Values | Merge::Replace => value.clone(),
    }
}

fn values_of(merge: &Merge, values: &[Value]) -> Vec<Value> {
    values.iter().map(|value| identity(merge, value)).collect()
}

/// Brings a merged list into an order. Without one, what the patch names keeps the order of the
/// patch. An element that only the server has goes before the first named one that followed it.
fn in_order(merge: &Merge, (values, old_len): (Vec<Value>, usize), wanted: &[Value]) -> Vec<Value> {
    let places: BTreeMap<String, usize> = wanted
        .iter()
        .enumerate()
        .map(|(place, value)| (value.to_string(), place))
        .collect();
    let mut named = Vec::new();
    let mut others = VecDeque::new();
    for (stood, value) in values.into_iter().enumerate() {
        match places.get(&identity(merge, &value).to_string()) {
            Some(place) => named.push((*place, stood, value)),
            None => others.push_back((stood, value)),
        }
    }
    named.sort_by_key(|(place, stood, _)| (*place, *stood));
    let mut sorted = Vec::new();
    for (_, stood, value) in named {
        let was_there = stood < old_len;
        while was_there && others.front().is_some_and(|(other, _)| *other < stood) {
            sorted.extend(others.pop_front().map(|(_, value)| value));
        }
        sorted.push(value);
    }
    sorted.extend(others.into_iter().map(|(_, value)| value));
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtins;

    fn pod() -> &'static TypeInfo {
        builtins().iter().find(|ty| ty.kind == "Pod").unwrap()
    }

    fn names(object: &Value) -> Vec<&str> {
        let containers = object["spec"]["containers"].as_array().unwrap();
        containers
            .iter()
            .map(|container| container["name"].as_str().unwrap())
            .collect()
    }

    fn with(containers: Value) -> Value {
        json!({ "spec": { "containers": containers } })
    }

    #[test]
    fn a_keyed_list_merges_by_its_key_and_keeps_its_order() {
        let old = with(json!([{ "name": "a", "image": "1" }, { "name": "b" }, { "name": "c" }]));
        for (patch, wanted) in [
            (json!([{ "name": "b", "image": "2" }]), vec!["a", "b", "c"]),
            (json!([{ "name": "new" }]), vec!["new", "a", "b", "c"]),
            (
                json!([{ "name": "c" }, { "name": "a" }]),
                vec!["b", "c", "a"],
            ),
            (json!([{ "name": "b", "$patch": "delete" }]), vec!["a", "c"]),
            (json!([{ "$patch": "replace" }, { "name": "z" }]), vec!["z"]),
        ] {
            let merged = strategic_merge(pod(), &old, &with(patch.clone())).unwrap();
            assert_eq!(names(&merged), wanted, "{patch}");
        }
    }

    #[test]
    fn an_order_may_be_said() {
        let old = with(json!([{ "name": "a" }, { "name": "b" }]));
        let mut patch = with(json!([{ "name": "c" }]));
        patch["spec"]["$setElementOrder/containers"] =
            json!([{ "name": "c" }, { "name": "b" }, { "name": "a" }]);
        let merged = strategic_merge(pod(), &old, &patch).unwrap();
        assert_eq!(names(&merged), ["c", "b", "a"]);
    }

    #[test]
    fn values_of_a_set_come_and_go() {
        let old = json!({ "metadata": { "finalizers": ["a/b", "c/d"] } });
        let patch = json!({ "metadata": { "$deleteFromPrimitiveList/finalizers": ["a/b"], "finalizers": ["e/f"] } });
        let merged = strategic_merge(pod(), &old, &patch).unwrap();
        let mut left: Vec<_> = merged["metadata"]["finalizers"].as_array().unwrap().clone();
        left.sort_by_key(Value::to_string);
        assert_eq!(left, ["c/d", "e/f"]);
    }

    #[test]
    fn nonsense_is_refused() {
        let old = with(json!([{ "name": "a" }]));
        for patch in [
            with(json!([{ "image": "x" }])),
            with(json!([{ "name": "a", "$patch": "nope" }])),
            json!({ "spec": { "$patch": "nope" } }),
            json!([]),
        ] {
            assert!(
                matches!(
                    strategic_merge(pod(), &old, &patch),
                    Err(PatchError::BadRequest(_))
                ),
                "{patch}"
            );
        }
        assert!(matches!(
            json_patch(&old, &json!({})),
            Err(PatchError::BadRequest(_))
        ));
        let failing = json!([{ "op": "test", "path": "/spec", "value": 1 }]);
        assert!(matches!(
            json_patch(&old, &failing),
            Err(PatchError::Unprocessable(_))
        ));
    }
}
