//! Rows for people, as `kubectl get` asks for them.
//!
//! The usual built-in kinds show the columns of the real server, others only name and age; custom
//! types show the columns that their definition names.

mod cells;
mod columns;

use drplan_api::Timestamp;
use serde_json::Value;
use serde_json::json;

use crate::object;
use crate::reply::metadata_of;
use crate::table::columns::Column;
use crate::types::Served;

const NAME_TEXT: &str = "Name must be unique within a namespace. Is required when creating \
     resources, although some resources may allow a client to request the generation of an \
     appropriate name automatically. Name is primarily intended for creation idempotence and \
     configuration definition. Cannot be updated. More info: \
     https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names";
const AGE_TEXT: &str = "CreationTimestamp is a timestamp representing the server time when this \
     object was created.";

const MINUTE_S: i64 = 60;
const HOUR_S: i64 = 60 * MINUTE_S;
const DAY_S: i64 = 24 * HOUR_S;
const YEAR_S: i64 = 365 * DAY_S;

/// A table of objects in their served version.
pub(crate) fn of<'a>(
    served: &Served,
    objects: impl Iterator<Item = &'a Value>,
    now: Timestamp,
    metadata: &Value,
) -> Value {
    let rows: Vec<_> = objects.map(|object| row(served, object, now)).collect();
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": columns(served),
        "rows": rows,
    })
}

fn columns(served: &Served) -> Vec<Value> {
    let column = |name: &str, kind: &str, format: &str, text: &str, priority: i64| {
        json!({
            "name": name,
            "type": kind,
            "format": format,
            "description": text,
            "priority": priority,
        })
    };
    let mut columns = vec![column("Name", "string", "name", NAME_TEXT, 0)];
    for own in built_in(served) {
        let about = if own.name == "Age" { AGE_TEXT } else { "" };
        columns.push(column(own.name, own.kind, "", about, own.priority));
    }
    for own in &served.columns {
        columns.push(column(
            object::text(own, "/name"),
            object::text(own, "/type"),
            object::text(own, "/format"),
            object::text(own, "/description"),
            own["priority"].as_i64().unwrap_or(0),
        ));
    }
    columns
}

/// The columns of a kind that has none of its own.
fn built_in(served: &Served) -> &'static [Column] {
    match (served.columns.is_empty(), served.info.custom) {
        (false, _) => &[],
        (true, true) => columns::of(""),
        (true, false) => columns::of(&served.info.kind),
    }
}

fn row(served: &Served, object: &Value, now: Timestamp) -> Value {
    let mut cells = vec![columns::name(object)];
    for own in built_in(served) {
        cells.push((own.cell)(object, now));
    }
    for own in &served.columns {
        let found = at(object, object::text(own, "/jsonPath"));
        cells.push(match (object::text(own, "/type"), found) {
            (_, None) => Value::Null,
            ("date", Some(time)) => json!(age(time.as_str().unwrap_or_default(), now)),
            ("string", Some(value)) if !value.is_string() => json!(value.to_string()),
            (_, Some(value)) => value.clone(),
        });
    }
    json!({ "cells": cells, "object": metadata_of(object) })
}

/// Follows a JSON path of the simple kind: fields, quoted fields and indices.
fn at<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    let mut found = object;
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(bracket) = rest.strip_prefix('[') {
            let (inner, after) = bracket.split_once(']')?;
            found = match inner.parse::<usize>() {
                Ok(index) => found.get(index)?,
                Err(_) => found.get(inner.trim_matches(|c| c == '\'' || c == '"'))?,
            };
            rest = after;
            continue;
        }
        rest = rest.strip_prefix('.').unwrap_or(rest);
        // A dot after a backslash belongs to the name.
        let escaped = rest.replace("\\.", "\u{0}\u{0}");
        let end = escaped.find(['.', '[']).unwrap_or(escaped.len());
        let field = escaped[..end].replace("\u{0}\u{0}", ".");
        found = found.get(&field)?;
        rest = &rest[end..];
    }
    Some(found)
}

/// How long ago something was, in at most two units.
fn age(time: &str, now: Timestamp) -> String {
    let Ok(time) = time.parse::<Timestamp>() else {
        return "<unknown>".to_owned();
    };
    let s = now.as_second() - time.as_second();
    let two = |value: i64, unit: &str, rest: i64, rest_unit: &str| match rest {
        0 => format!("{value}{unit}"),
        rest => format!("{value}{unit}{rest}{rest_unit}"),
    };
    match s {
        ..-1 => "<invalid>".to_owned(),
        -1..0 => "0s".to_owned(),
        0..120 => format!("{s}s"),
        s if s < 10 * MINUTE_S => two(s / MINUTE_S, "m", s % MINUTE_S, "s"),
        s if s < 3 * HOUR_S => format!("{}m", s / MINUTE_S),
        s if s < 8 * HOUR_S => two(s / HOUR_S, "h", s % HOUR_S / MINUTE_S, "m"),
        s if s < 2 * DAY_S => format!("{}h", s / HOUR_S),
        s if s < 8 * DAY_S => two(s / DAY_S, "d", s % DAY_S / HOUR_S, "h"),
        s if s < 2 * YEAR_S => format!("{}d", s / DAY_S),
        s if s < 8 * YEAR_S => two(s / YEAR_S, "y", s % YEAR_S / DAY_S, "d"),
        s => format!("{}y", s / YEAR_S),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_read_as_those_of_the_real_server() {
        let now: Timestamp = "2026-01-02T00:00:00Z".parse().expect("a time");
        assert_eq!(age("2026-01-01T23:59:20Z", now), "40s");
        assert_eq!(age("2026-01-01T23:55:30Z", now), "4m30s");
        assert_eq!(age("2026-01-01T20:00:00Z", now), "4h");
        assert_eq!(age("2025-12-30T22:00:00Z", now), "2d2h");
    }

    #[test]
    fn columns_find_what_their_path_names() {
        let object = json!({"status": {"a.b": "x", "list": [{"c": 1}]}});
        assert_eq!(at(&object, ".status.list[0].c"), Some(&json!(1)));
        assert_eq!(at(&object, ".status['a.b']"), Some(&json!("x")));
        assert_eq!(at(&object, ".status.none"), None);
    }
}
