//! Canonical JSON and digests of it: equal data gives equal bytes on every machine.

use std::fmt::Write as _;

use serde::Serialize;
use sha2::Digest as _;
use sha2::Sha256;

use crate::Json;
use crate::is_hole;
use crate::late::HOLE;

/// Writes JSON with sorted keys and without spaces.
pub fn canonical(value: &Json) -> String {
    let mut out = String::new();
    write(value, Holes::Kept, &mut out);
    out
}

/// Does the same with every hole replaced by one and the same mark.
pub(crate) fn write_without_holes(value: &Json, out: &mut String) {
    write(value, Holes::Alike, out);
}

/// What becomes of holes.
#[derive(Clone, Copy, PartialEq)]
enum Holes {
    Kept,
    Alike,
}

fn write(value: &Json, holes: Holes, out: &mut String) {
    match value {
        Json::Object(_) if holes == Holes::Alike && is_hole(value).is_some() => {
            write_text(HOLE, out);
        }
        Json::Object(map) => {
            let mut keys: Vec<_> = map.iter().collect();
            keys.sort_unstable_by(|a, b| a.0.cmp(b.0));
            out.push('{');
            for (i, (key, value)) in keys.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_text(key, out);
                out.push(':');
                write(value, holes, out);
            }
            out.push('}');
        }
        Json::Array(list) => {
            out.push('[');
            for (i, value) in list.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(value, holes, out);
            }
            out.push(']');
        }
        Json::String(text) => write_text(text, out),
        scalar => {
            // Writing to a string cannot fail.
            write!(out, "{scalar}").ok();
        }
    }
}

fn write_text(text: &str, out: &mut String) {
    let plain = |b: u8| b >= b' ' && b != b'"' && b != b'\\';
    if text.bytes().all(plain) {
        out.extend(["\"", text, "\""]);
    } else {
        out.push_str(&Json::from(text).to_string());
    }
}

/// The hexadecimal digits.
const HEX: &[u8; 16] = b"0123456789abcdef";

/// Returns the SHA-256 of some bytes as 64 hexadecimal digits.
pub fn digest(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        let digit = |number: u8| char::from(HEX[usize::from(number & 15)]);
        out.extend([digit(byte >> 4), digit(byte)]);
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
        let texts = ["", "a\"b\\", "\u{7f}\t\u{1f}", "é\u{2028}"];
        for text in texts {
            assert_eq!(canonical(&json!(text)), json!(text).to_string());
        }
    }

    #[test]
    fn without_holes_all_holes_are_one() {
        let hole = |expr: usize| json!({"$hole": {"expr": expr, "secret": false, "after": []}});
        let mut out = String::new();
        write_without_holes(
            &json!({"b": [hole(1), hole(2)], "a": {"$hole": 1}}),
            &mut out,
        );
        assert_eq!(out, r#"{"a":{"$hole":1},"b":["$hole","$hole"]}"#);
    }
}
