//! Brings two objects into one order and one spelling before they are shown side by side, so that a
//! reader sees what is different and nothing else.

use drplan_api::Json;
use serde_json::Map;

use super::compare::is_quantity_map;
use super::compare::key_of;
use super::compare::keys;
use super::compare::merges;
use super::compare::scalars_equal;
use super::quantity;
use super::tables::tables;

/// The one key of what stands for a value that the server would fill in too.
const DEFAULT: &str = "$default";

/// Wraps a value that the server would fill in too, so that [`align`] can tell it from others.
pub(super) fn default(value: Json) -> Json {
    Json::Object(Map::from_iter([(DEFAULT.to_owned(), value)]))
}

/// Puts `after` into the order and spelling of `before`, and leaves a default standing only where the
/// other side has another value: where it has none, the server fills the same in.
pub(super) fn align(before: &mut Json, after: &mut Json) {
    let walk = Walk {
        merges: merges(before) || merges(after),
    };
    walk.value(before, after, "");
}

struct Walk {
    merges: bool,
}

impl Walk {
    /// `field` is the name of the innermost map key, as where objects are compared.
    fn value(&self, before: &mut Json, after: &mut Json, field: &str) {
        match (before, after) {
            (Json::Object(before), Json::Object(after)) => self.map(before, after, field),
            (Json::Array(before), Json::Array(after)) => self.list(before, after, field),
            (before, after) if scalars_equal(after, before, field) => *after = before.clone(),
            (before, after) => {
                drop_defaults(before);
                drop_defaults(after);
            }
        }
    }

    fn map(&self, before: &mut Map<String, Json>, after: &mut Map<String, Json>, field: &str) {
        drop_lone(before, after);
        drop_lone(after, before);
        for (key, before) in before.iter_mut() {
            let Some(after) = after.get_mut(key) else {
                drop_defaults(before);
                continue;
            };
            unwrap(before);
            unwrap(after);
            if is_quantity_map(field) && quantity::equal(before, after) {
                *after = before.clone();
            } else {
                self.value(before, after, key);
            }
        }
        for (key, after) in after.iter_mut() {
            if !before.contains_key(key) {
                drop_defaults(after);
            }
        }
    }

    fn list(&self, before: &mut [Json], after: &mut [Json], field: &str) {
        let is_set = self.merges && tables().sets.iter().any(|s| s == field);
        if is_set {
            order(before, after, |a, b| a == b);
        } else if let Some(keys) = self.common_keys(before, after, field) {
            order(before, after, |a, b| same_key(keys, a, b));
            for before in before.iter_mut() {
                match after.iter_mut().find(|a| same_key(keys, before, a)) {
                    Some(after) => self.value(before, after, ""),
                    None => drop_defaults(before),
                }
            }
        } else if before.len() == after.len() {
            for (before, after) in before.iter_mut().zip(after.iter_mut()) {
                self.value(before, after, field);
            }
        }
        // What is on one side alone.
        before.iter_mut().for_each(drop_defaults);
        after.iter_mut().for_each(drop_defaults);
    }

    /// The keys by which the elements of both lists are matched, if no two of one side have the same.
    fn common_keys(
        &self,
        before: &[Json],
        after: &[Json],
        field: &str,
    ) -> Option<&'static [String]> {
        let found = keys(field, before).filter(|_| self.merges)?;
        let unique = |list: &[Json]| {
            let twice = |(i, a): (usize, &Json)| list[..i].iter().any(|b| same_key(found, a, b));
            !list.iter().enumerate().any(twice)
        };
        let fits = keys(field, after) == Some(found) && unique(before) && unique(after);
        fits.then_some(found)
    }
}

/// Whether two elements have the same keys, where a key may be a default.
fn same_key(keys: &[String], a: &Json, b: &Json) -> bool {
    keys.iter().all(|key| bare_key(key, a) == bare_key(key, b))
}

fn bare_key<'a>(key: &str, element: &'a Json) -> Option<&'a Json> {
    let value = key_of(key, element)?;
    Some(value.get(DEFAULT).unwrap_or(value))
}

/// Puts the elements that both lists have into the order of the first, in front of new ones.
fn order(before: &[Json], after: &mut [Json], same: impl Fn(&Json, &Json) -> bool) {
    after.sort_by_cached_key(|a| {
        let place = before.iter().position(|b| same(a, b));
        place.unwrap_or(before.len())
    });
}

/// Drops defaults that the other side has as well, or has nothing for.
fn drop_lone(map: &mut Map<String, Json>, other: &mut Map<String, Json>) {
    map.retain(|key, value| {
        let is_lone = is_default(value) && other.get(key).is_none_or(is_default);
        if is_lone {
            other.remove(key);
        }
        !is_lone
    });
}

fn is_default(value: &Json) -> bool {
    let map = value.as_object();
    map.is_some_and(|map| map.len() == 1 && map.contains_key(DEFAULT))
}

/// Shows a default, because the other side has another value there.
fn unwrap(value: &mut Json) {
    if is_default(value) {
        *value = value[DEFAULT].take();
    }
}

fn drop_defaults(value: &mut Json) {
    match value {
        Json::Object(map) => {
            map.retain(|_, v| !is_default(v));
            map.values_mut().for_each(drop_defaults);
        }
        Json::Array(list) => list.iter_mut().for_each(drop_defaults),
        _ => {}
    }
}
