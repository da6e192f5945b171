//! Functions that encode, decode and hash.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use drplan_api::Json;
use md5::Md5;
use sha1::Sha1;
use sha2::Digest;
use sha2::Sha256;
use sha2::Sha512;

use super::Function;
use super::args;
use super::args::Args;
use super::args::Fault;
use super::exact;
use crate::lang::Value;
use crate::lang::json_to_value;
use crate::lang::number;
use crate::lang::value_to_json;

pub(super) const TABLE: &[Function] = &[
    exact("base64decode", "text", 1, base64decode),
    exact("base64encode", "text", 1, |a| {
        args::text(STANDARD.encode(a.text(0)?))
    }),
    exact("base64sha256", "text", 1, |a| {
        args::text(STANDARD.encode(hashed::<Sha256>(&a.text(0)?)))
    }),
    exact("base64sha512", "text", 1, |a| {
        args::text(STANDARD.encode(hashed::<Sha512>(&a.text(0)?)))
    }),
    exact("csvdecode", "text", 1, csvdecode),
    exact("jsondecode", "text", 1, jsondecode),
    exact("jsonencode", "value", 1, |a| args::text(json(a.get(0)))),
    exact("md5", "text", 1, |a| {
        args::text(hex(&hashed::<Md5>(&a.text(0)?)))
    }),
    exact("sha1", "text", 1, |a| {
        args::text(hex(&hashed::<Sha1>(&a.text(0)?)))
    }),
    exact("sha256", "text", 1, |a| {
        args::text(hex(&hashed::<Sha256>(&a.text(0)?)))
    }),
    exact("sha512", "text", 1, |a| {
        args::text(hex(&hashed::<Sha512>(&a.text(0)?)))
    }),
    exact("urlencode", "text", 1, |a| {
        args::text(urlencode(&a.text(0)?))
    }),
    exact("uuidv5", "namespace, name", 2, uuidv5),
    exact("yamldecode", "text", 1, yamldecode),
    exact("yamlencode", "value", 1, yamlencode),
];

/// Returns the digest of a text.
pub(super) fn hashed<D: Digest>(text: &str) -> Vec<u8> {
    D::digest(text).to_vec()
}

/// Writes bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        write!(out, "{byte:02x}").ok();
    }
    out
}

/// Returns the UUID of a name, as RFC 9562 has it for version 5.
fn uuidv5(args: &Args<'_>) -> Result<Value, Fault> {
    let (namespace, name) = (args.text(0)?, args.text(1)?);
    let space = namespace_bytes(&namespace).ok_or_else(|| {
        let wrong = Fault::arg(0, format!("{} is not a namespace", args.shown(0)));
        wrong.hint("use \"dns\", \"url\", \"oid\", \"x500\" or a UUID")
    })?;
    let mut sha = Sha1::new_with_prefix(space);
    sha.update(name.as_bytes());
    let mut bytes = sha.finalize().to_vec();
    bytes[6] = bytes[6] & 0x0f | 0x50;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = hex(&bytes[..16]);
    let parts = [
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..],
    ];
    args::text(parts.join("-"))
}

fn namespace_bytes(name: &str) -> Option<[u8; 16]> {
    const DNS: u128 = 0x6ba7_b810_9dad_11d1_80b4_00c0_4fd4_30c8;
    let well_known = |number: u128| Some((DNS + (number << 96)).to_be_bytes());
    match name {
        "dns" => return well_known(0),
        "url" => return well_known(1),
        "oid" => return well_known(2),
        "x500" => return well_known(4),
        _ => {}
    }
    let lengths = name.split('-').map(str::len);
    let digits = name.replace('-', "");
    let written = lengths.eq([8, 4, 4, 4, 12]) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    let number = written.then(|| u128::from_str_radix(&digits, 16).ok())?;
    number.map(u128::to_be_bytes)
}

fn base64decode(args: &Args<'_>) -> Result<Value, Fault> {
    let bytes = STANDARD
        .decode(args.text(0)?.trim())
        .map_err(|_| Fault::arg(0, "this is not base64"))?;
    let text = String::from_utf8(bytes).map_err(|_| {
        Fault::arg(0, "what is encoded is not text").hint("only UTF-8 text can be decoded")
    })?;
    args::text(text)
}

/// Says why a text cannot be decoded, with the parser's reason only where values may be shown.
fn undecodable(args: &Args<'_>, format: &str, why: &dyn std::fmt::Display) -> Fault {
    if args.cx.may_show() {
        let why = why.to_string();
        let why = why.lines().next().unwrap_or("").to_owned();
        Fault::arg(0, format!("this is not {format}: {why}"))
    } else {
        Fault::arg(0, format!("this is not {format}"))
    }
}

fn jsondecode(args: &Args<'_>) -> Result<Value, Fault> {
    let json: Json =
        serde_json::from_str(&args.text(0)?).map_err(|error| undecodable(args, "JSON", &error))?;
    Ok(json_to_value(&json))
}

fn yamldecode(args: &Args<'_>) -> Result<Value, Fault> {
    let json: Json = serde_saphyr::from_str(&args.text(0)?)
        .map_err(|error| undecodable(args, "YAML", &error))?;
    Ok(json_to_value(&json))
}

fn yamlencode(args: &Args<'_>) -> Result<Value, Fault> {
    let json = value_to_json(args.get(0), &mut |_| Json::Null);
    let text = serde_saphyr::to_string(&json)
        .map_err(|_| Fault::arg(0, "the value cannot be written as YAML"))?;
    args::text(text)
}

/// Writes a value as JSON.
pub(super) fn json(value: &Value) -> String {
    let mut out = String::new();
    write_json(value, &mut out);
    out
}

/// Writes JSON as Terraform does: keys sorted, `<`, `>` and `&` escaped, numbers exact.
fn write_json(value: &Value, out: &mut String) {
    match value {
        Value::Null | Value::Hole(_) => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(value) => out.push_str(&number::format(value)),
        Value::String(text) => write_json_text(text, out),
        Value::List(list) => {
            out.push('[');
            for (i, item) in list.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_json(item, out);
            }
            out.push(']');
        }
        Value::Map(map) => {
            out.push('{');
            for (i, (key, item)) in map.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_json_text(key, out);
                out.push(':');
                write_json(item, out);
            }
            out.push('}');
        }
    }
}

fn write_json_text(text: &str, out: &mut String) {
    for c in Json::from(text).to_string().chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            c => out.push(c),
        }
    }
}

fn urlencode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            // Writing to a string cannot fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

fn csvdecode(args: &Args<'_>) -> Result<Value, Fault> {
    let rows = csv_rows(&args.text(0)?)?;
    let mut rows = rows.into_iter();
    let Some(header) = rows.next() else {
        return Err(Fault::arg(0, "there is no header line"));
    };
    let mut out = Vec::new();
    for (i, row) in rows.enumerate() {
        if row.len() != header.len() {
            let (has, needs) = (row.len(), header.len());
            let line = i + 2;
            return Err(Fault::arg(
                0,
                format!("row {line} has {has} fields, the header {needs}"),
            ));
        }
        let fields = header
            .iter()
            .cloned()
            .zip(row.into_iter().map(Value::string));
        out.push(Value::Map(fields.collect::<BTreeMap<_, _>>()));
    }
    args::list(out)
}

/// Splits CSV as RFC 4180 has it.
fn csv_rows(text: &str) -> Result<Vec<Vec<String>>, Fault> {
    let mut rows = Vec::new();
    let mut row = Vec::new();
    let mut field = String::new();
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            c if quoted => field.push(c),
            ',' => row.push(std::mem::take(&mut field)),
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
            }
            c => field.push(c),
        }
    }
    if quoted {
        return Err(Fault::arg(0, "a quoted field is never closed"));
    }
    if !field.is_empty() || !row.is_empty() {
        row.push(field);
        rows.push(row);
    }
    rows.retain(|row| row.as_slice() != [String::new()]);
    Ok(rows)
}
