//! Functions of lists.

use super::Function;
use super::args;
use super::args::Args;
use super::args::Fault;
use super::between;
use super::exact;
use super::set;
use crate::lang::Value;
use crate::lang::eval::ELEMENTS_MAX;

pub(super) const TABLE: &[Function] = &[
    exact("alltrue", "list", 1, |a| every(a, true)),
    exact("anytrue", "list", 1, |a| every(a, false)),
    exact("chunklist", "list, size", 2, chunklist).shape(),
    between("coalescelist", "list, …", 1, None, coalescelist).shape(),
    exact("compact", "list", 1, compact),
    between("concat", "list, …", 1, None, concat).shape(),
    exact("contains", "list, value", 2, |a| {
        Ok(Value::Bool(a.list(0)?.contains(a.get(1))))
    }),
    exact("element", "list, index", 2, element).shape(),
    exact("flatten", "list", 1, flatten).shape(),
    exact("index", "list, value", 2, index),
    exact("length", "collection", 1, length).shape(),
    exact("matchkeys", "values, keys, wanted keys", 3, matchkeys).shape(),
    exact("one", "list", 1, one).shape(),
    between("range", "start, limit, step", 1, Some(3), range),
    exact("reverse", "list", 1, |a| {
        Ok(Value::List(a.list(0)?.iter().rev().cloned().collect()))
    })
    .shape(),
    exact("slice", "list, start, end", 3, slice).shape(),
    exact("sort", "list", 1, |a| {
        let mut texts = a.texts(0)?;
        texts.sort_unstable();
        Ok(Value::List(texts.into_iter().map(Value::string).collect()))
    }),
];

fn every(args: &Args<'_>, all: bool) -> Result<Value, Fault> {
    for (i, item) in args.list(0)?.iter().enumerate() {
        let value = match item {
            Value::Null => false,
            item => item.to_bool().ok_or_else(|| {
                let shown = args.cx.show(item);
                Fault::arg(
                    0,
                    format!("expected truth values, and element {i} is {shown}"),
                )
            })?,
        };
        if value != all {
            return Ok(Value::Bool(!all));
        }
    }
    Ok(Value::Bool(all))
}

fn chunklist(args: &Args<'_>) -> Result<Value, Fault> {
    let (list, size) = (args.list(0)?, args.count(1)?);
    let size = if size == 0 { list.len().max(1) } else { size };
    Ok(Value::List(
        list.chunks(size).map(|c| Value::List(c.to_vec())).collect(),
    ))
}

fn coalescelist(args: &Args<'_>) -> Result<Value, Fault> {
    for at in 0..args.len() {
        if matches!(args.get(at), Value::Null) {
            continue;
        }
        let list = args.list(at)?;
        if !list.is_empty() {
            return Ok(Value::List(list.to_vec()));
        }
    }
    Err(Fault::call("every list is empty"))
}

fn compact(args: &Args<'_>) -> Result<Value, Fault> {
    let kept = args.list(0)?.iter().filter(|item| match item {
        Value::Null => false,
        item => item.as_str() != Some(""),
    });
    Ok(Value::List(kept.cloned().collect()))
}

fn concat(args: &Args<'_>) -> Result<Value, Fault> {
    let mut out = Vec::new();
    for at in 0..args.len() {
        out.extend_from_slice(args.list(at)?);
        if out.len() > ELEMENTS_MAX {
            return Err(args::too_many());
        }
    }
    args::list(out)
}

fn element(args: &Args<'_>) -> Result<Value, Fault> {
    let (list, at) = (args.list(0)?, args.integer(1)?);
    if list.is_empty() {
        return Err(Fault::arg(0, "the list is empty"));
    }
    let length = i64::try_from(list.len()).unwrap_or(i64::MAX);
    let at = usize::try_from(at.rem_euclid(length)).unwrap_or(0);
    Ok(list[at].clone())
}

fn flatten(args: &Args<'_>) -> Result<Value, Fault> {
    let mut out = Vec::new();
    flatten_into(args.list(0)?, &mut out)?;
    args::list(out)
}

fn flatten_into(list: &[Value], out: &mut Vec<Value>) -> Result<(), Fault> {
    for item in list {
        match item {
            Value::Hole(_) => return Err(Fault::Later),
            Value::List(inner) => flatten_into(inner, out)?,
            item => out.push(item.clone()),
        }
        if out.len() > ELEMENTS_MAX {
            return Err(args::too_many());
        }
    }
    Ok(())
}

fn index(args: &Args<'_>) -> Result<Value, Fault> {
    let at = args.list(0)?.iter().position(|item| item == args.get(1));
    at.map(Value::from).ok_or_else(|| {
        Fault::arg(1, format!("{} is not in the list", args.shown(1)))
            .hint("test it first with `contains(list, value)`")
    })
}

fn length(args: &Args<'_>) -> Result<Value, Fault> {
    match args.get(0) {
        Value::List(list) => Ok(Value::from(list.len())),
        Value::Map(map) => Ok(Value::from(map.len())),
        Value::String(text) => Ok(Value::from(text.chars().count())),
        _ => {
            let shown = args.shown(0);
            Err(Fault::arg(
                0,
                format!("expected a list, a map or a string, and this is {shown}"),
            ))
        }
    }
}

fn matchkeys(args: &Args<'_>) -> Result<Value, Fault> {
    let (values, keys, wanted) = (args.list(0)?, args.list(1)?, args.list(2)?);
    if values.len() != keys.len() {
        let (a, b) = (values.len(), keys.len());
        return Err(Fault::call(format!("there are {a} values and {b} keys")));
    }
    if keys.iter().chain(wanted).any(Value::has_hole) {
        return Err(Fault::Later);
    }
    let wanted = set::sorted(wanted);
    let pairs = values.iter().zip(keys);
    let kept = pairs.filter(|(_, key)| set::holds(&wanted, key));
    Ok(Value::List(kept.map(|(value, _)| value.clone()).collect()))
}

fn one(args: &Args<'_>) -> Result<Value, Fault> {
    match args.list(0)? {
        [] => Ok(Value::Null),
        [one] => Ok(one.clone()),
        more => Err(Fault::arg(
            0,
            format!(
                "the list has {} elements, and may have none or one",
                more.len()
            ),
        )),
    }
}

fn range(args: &Args<'_>) -> Result<Value, Fault> {
    let zero = bigdecimal::BigDecimal::from(0);
    let (start, limit) = match args.len() {
        1 => (zero.clone(), args.number(0)?),
        _ => (args.number(0)?, args.number(1)?),
    };
    let step = match args.len() {
        3 => args.number(2)?,
        _ if limit < start => bigdecimal::BigDecimal::from(-1),
        _ => bigdecimal::BigDecimal::from(1),
    };
    if step == zero {
        return Err(Fault::arg(2, "the step is zero"));
    }
    if (step > zero) != (limit > start) && limit != start {
        return Err(Fault::arg(2, "the step leads away from the limit"));
    }
    let mut out = Vec::new();
    let mut next = start;
    while (step > zero && next < limit) || (step < zero && next > limit) {
        if out.len() >= ELEMENTS_MAX {
            return Err(args::too_many());
        }
        out.push(Value::Number(next.clone()));
        next += &step;
    }
    Ok(Value::List(out))
}

fn slice(args: &Args<'_>) -> Result<Value, Fault> {
    let (list, start, end) = (args.list(0)?, args.count(1)?, args.count(2)?);
    match list.get(start..end) {
        Some(part) => Ok(Value::List(part.to_vec())),
        None if start > end => Err(Fault::arg(1, "the start is behind the end")),
        None => Err(Fault::arg(
            2,
            format!(
                "the end is behind the end of the list, which has {}",
                list.len()
            ),
        )),
    }
}
