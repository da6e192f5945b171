//! Conversions between the simple types, and values as text in messages.

use bigdecimal::BigDecimal;

use super::Value;
use super::number;

/// How many characters of a value a message shows.
const SHOWN_MAX: usize = 60;

impl Value {
    /// Makes a string.
    pub fn string(text: impl AsRef<str>) -> Self {
        Self::String(text.as_ref().into())
    }

    /// Returns the text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the name of its type for messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Number(_) => "number",
            Self::String(_) => "string",
            Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::Hole(_) => "value known later",
        }
    }

    /// Tells whether a hole is anywhere in it.
    pub fn has_hole(&self) -> bool {
        match self {
            Self::Hole(_) => true,
            Self::List(list) => list.iter().any(Self::has_hole),
            Self::Map(map) => map.values().any(Self::has_hole),
            _ => false,
        }
    }

    /// Tells whether a secret is anywhere in it.
    pub fn has_secret(&self) -> bool {
        match self {
            Self::Hole(hole) => hole.secret,
            Self::List(list) => list.iter().any(Self::has_secret),
            Self::Map(map) => map.values().any(Self::has_secret),
            _ => false,
        }
    }

    /// Converts to a string where the language does that by itself: strings, numbers, truth values.
    pub fn to_text(&self) -> Option<String> {
        match self {
            Self::String(text) => Some(text.to_string()),
            Self::Number(number) => Some(number::format(number)),
            Self::Bool(value) => Some(value.to_string()),
            _ => None,
        }
    }

    /// Converts to a number where the language does that by itself: numbers, strings that hold one.
    pub fn to_number(&self) -> Option<BigDecimal> {
        match self {
            Self::Number(number) => Some(number.clone()),
            Self::String(text) => number::parse(text),
            _ => None,
        }
    }

    /// Converts to a truth value where the language does that by itself: truth values, and the
    /// strings `true` and `false`.
    pub fn to_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            Self::String(text) => match text.as_ref() {
                "true" => Some(true),
                "false" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Writes a value for a message, shortened. Shows of a hole only that it is one.
pub fn show(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    if out.chars().count() > SHOWN_MAX {
        out = out.chars().take(SHOWN_MAX).collect();
        out.push('…');
    }
    out
}

fn write(value: &Value, out: &mut String) {
    if out.len() > SHOWN_MAX * 4 {
        return;
    }
    match value {
        Value::Null => out.push_str("null"),
        Value::String(text) => quote(text, out),
        Value::Bool(_) | Value::Number(_) => out.push_str(&value.to_text().unwrap_or_default()),
        Value::Hole(hole) if hole.secret => out.push_str("(secret)"),
        Value::Hole(_) => out.push_str("(known later)"),
        Value::List(list) => {
            out.push('[');
            for (i, item) in list.iter().take(SHOWN_MAX).enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Map(map) => {
            out.push('{');
            for (i, (key, item)) in map.iter().take(SHOWN_MAX).enumerate() {
                out.push_str(if i > 0 { ", " } else { " " });
                out.push_str(key);
                out.push_str(" = ");
                write(item, out);
            }
            out.push_str(" }");
        }
    }
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars().take(SHOWN_MAX + 1) {
        match c {
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => out.push('·'),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Returns the candidate nearest to a name, if one is near enough to be meant.
pub(super) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let allowed = (name.chars().count() / 3).max(1) + 1;
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let distance = strsim::damerau_levenshtein(name, candidate);
        if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}
