//! The value of a whole resource: what is known, and a hole for each other export.

use super::scope::export_of;
use super::scope::secret;
use crate::lang::Span;
use crate::lang::Value;
use crate::lang::json_to_value;
use drplan_api::Address;
use drplan_api::Def;
use drplan_api::Json;
use drplan_api::SecretRef;
use drplan_api::Shape;
use serde::Deserialize as _;
use std::collections::BTreeMap;

/// The value of a whole resource: what is known, and a hole for each other export.
pub(super) fn exports(
    def: &Def,
    outputs: &Json,
    shape: &Shape,
    address: &Address,
    span: Span,
) -> Value {
    let mut map = BTreeMap::new();
    if let Json::Object(known) = outputs {
        for (name, json) in known {
            map.insert(name.clone(), with_secrets(json, span));
        }
    }
    for (name, _) in &def.schema.exports {
        if !map.contains_key(*name) {
            map.insert(
                (*name).to_owned(),
                export_of(address, name, shape.field(name), span),
            );
        }
    }
    Value::Map(map)
}

/// Converts exports; `{"$secret": …}` becomes a hole that names where the secret lives.
pub(crate) fn with_secrets(json: &Json, span: Span) -> Value {
    match json {
        Json::Object(map) => {
            if let (1, Some(reference)) = (map.len(), map.get("$secret"))
                && let Ok(reference) = SecretRef::deserialize(reference)
            {
                return secret(reference, span);
            }
            Value::Map(
                map.iter()
                    .map(|(k, v)| (k.clone(), with_secrets(v, span)))
                    .collect(),
            )
        }
        Json::Array(list) => Value::List(list.iter().map(|v| with_secrets(v, span)).collect()),
        scalar => json_to_value(scalar),
    }
}
