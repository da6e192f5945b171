//! Canonical JSON and digests of it: equal data gives equal bytes on every machine.

use std::fmt::Write as _;

use serde::Serialize;
use sha2::Digest as _;
use sha2::Sha256;

use crate::Json;

/// Writes JSON with sorted keys and without spaces.
pub fn canonical(value: &Json) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

fn write(value: &Json, out: &mut String) {
    match value {
        Json::Object(map) => {
            let mut keys: Vec<_> = map.iter().collect();
            keys.sort_unstable_by(|a, b| a.0.cmp(b.0));
            out.push('{');
            for (i, (key, value)) in keys.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&Json::from(key.as_str()).to_string());
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
        Json::Array(list) => {
            out.push('[');
            for (i, value) in list.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(value, out);
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

/// Returns the SHA-256 of some bytes as 64 hexadecimal digits.
pub fn digest(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        // Writing to a string cannot fail.
        write!(out, "{byte:02x}").ok();
    }
    out
}

/// Returns the first eight hexadecimal digits of the digest of some data's canonical JSON: enough to
/// tell wants of one step apart, short enough for names of objects.
pub fn short_hash(data: &impl Serialize) -> String {
    let json = serde_json::to_value(data).unwrap_or(Json::Null);
    let mut text = digest(canonical(&json).as_bytes());
    text.truncate(8);
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn canonical_json_does_not_depend_on_the_order_of_keys() {
        let a = json!({"b": [1, {"y": null, "x": "é\n"}], "a": true});
        assert_eq!(canonical(&a), r#"{"a":true,"b":[1,{"x":"é\n","y":null}]}"#);
    }
}
