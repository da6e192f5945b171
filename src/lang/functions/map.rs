//! Functions of maps.

use std::collections::BTreeMap;

use super::Function;
use super::args::Args;
use super::args::Fault;
use super::between;
use super::exact;
use crate::lang::Value;

pub(super) const TABLE: &[Function] = &[
    exact("keys", "map", 1, |a| {
        Ok(Value::List(a.map(0)?.keys().map(Value::string).collect()))
    })
    .shape(),
    between("lookup", "map, key, default", 2, Some(3), lookup).shape(),
    between("merge", "map, …", 0, None, merge).shape(),
    exact("transpose", "map of lists", 1, transpose),
    exact("values", "map", 1, |a| {
        Ok(Value::List(a.map(0)?.values().cloned().collect()))
    })
    .shape(),
    exact("zipmap", "keys, values", 2, zipmap).shape(),
];

fn lookup(args: &Args<'_>) -> Result<Value, Fault> {
    let (map, key) = (args.map(0)?, args.text(1)?);
    match map.get(&key) {
        Some(value) => Ok(value.clone()),
        None if args.len() == 3 => Ok(args.get(2).clone()),
        None => {
            let missing = Fault::arg(1, format!("{} is not in the map", args.shown(1)));
            Err(missing.hint("give a default as the third argument"))
        }
    }
}

fn merge(args: &Args<'_>) -> Result<Value, Fault> {
    let mut out = BTreeMap::new();
    for at in 0..args.len() {
        if !matches!(args.get(at), Value::Null) {
            out.extend(args.map(at)?.clone());
        }
    }
    Ok(Value::Map(out))
}

fn transpose(args: &Args<'_>) -> Result<Value, Fault> {
    let mut out: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (key, list) in args.map(0)? {
        let Value::List(list) = list else {
            let shown = args.cx.show(list);
            return Err(Fault::arg(
                0,
                format!("expected lists of strings, and one is {shown}"),
            ));
        };
        for item in list {
            let name = item.to_text().ok_or_else(|| {
                let shown = args.cx.show(item);
                Fault::arg(
                    0,
                    format!("expected strings in the lists, and one is {shown}"),
                )
            })?;
            out.entry(name).or_default().push(Value::string(key));
        }
    }
    let lists = out.into_iter().map(|(key, list)| (key, Value::List(list)));
    Ok(Value::Map(lists.collect()))
}

fn zipmap(args: &Args<'_>) -> Result<Value, Fault> {
    let (keys, values) = (args.list(0)?, args.list(1)?);
    if keys.len() != values.len() {
        let (a, b) = (keys.len(), values.len());
        return Err(Fault::call(format!("there are {a} keys and {b} values")));
    }
    if keys.iter().any(Value::has_hole) {
        return Err(Fault::Later);
    }
    let keys = args.texts(0)?;
    Ok(Value::Map(
        keys.into_iter().zip(values.iter().cloned()).collect(),
    ))
}
