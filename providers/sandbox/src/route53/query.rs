//! Query strings and percent encoding as AWS's signatures define them.
//!
//! A plus sign stands for itself here, never for a space.

use std::collections::BTreeMap;

use super::refusal::Refusal;

/// Splits a raw query into decoded pairs, in the order given.
pub(crate) fn pairs(query: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    query
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

/// Encodes every octet outside AWS's unreserved set.
pub(crate) fn encode(octets: &[u8]) -> String {
    let mut out = String::with_capacity(octets.len());
    for &octet in octets {
        match octet {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(octet));
            }
            _ => {
                out.push('%');
                for half in [octet >> 4, octet & 0xf] {
                    out.push(char::from(b"0123456789ABCDEF"[usize::from(half)]));
                }
            }
        }
    }
    out
}

/// Decodes percent escapes; a malformed escape stands for itself.
fn decode(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&octet, tail)) = rest.split_first() {
        rest = tail;
        match (octet, tail) {
            (b'%', [high, low, after @ ..]) if both_hex(*high, *low) => {
                out.push(nibble(*high) << 4 | nibble(*low));
                rest = after;
            }
            _ => out.push(octet),
        }
    }
    out
}

fn both_hex(high: u8, low: u8) -> bool {
    high.is_ascii_hexdigit() && low.is_ascii_hexdigit()
}

fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit.wrapping_sub(b'A') + 10,
    }
}

/// The parameters of one request, each taken once; what stays untaken is an error.
#[derive(Debug)]
pub(crate) struct Query {
    rest: BTreeMap<String, String>,
}

impl Query {
    pub(crate) fn parse(query: Option<&str>) -> Result<Self, Refusal> {
        let mut rest = BTreeMap::new();
        for (name, value) in pairs(query.unwrap_or_default()) {
            let (Ok(name), Ok(value)) = (String::from_utf8(name), String::from_utf8(value)) else {
                return Err(Refusal::invalid_input("A query parameter is not UTF-8"));
            };
            if rest.insert(name.clone(), value).is_some() {
                return Err(Refusal::invalid_input(format!(
                    "Parameter '{name}' is repeated"
                )));
            }
        }
        Ok(Self { rest })
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        self.rest.remove(name).filter(|value| !value.is_empty())
    }

    /// Takes `maxitems`: at least one, and no more than `max` whatever was asked for.
    pub(crate) fn max_items(&mut self, max: usize) -> Result<usize, Refusal> {
        let Some(text) = self.take("maxitems") else {
            return Ok(max);
        };
        match text.parse::<usize>() {
            Ok(asked) if asked > 0 => Ok(asked.min(max)),
            _ => Err(Refusal::invalid_input(format!(
                "'{text}' is not a valid maxitems"
            ))),
        }
    }

    pub(crate) fn end(self) -> Result<(), Refusal> {
        match self.rest.keys().next() {
            Some(name) => Err(Refusal::invalid_input(format!(
                "Parameter '{name}' is unknown here"
            ))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_and_encoded_the_aws_way() {
        for (given, decoded, encoded) in [
            ("a%2Fb", "a/b", "a%2Fb"),
            ("%5c052.x", "\\052.x", "%5C052.x"),
            ("a+b", "a+b", "a%2Bb"),
            ("100%", "100%", "100%25"),
            ("%zz", "%zz", "%25zz"),
        ] {
            assert_eq!(decode(given), decoded.as_bytes(), "{given}");
            assert_eq!(encode(&decode(given)), encoded, "{given}");
        }
    }
}
