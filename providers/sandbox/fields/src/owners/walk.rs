//! Walks over typed values: what differs, what is merged, what is set, what is taken away.
//!
//! The rules are those of structured merge: an atomic value is one field, a granular map is owned
//! key by key, a keyed list element by element. One walk visits every value once.

use std::collections::BTreeMap;

use serde_json::Map;
use serde_json::Value;

use super::set::Element;
use super::set::Entry;
use super::set::Set;
use crate::normal;
use crate::schema::Cursor;
use crate::schema::Order;
use crate::schema::Shape;

/// How a value is walked. A value of which nothing is known is walked as what it is.
enum Atom<'a> {
    Scalar,
    List(Option<&'a Order>),
    Map { atomic: bool },
}

impl Atom<'_> {
    fn of<'a>(at: Cursor<'a>, value: Option<&Value>) -> Atom<'a> {
        match at.shape() {
            Shape::Scalar(_) => Atom::Scalar,
            Shape::List(list) => Atom::List(Some(&list.order)),
            Shape::Record(record) => Atom::Map {
                atomic: record.atomic,
            },
            Shape::Map { atomic, .. } => Atom::Map { atomic: *atomic },
            Shape::Any { granular } => match value {
                Some(Value::Array(_)) => Atom::List(None),
                None | Some(Value::Object(_) | Value::Null) => Atom::Map { atomic: !granular },
                Some(_) => Atom::Scalar,
            },
            // A cursor never stands on one.
            Shape::Builtin(_) => Atom::Map { atomic: true },
        }
    }

    fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// What stands in the elements of a list that are told apart.
pub(super) fn told_apart(order: Option<&Order>) -> Option<&Order> {
    order.filter(|order| **order != Order::Atomic)
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn entries(value: Option<&Value>) -> Option<&Map<String, Value>> {
    value
        .and_then(Value::as_object)
        .filter(|map| !map.is_empty())
}

/// The step that leads to an element of a list.
///
/// # Errors
///
/// Says in the real server's words what keeps the element from being told apart.
pub(super) fn element(order: &Order, item: Cursor<'_>, value: &Value) -> Result<Element, String> {
    let Order::Keyed(keys) = order else {
        return match value {
            Value::Object(_) => {
                Err("associative list without keys has an element that's a map type".to_owned())
            }
            Value::Array(_) => {
                Err("not supported: associative list with lists as elements".to_owned())
            }
            Value::Null => Err(
                "associative list without keys has an element that's an explicit null".to_owned(),
            ),
            scalar => Ok(Element::value(scalar)),
        };
    };
    let Value::Object(map) = value else {
        let what = if value.is_null() {
            "a null element"
        } else {
            "non-map elements"
        };
        return Err(format!("associative list with keys may not have {what}"));
    };
    let mut found = Map::new();
    for key in keys {
        let value = map.get(key).cloned();
        let default = || key_default(item, key);
        if let Some(value) = value.or_else(default) {
            found.insert(key.clone(), value);
        }
    }
    if found.is_empty() {
        let quoted: Vec<_> = keys.iter().map(|key| format!("{key:?}")).collect();
        return Err(format!(
            "associative list with keys has an element that omits all key fields [{}] (and doesn't \
             have default values for any key fields)",
            quoted.join(" ")
        ));
    }
    Ok(Element::key(found))
}

/// What a key field is when it is absent; one that is always written has its zero value.
fn key_default(item: Cursor<'_>, key: &str) -> Option<Value> {
    let (field, at) = item.declared(key)?;
    let zero = || (field.written && !field.optional).then(|| normal::zero(at));
    at.node().default.clone().or_else(zero)
}

/// Whether two values are the same; a whole number is the same written as a fraction.
pub(crate) fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left == right || left.as_f64() == right.as_f64()
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, left)| right.get(key).is_some_and(|right| same(left, right)))
        }
        _ => left == right,
    }
}

/// Which fields a change removed, changed or added.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    pub(crate) removed: Set,
    pub(crate) modified: Set,
    pub(crate) added: Set,
}

#[derive(Default)]
struct Difference {
    removed: Entry,
    modified: Entry,
    added: Entry,
}

impl Difference {
    fn put(&mut self, element: &Element, below: Self) {
        self.removed.below.put(element.clone(), below.removed);
        self.modified.below.put(element.clone(), below.modified);
        self.added.below.put(element.clone(), below.added);
    }

    fn leaf(&mut self, old: Option<&Value>, new: Option<&Value>) {
        match (old, new) {
            (None, _) => self.added.member = true,
            (_, None) => self.removed.member = true,
            (Some(old), Some(new)) => self.modified.member |= !same(old, new),
        }
    }
}

/// Compares two objects.
pub(crate) fn compare(at: Cursor<'_>, old: &Value, new: &Value) -> Comparison {
    let difference = difference(at, Some(old), Some(new));
    Comparison {
        removed: difference.removed.below,
        modified: difference.modified.below,
        added: difference.added.below,
    }
}

fn difference(at: Cursor<'_>, old: Option<&Value>, new: Option<&Value>) -> Difference {
    let mut found = Difference::default();
    let (old_atom, new_atom) = (Atom::of(at, old), Atom::of(at, new));
    let leaf = if new.is_none() {
        differ_as(&old_atom, at, old, new, &mut found)
    } else {
        if old.is_some() && !old_atom.is_like(&new_atom) {
            differ_as(&old_atom, at, old, new, &mut found);
        }
        differ_as(&new_atom, at, old, new, &mut found)
    };
    if !leaf {
        found.added.member |= old.is_none();
        found.removed.member |= new.is_none();
    }
    found
}

/// Returns whether the value was compared as a whole.
fn differ_as(
    atom: &Atom<'_>,
    at: Cursor<'_>,
    old: Option<&Value>,
    new: Option<&Value>,
    found: &mut Difference,
) -> bool {
    match atom {
        Atom::List(order) if let Some(order) = told_apart(*order) => {
            let (old_items, new_items) = (list(old), list(new));
            // Nothing and an empty list differ, and only as a whole.
            if old_items.is_empty() && new_items.is_empty() {
                found.leaf(old, new);
                return true;
            }
            differ_in_elements(order, at.item(), old_items, new_items, found);
            false
        }
        Atom::Map { atomic: false } => {
            let (old_map, new_map) = (entries(old), entries(new));
            if old_map.is_none() && new_map.is_none() {
                found.leaf(old, new);
                return true;
            }
            for (key, old) in old_map.into_iter().flatten() {
                let new = new_map.and_then(|map| map.get(key));
                differ_at_key(at, key, Some(old), new, found);
            }
            for (key, new) in new_map.into_iter().flatten() {
                if old_map.is_none_or(|map| !map.contains_key(key)) {
                    differ_at_key(at, key, None, Some(new), found);
                }
            }
            false
        }
        _ => {
            found.leaf(old, new);
            true
        }
    }
}

fn differ_at_key(
    at: Cursor<'_>,
    key: &str,
    old: Option<&Value>,
    new: Option<&Value>,
    found: &mut Difference,
) {
    let child = at.child(key).unwrap_or(Cursor::untyped(true));
    found.put(&Element::field(key), difference(child, old, new));
}

/// The elements of a list by what tells them apart; several where it does not.
fn by_element<'v>(
    order: &Order,
    item: Cursor<'_>,
    values: &'v [Value],
) -> BTreeMap<Element, Vec<&'v Value>> {
    let mut found: BTreeMap<Element, Vec<&Value>> = BTreeMap::new();
    for value in values {
        if let Ok(element) = element(order, item, value) {
            found.entry(element).or_default().push(value);
        }
    }
    found
}

fn differ_in_elements(
    order: &Order,
    item: Cursor<'_>,
    old: &[Value],
    new: &[Value],
    found: &mut Difference,
) {
    let old = by_element(order, item, old);
    let mut new = by_element(order, item, new);
    for (element, old) in old {
        let new = new.remove(&element).unwrap_or_default();
        let mut below = match (old.as_slice(), new.as_slice()) {
            ([old], []) => difference(item, Some(old), None),
            ([old], [new]) => difference(item, Some(old), Some(new)),
            // Elements that cannot be told apart are compared as one, and lose what was in them.
            ([old], _) => difference(item, Some(old), None),
            (_, [new]) => difference(item, None, Some(new)),
            _ => Difference::default(),
        };
        match (old.len() > 1, new.len() > 1) {
            (true, true) => below.modified.member |= old != new,
            (true, false) => below.removed.member = true,
            (false, true) => below.added.member = true,
            (false, false) => {}
        }
        found.put(&element, below);
    }
    for (element, new) in new {
        let mut below = Difference::default();
        match new.as_slice() {
            [new] => below = difference(item, None, Some(new)),
            _ => below.added.member = true,
        }
        found.put(&element, below);
    }
}

/// The fields that a configuration sets.
pub(crate) fn fields(at: Cursor<'_>, value: &Value) -> Set {
    set_by(at, value).below
}

fn set_by(at: Cursor<'_>, value: &Value) -> Entry {
    let mut entry = Entry::default();
    match Atom::of(at, Some(value)) {
        Atom::List(order) if let Some(order) = told_apart(order) => {
            for (element, values) in by_element(order, at.item(), list(Some(value))) {
                let mut below = match values.as_slice() {
                    [one] => set_by(at.item(), one),
                    _ => Entry::default(),
                };
                below.member = true;
                entry.below.put(element, below);
            }
        }
        Atom::Map { atomic: false } => {
            for (key, value) in value.as_object().into_iter().flatten() {
                let child = at.child(key).unwrap_or(Cursor::untyped(true));
                let mut below = set_by(child, value);
                let is_empty = value.is_null() || value.as_object().is_some_and(Map::is_empty);
                below.member |= is_empty || at.declared(key).is_none();
                entry.below.put(Element::field(key), below);
            }
        }
        _ => entry.member = true,
    }
    entry
}

/// A configuration merged into an object; `None` if nothing is left.
pub(crate) fn merge(at: Cursor<'_>, live: Option<&Value>, config: Option<&Value>) -> Option<Value> {
    let whole = || config.or(live).cloned();
    match Atom::of(at, config.or(live)) {
        Atom::List(order) if let Some(order) = told_apart(order) => {
            let (live, config) = (list(live), list(config));
            if live.is_empty() && config.is_empty() {
                return whole();
            }
            let merged = merge_elements(order, at.item(), live, config);
            (!merged.is_empty()).then_some(Value::Array(merged))
        }
        Atom::Map { atomic: false } => {
            let (live, config) = (entries(live), entries(config));
            if live.is_none() && config.is_none() {
                return whole();
            }
            let mut merged = Map::new();
            let mut put = |key: &String, live: Option<&Value>, config: Option<&Value>| {
                let child = at.child(key).unwrap_or(Cursor::untyped(true));
                if let Some(value) = merge(child, live, config) {
                    merged.insert(key.clone(), value);
                }
            };
            for (key, live) in live.into_iter().flatten() {
                put(key, Some(live), config.and_then(|map| map.get(key)));
            }
            for (key, config) in config.into_iter().flatten() {
                if live.is_none_or(|map| !map.contains_key(key)) {
                    put(key, None, Some(config));
                }
            }
            (!merged.is_empty()).then_some(Value::Object(merged))
        }
        _ => whole(),
    }
}

/// Merges two lists whose elements are told apart. The order of the configuration wins among what
/// both have; what only the object has keeps its place before its successor.
fn merge_elements(order: &Order, item: Cursor<'_>, live: &[Value], config: &[Value]) -> Vec<Value> {
    let index = |value| element(order, item, value).ok();
    let (live, live_order): (Vec<&Value>, Vec<Element>) = live
        .iter()
        .filter_map(|value| Some((value, index(value)?)))
        .unzip();
    let config_order: Vec<Element> = config.iter().filter_map(index).collect();
    let mut live_by: BTreeMap<&Element, Vec<&Value>> = BTreeMap::new();
    for (element, value) in live_order.iter().zip(&live) {
        live_by.entry(element).or_default().push(value);
    }
    let config_by = by_element(order, item, config);
    let live_of = |element: &Element| match live_by.get(element).map(Vec::as_slice) {
        Some([one]) => Some(*one),
        // Doubled elements are not merged into; the configuration replaces them.
        _ => None,
    };
    let config_of = |element: &Element| {
        config_by
            .get(element)
            .and_then(|values| values.first().copied())
    };
    let mut shared = config_order
        .iter()
        .filter(|element| live_by.contains_key(element));
    let mut next_shared = shared.next();
    let mut taken: BTreeMap<&Element, ()> = BTreeMap::new();
    let mut merged = Vec::new();
    let (mut l, mut c) = (0, 0);
    while l < live_order.len() || c < config_order.len() {
        if l < live_order.len() && c < config_order.len() {
            let element = &live_order[l];
            if *element == config_order[c] {
                taken.insert(element, ());
                merged.extend(merge(item, live_of(element), config_of(element)));
                (l, c) = (l + 1, c + 1);
                next_shared = shared.next();
                continue;
            }
            if config_by.contains_key(element) && next_shared.is_some_and(|next| next != element) {
                l += 1;
                continue;
            }
        }
        if l < live_order.len() {
            let element = &live_order[l];
            if !config_by.contains_key(element) {
                merged.extend(merge(item, Some(live[l]), None));
                l += 1;
                continue;
            }
            if taken.contains_key(element) {
                l += 1;
            }
        }
        if c < config_order.len() {
            let element = &config_order[c];
            taken.insert(element, ());
            merged.extend(merge(item, live_of(element), config_of(element)));
            c += 1;
            if next_shared == Some(element) {
                next_shared = shared.next();
            }
        }
    }
    merged
}

/// An object without the fields of a set; `Null` where nothing is left.
pub(crate) fn without(at: Cursor<'_>, value: &Value, set: &Set) -> Value {
    match Atom::of(at, Some(value)) {
        Atom::List(order) => {
            let Some(order) = told_apart(order) else {
                return Value::Null;
            };
            let mut rest = Vec::new();
            for value in list(Some(value)) {
                let entry = element(order, at.item(), value).ok();
                match entry.and_then(|element| set.get(&element)) {
                    None => rest.push(value.clone()),
                    Some(entry) if entry.member => {}
                    Some(entry) => rest.push(without(at.item(), value, &entry.below)),
                }
            }
            if rest.is_empty() {
                Value::Null
            } else {
                Value::Array(rest)
            }
        }
        Atom::Map { atomic: true } => Value::Null,
        Atom::Map { atomic: false } => {
            let mut rest = Map::new();
            for (key, value) in value.as_object().into_iter().flatten() {
                let child = at.child(key).unwrap_or(Cursor::untyped(true));
                match set.get(&Element::field(key)) {
                    None => rest.insert(key.clone(), value.clone()),
                    Some(entry) if entry.member => None,
                    Some(entry) => rest.insert(key.clone(), without(child, value, &entry.below)),
                };
            }
            if rest.is_empty() {
                Value::Null
            } else {
                Value::Object(rest)
            }
        }
        Atom::Scalar => value.clone(),
    }
}

/// A set in which also those declared fields are members of which only parts are.
pub(crate) fn with_declared(at: Cursor<'_>, set: &Set) -> Set {
    let mut wider = Set::default();
    for (element, entry) in set.iter() {
        let child = match element.name() {
            Some(name) => at.child(name).unwrap_or(Cursor::untyped(true)),
            None => at.item(),
        };
        let declared = element
            .name()
            .is_some_and(|name| at.declared(name).is_some());
        let entry = Entry {
            member: entry.member || (declared && !entry.below.is_empty()),
            below: with_declared(child, &entry.below),
        };
        wider.put(element.clone(), entry);
    }
    wider
}
