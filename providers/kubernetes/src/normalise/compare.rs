//! Compares what is wanted with what is there, on the fields that are wanted.

use drplan_api::Json;
use drplan_api::is_hole;
use serde_json::Map;

use super::quantity;
use super::tables::tables;

/// What stands in a diff where a value is not known before the step runs.
const LATER: &str = "(known after apply)";
/// What stands in a diff where a secret will be filled in.
const SECRET: &str = "(secret)";

/// Whether lists may be matched by keys: only kinds of Kubernetes itself are known to merge so.
pub(super) fn merges(object: &Json) -> bool {
    let api_version = object["apiVersion"].as_str().unwrap_or_default();
    crate::is_built_in_group(crate::split_api_version(api_version).0)
}

/// Lists the paths at which `live` does not have what `want` sets. A secret that is filled in at apply
/// counts as equal wherever live has a value, because it cannot be compared without opening it; any
/// other hole counts as different.
pub(crate) fn differences(want: &Json, live: &Json) -> Vec<String> {
    let mut out = Vec::new();
    let mut walk = Walk {
        merges: merges(want),
        out: &mut out,
    };
    walk.value(want, Some(live), "", &mut String::new());
    out
}

struct Walk<'a> {
    merges: bool,
    out: &'a mut Vec<String>,
}

impl Walk<'_> {
    /// `field` is the name of the innermost map key, which chooses the rule for lists and quantities.
    fn value(&mut self, want: &Json, live: Option<&Json>, field: &str, at: &mut String) {
        let length = at.len();
        if let Some(hole) = is_hole(want) {
            let settled = hole.secret && hole.after.is_empty();
            if live.is_none() || !settled {
                self.out.push(at.clone());
            }
            return;
        }
        match (want, live) {
            (Json::Null, None | Some(Json::Null)) => {}
            (want, None | Some(Json::Null)) if is_empty(want) => {}
            (Json::Object(want), Some(Json::Object(live))) => {
                for (key, value) in want {
                    at.push('.');
                    at.push_str(key);
                    let equal = is_quantity_map(field)
                        && live.get(key).is_some_and(|l| quantity::equal(value, l));
                    if !equal {
                        self.value(value, live.get(key), key, at);
                    }
                    at.truncate(length);
                }
            }
            (Json::Array(want), Some(Json::Array(live))) => self.list(want, live, field, at),
            (want, Some(live)) if scalars_equal(want, live, field) => {}
            _ => self.out.push(at.clone()),
        }
    }

    fn list(&mut self, want: &[Json], live: &[Json], field: &str, at: &mut String) {
        let length = at.len();
        let keys = if self.merges { keys(field, want) } else { None };
        if let Some(keys) = keys {
            for element in want {
                step(at, &key_text(keys, element));
                let found = live.iter().find(|l| same_key(keys, element, l));
                self.value(element, found, "", at);
                at.truncate(length);
            }
        } else if self.merges && tables().sets.iter().any(|s| s == field) {
            if want.iter().any(|w| !live.contains(w)) {
                self.out.push(at.clone());
            }
        } else if want.len() == live.len() {
            for (i, (want, live)) in want.iter().zip(live).enumerate() {
                step(at, &i.to_string());
                self.value(want, Some(live), field, at);
                at.truncate(length);
            }
        } else {
            self.out.push(at.clone());
        }
    }
}

fn step(at: &mut String, element: &str) {
    at.push('[');
    at.push_str(element);
    at.push(']');
}

fn is_empty(json: &Json) -> bool {
    match json {
        Json::Object(map) => map.is_empty(),
        Json::Array(list) => list.is_empty(),
        _ => false,
    }
}

pub(super) fn scalars_equal(want: &Json, live: &Json, field: &str) -> bool {
    if want == live {
        return true;
    }
    match (want, live) {
        // A port may be given as text or as a number; an integer may come back without its fraction.
        (Json::Number(n), Json::String(s)) | (Json::String(s), Json::Number(n)) => {
            n.to_string() == *s || is_quantity(field) && quantity::equal(want, live)
        }
        (Json::Number(a), Json::Number(b)) => a.as_f64() == b.as_f64(),
        _ => is_quantity(field) && quantity::equal(want, live),
    }
}

/// Tells whether the values of a map are quantities.
pub(super) fn is_quantity_map(field: &str) -> bool {
    tables().quantity_maps.iter().any(|m| m == field)
}

fn is_quantity(field: &str) -> bool {
    tables().quantity_fields.iter().any(|f| f == field)
}

/// Returns the keys by which the elements of a list are matched, if all elements have the first.
pub(super) fn keys(field: &str, elements: &[Json]) -> Option<&'static [String]> {
    let alternatives = tables().merge_keys.get(field)?;
    let fits = |keys: &&Vec<String>| {
        keys.first()
            .is_some_and(|first| elements.iter().all(|e| e.get(first).is_some()))
    };
    alternatives.iter().find(fits).map(Vec::as_slice)
}

pub(super) fn key_of<'a>(key: &str, element: &'a Json) -> Option<&'a Json> {
    element
        .get(key)
        .or_else(|| tables().merge_key_defaults.get(key))
}

fn same_key(keys: &[String], a: &Json, b: &Json) -> bool {
    keys.iter().all(|key| key_of(key, a) == key_of(key, b))
}

fn key_text(keys: &[String], element: &Json) -> String {
    let text = |key| match key_of(key, element) {
        Some(Json::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    keys.iter().map(|k| text(k)).collect::<Vec<_>>().join("/")
}

/// Puts what is wanted over what is there, as an apply would. Holes become words.
pub(crate) fn overlay(want: &Json, live: &Json) -> Json {
    put(want, Some(live), "", merges(want))
}

fn put(want: &Json, live: Option<&Json>, field: &str, merging: bool) -> Json {
    if let Some(hole) = is_hole(want) {
        return match live {
            Some(live) if hole.secret && hole.after.is_empty() => live.clone(),
            _ if hole.secret => SECRET.into(),
            _ => LATER.into(),
        };
    }
    match (want, live) {
        (Json::Object(want), live) => {
            let mut out = live.and_then(Json::as_object).cloned().unwrap_or_default();
            for (key, value) in want {
                let value = put(value, out.get(key), key, merging);
                out.insert(key.clone(), value);
            }
            Json::Object(out)
        }
        (Json::Array(want), live) => {
            let old = live.and_then(Json::as_array).map(Vec::as_slice);
            Json::Array(put_list(want, old.unwrap_or_default(), field, merging))
        }
        (scalar, _) => scalar.clone(),
    }
}

fn put_list(want: &[Json], live: &[Json], field: &str, merging: bool) -> Vec<Json> {
    let keys = if merging { keys(field, want) } else { None };
    let Some(keys) = keys else {
        let element = |(i, w)| put(w, live.get(i), field, merging);
        return want.iter().enumerate().map(element).collect();
    };
    let mut out = live.to_vec();
    for element in want {
        match out.iter_mut().find(|l| same_key(keys, element, l)) {
            Some(old) => *old = put(element, Some(old), "", merging),
            None => out.push(put(element, None, "", merging)),
        }
    }
    out
}

/// Returns of `live` only what `want` sets, so that a change elsewhere changes nothing.
pub(crate) fn project(want: &Json, live: &Json) -> Json {
    cut(want, live, "", merges(want))
}

fn cut(want: &Json, live: &Json, field: &str, merging: bool) -> Json {
    match (want, live) {
        (want, live) if is_hole(want).is_some() => live.clone(),
        (Json::Object(want), Json::Object(live)) => {
            let mut out = Map::new();
            for (key, value) in want {
                if let Some(live) = live.get(key) {
                    out.insert(key.clone(), cut(value, live, key, merging));
                }
            }
            Json::Object(out)
        }
        (Json::Array(want), Json::Array(live)) => {
            let keys = if merging { keys(field, want) } else { None };
            let Some(keys) = keys else {
                return Json::Array(live.clone());
            };
            let found = want.iter().filter_map(|w| {
                let live = live.iter().find(|l| same_key(keys, w, l))?;
                Some(cut(w, live, "", merging))
            });
            Json::Array(found.collect())
        }
        (_, live) => live.clone(),
    }
}
