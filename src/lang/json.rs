//! Values as JSON and back.

use bigdecimal::BigDecimal;
use bigdecimal::ToPrimitive;
use drplan_api::Json;

use super::Residual;
use super::Value;
use super::number;

/// Converts a value; `hole` says what stands for a hole.
///
/// Numbers stay exact: integers that fit become JSON integers, others become floats if the shortest
/// form of the float is the number, else strings.
pub fn value_to_json(value: &Value, hole: &mut dyn FnMut(&Residual) -> Json) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(number) => number_to_json(number),
        Value::String(text) => Json::String(text.to_string()),
        Value::List(list) => list.iter().map(|item| value_to_json(item, hole)).collect(),
        Value::Map(map) => map
            .iter()
            .map(|(key, item)| (key.clone(), value_to_json(item, hole)))
            .collect(),
        Value::Hole(residual) => hole(residual),
    }
}

fn number_to_json(exact: &BigDecimal) -> Json {
    if exact.is_integer() {
        if let Some(number) = exact.to_i64() {
            return number.into();
        }
        if let Some(number) = exact.to_u64() {
            return number.into();
        }
    }
    let float = exact.to_f64().filter(|f| f.is_finite());
    let back = float.and_then(|f| number::parse(&format!("{f:e}")));
    match (float, back) {
        (Some(float), Some(back)) if back == *exact => float.into(),
        _ => number::format(exact).into(),
    }
}

/// Converts JSON to a value; floats count as the shortest decimal that means them.
pub fn json_to_value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match number::parse(&number.to_string()) {
            Some(number) => Value::Number(number),
            None => Value::string(number.to_string()),
        },
        Json::String(text) => Value::string(text),
        Json::Array(list) => Value::List(list.iter().map(json_to_value).collect()),
        Json::Object(map) => Value::Map(
            map.iter()
                .map(|(key, item)| (key.clone(), json_to_value(item)))
                .collect(),
        ),
    }
}
