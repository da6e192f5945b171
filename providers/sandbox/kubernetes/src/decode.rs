//! Bodies of requests: JSON or YAML into a value, with the fields that stand there twice.

use std::fmt;

use serde::Deserializer;
use serde::de::DeserializeSeed;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;
use serde_json::Map;
use serde_json::Number;
use serde_json::Value;

/// How many fields that stand there twice are named, as by the real server.
const DUPLICATES_MAX: usize = 100;

/// A decoded body.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Decoded {
    /// What stands there; of a field that stands there twice, the last.
    pub(crate) value: Value,
    /// The paths of fields that stand there twice, the first of them.
    pub(crate) duplicates: Vec<String>,
}

/// Reads JSON.
pub(crate) fn json(body: &[u8]) -> Result<Decoded, String> {
    let mut duplicates = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let seed = Tree {
        way: Way::Root,
        duplicates: &mut duplicates,
    };
    let value = seed
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| error.to_string())?;
    Ok(Decoded { value, duplicates })
}

/// Reads YAML, of which JSON is a part.
pub(crate) fn yaml(body: &[u8]) -> Result<Decoded, String> {
    if let Ok(decoded) = json(body) {
        return Ok(decoded);
    }
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    let value = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    Ok(Decoded {
        value,
        duplicates: Vec::new(),
    })
}

/// The way to a value. It is written down only where somebody is told: most values are nobody's trouble.
#[derive(Clone, Copy)]
enum Way<'a> {
    Root,
    Field(&'a Self, &'a str),
    Element(&'a Self, usize),
}

impl fmt::Display for Way<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Field(Self::Root, name) => f.write_str(name),
            Self::Field(parent, name) => write!(f, "{parent}.{name}"),
            Self::Element(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

struct Tree<'a> {
    way: Way<'a>,
    duplicates: &'a mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        loop {
            let seed = Tree {
                way: Way::Element(&self.way, items.len()),
                duplicates: &mut *self.duplicates,
            };
            match access.next_element_seed(seed)? {
                Some(item) => items.push(item),
                None => return Ok(Value::Array(items)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            let way = Way::Field(&self.way, &name);
            if map.contains_key(&name) && self.duplicates.len() < DUPLICATES_MAX {
                self.duplicates.push(way.to_string());
            }
            let seed = Tree {
                way,
                duplicates: &mut *self.duplicates,
            };
            let value = access.next_value_seed(seed)?;
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_that_stand_there_twice_are_named() {
        let decoded = json(br#"{"a": {"b": 1, "b": 2}, "c": [{"d": 1, "d": 3}]}"#).expect("JSON");
        assert_eq!(decoded.value, json!({"a": {"b": 2}, "c": [{"d": 3}]}));
        assert_eq!(decoded.duplicates, ["a.b", "c[0].d"]);
    }

    #[test]
    fn of_very_many_fields_that_stand_there_twice_the_first_are_named() {
        let body = format!("{{{}}}", vec!["\"a\": 1"; 1_000].join(","));
        let decoded = json(body.as_bytes()).expect("JSON");
        assert_eq!(decoded.duplicates, vec!["a"; DUPLICATES_MAX]);
    }

    /// Written out, the ways to these values would have hundreds of gigabytes.
    #[test]
    fn a_long_name_over_many_values_costs_nothing() {
        let (name, values) = ("n".repeat(1 << 20), vec!["1"; 1 << 18].join(","));
        let body = format!("{{\"{name}\": [{values}]}}");
        let decoded = json(body.as_bytes()).expect("JSON");
        assert_eq!(decoded.value[&name].as_array().map(Vec::len), Some(1 << 18));
    }

    #[test]
    fn yaml_is_read() {
        let decoded = yaml(b"a:\n- b: 1\n").expect("YAML");
        assert_eq!(decoded.value, json!({"a": [{"b": 1}]}));
    }
}
