//! Functions of sets, which are lists that are sorted and hold each value once.

use std::cmp::Ordering;

use super::Function;
use super::args;
use super::args::Args;
use super::args::Fault;
use super::between;
use super::exact;
use crate::lang::Value;
use crate::lang::eval::ELEMENTS_MAX;

pub(super) const TABLE: &[Function] = &[
    exact("distinct", "list", 1, distinct),
    between("setintersection", "set, …", 1, None, intersection),
    between("setproduct", "set, …", 2, None, product),
    exact("setsubtract", "set, set", 2, subtract),
    between("setunion", "set, …", 1, None, union),
];

/// Orders values of any type, for sets.
pub(super) fn order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Number(a), Value::Number(b)) => a.cmp(b),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::List(a), Value::List(b)) => {
            let pairs = a.iter().zip(b).map(|(a, b)| order(a, b));
            pairs
                .fold(Ordering::Equal, Ordering::then)
                .then(a.len().cmp(&b.len()))
        }
        (Value::Map(a), Value::Map(b)) => {
            let pairs = a.iter().zip(b);
            let pairs = pairs.map(|((ka, va), (kb, vb))| ka.cmp(kb).then_with(|| order(va, vb)));
            pairs
                .fold(Ordering::Equal, Ordering::then)
                .then(a.len().cmp(&b.len()))
        }
        _ => rank(a).cmp(&rank(b)),
    }
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::List(_) => 4,
        Value::Map(_) => 5,
        Value::Hole(_) => 6,
    }
}

/// Sorts, and keeps each value once.
pub(super) fn set(mut items: Vec<Value>) -> Value {
    items.sort_by(order);
    items.dedup();
    Value::List(items)
}

fn distinct(args: &Args<'_>) -> Result<Value, Fault> {
    let list = args.list(0)?;
    let mut places: Vec<usize> = (0..list.len()).collect();
    places.sort_by(|a, b| order(&list[*a], &list[*b]).then(a.cmp(b)));
    places.dedup_by(|a, b| list[*a] == list[*b]);
    places.sort_unstable();
    Ok(Value::List(
        places.into_iter().map(|at| list[at].clone()).collect(),
    ))
}

/// Tells whether a value is in a sorted list.
pub(super) fn holds(sorted: &[Value], item: &Value) -> bool {
    sorted.binary_search_by(|other| order(other, item)).is_ok()
}

/// Sorts, for [`holds`].
pub(super) fn sorted(list: &[Value]) -> Vec<Value> {
    let mut list = list.to_vec();
    list.sort_by(order);
    list
}

fn intersection(args: &Args<'_>) -> Result<Value, Fault> {
    let mut kept = args.list(0)?.to_vec();
    for at in 1..args.len() {
        let other = sorted(args.list(at)?);
        kept.retain(|item| holds(&other, item));
    }
    Ok(set(kept))
}

fn subtract(args: &Args<'_>) -> Result<Value, Fault> {
    let other = sorted(args.list(1)?);
    let mut kept = args.list(0)?.to_vec();
    kept.retain(|item| !holds(&other, item));
    Ok(set(kept))
}

fn union(args: &Args<'_>) -> Result<Value, Fault> {
    let mut all = Vec::new();
    for at in 0..args.len() {
        all.extend_from_slice(args.list(at)?);
        if all.len() > ELEMENTS_MAX {
            return Err(args::too_many());
        }
    }
    Ok(set(all))
}

fn product(args: &Args<'_>) -> Result<Value, Fault> {
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    for at in 0..args.len() {
        let list = args.list(at)?;
        if rows.len().saturating_mul(list.len()) > ELEMENTS_MAX {
            return Err(args::too_many());
        }
        let longer = rows.iter().flat_map(|row| {
            list.iter().map(move |item| {
                let mut row = row.clone();
                row.push(item.clone());
                row
            })
        });
        rows = longer.collect();
    }
    Ok(Value::List(rows.into_iter().map(Value::List).collect()))
}
