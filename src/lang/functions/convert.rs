//! Functions that convert types.

use super::Function;
use super::args::Args;
use super::args::Fault;
use super::exact;
use super::set;
use crate::lang::Value;

pub(super) const TABLE: &[Function] = &[
    exact("tobool", "value", 1, |a| match a.get(0) {
        Value::Null => Ok(Value::Null),
        value => value
            .to_bool()
            .map(Value::Bool)
            .ok_or_else(|| wrong(a, "a truth value")),
    }),
    exact("tolist", "value", 1, |a| match a.get(0) {
        Value::Null | Value::List(_) => Ok(a.get(0).clone()),
        _ => Err(wrong(a, "a list")),
    })
    .shape(),
    exact("tomap", "value", 1, |a| match a.get(0) {
        Value::Null | Value::Map(_) => Ok(a.get(0).clone()),
        _ => Err(wrong(a, "a map")),
    })
    .shape(),
    exact("tonumber", "value", 1, |a| match a.get(0) {
        Value::Null => Ok(Value::Null),
        value => value
            .to_number()
            .map(Value::Number)
            .ok_or_else(|| wrong(a, "a number")),
    }),
    exact("toset", "value", 1, |a| match a.get(0) {
        Value::Null => Ok(Value::Null),
        Value::List(list) => Ok(set::set(list.clone())),
        _ => Err(wrong(a, "a set")),
    }),
    exact("tostring", "value", 1, |a| match a.get(0) {
        Value::Null => Ok(Value::Null),
        value => value
            .to_text()
            .map(Value::string)
            .ok_or_else(|| wrong(a, "a string").hint("use `jsonencode(value)`")),
    }),
    exact("type", "value", 1, |a| {
        Ok(Value::string(a.get(0).type_name()))
    }),
];

fn wrong(args: &Args<'_>, to: &str) -> Fault {
    Fault::arg(0, format!("{} cannot be converted to {to}", args.shown(0)))
}
