//! Domain names as Route 53 keeps them: lower case, a trailing dot, octal escapes, and the order
//! by reversed labels in which it lists them.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;

/// The longest label, in octets.
const LABEL_BYTES_MAX: usize = 63;
/// The longest name, in octets, its dots included.
const NAME_BYTES_MAX: usize = 255;

/// A fully qualified domain name in the form that Route 53 returns.
///
/// Lower case, with a trailing dot; every octet outside `a-z`, `0-9`, `-` and `_` is an octal
/// escape, so `*.example.com` reads `\052.example.com.`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DomainName {
    labels: Vec<Vec<u8>>,
}

/// Why a text is not a domain name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// A label between two dots is empty.
    #[error("Domain label is empty")]
    EmptyLabel,
    /// A label has more than 63 octets.
    #[error("Domain label is too long")]
    LongLabel,
    /// The name has more than 255 octets.
    #[error("Domain name is too long")]
    LongName,
    /// A backslash is not followed by three octal digits below 400.
    #[error("Domain name contains an invalid escape sequence")]
    BadEscape,
}

impl DomainName {
    /// Reads a name, with or without trailing dot, escaped or not.
    ///
    /// # Errors
    ///
    /// [`NameError`] if a label or the name is empty or too long, or an escape is malformed.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let mut labels = Vec::new();
        let mut label = Vec::new();
        let mut octets = text.bytes();
        let mut ended = false;
        while let Some(octet) = octets.next() {
            ended = octet == b'.';
            match octet {
                b'.' => labels.push(checked(std::mem::take(&mut label))?),
                b'\\' => label.push(unescape([octets.next(), octets.next(), octets.next()])?),
                other => label.push(other.to_ascii_lowercase()),
            }
        }
        if !ended {
            labels.push(checked(label)?);
        }
        if labels.iter().map(|label| label.len() + 1).sum::<usize>() > NAME_BYTES_MAX {
            return Err(NameError::LongName);
        }
        Ok(Self { labels })
    }

    /// Reports whether this name is `zone` or lies below it.
    pub fn is_within(&self, zone: &Self) -> bool {
        self.labels.ends_with(&zone.labels)
    }

    /// Returns the sort key: labels reversed, each followed by a dot, unescaped.
    ///
    /// The trailing dot is part of the key, as Route 53 documents: characters that come before
    /// the dot in ASCII sort before a child name.
    pub(crate) fn order(&self) -> Vec<u8> {
        let mut order = Vec::new();
        for label in self.labels.iter().rev() {
            order.extend_from_slice(label);
            order.push(b'.');
        }
        order
    }
}

fn checked(label: Vec<u8>) -> Result<Vec<u8>, NameError> {
    match label.len() {
        0 => Err(NameError::EmptyLabel),
        1..=LABEL_BYTES_MAX => Ok(label),
        _ => Err(NameError::LongLabel),
    }
}

fn unescape(digits: [Option<u8>; 3]) -> Result<u8, NameError> {
    let mut octet: u8 = 0;
    for digit in digits {
        let digit = digit
            .filter(|d| (b'0'..=b'7').contains(d))
            .ok_or(NameError::BadEscape)?;
        octet = octet.checked_mul(8).ok_or(NameError::BadEscape)? + (digit - b'0');
    }
    Ok(octet.to_ascii_lowercase())
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for label in &self.labels {
            for octet in label {
                match octet {
                    b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => write!(f, "{}", char::from(*octet))?,
                    other => write!(f, "\\{other:03o}")?,
                }
            }
            f.write_str(".")?;
        }
        Ok(())
    }
}

impl TryFrom<String> for DomainName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

impl From<DomainName> for String {
    fn from(name: DomainName) -> Self {
        name.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lowered_dotted_and_escaped() {
        for (given, kept) in [
            ("example.com", "example.com."),
            ("WWW.Example.com.", "www.example.com."),
            ("*.example.com", r"\052.example.com."),
            (r"\052.example.com.", r"\052.example.com."),
            ("_acme-challenge.a.b", "_acme-challenge.a.b."),
            (r"a\056b.c", r"a\056b.c."),
        ] {
            assert_eq!(
                DomainName::parse(given).map(|n| n.to_string()),
                Ok(kept.to_owned())
            );
        }
    }

    #[test]
    fn malformed_names_are_refused() {
        let long = "a".repeat(64);
        let whole = vec!["a".repeat(60); 5].join(".");
        for (given, why) in [
            ("", NameError::EmptyLabel),
            (".", NameError::EmptyLabel),
            ("a..b", NameError::EmptyLabel),
            (long.as_str(), NameError::LongLabel),
            (whole.as_str(), NameError::LongName),
            (r"a\9", NameError::BadEscape),
            (r"a\777", NameError::BadEscape),
        ] {
            assert_eq!(DomainName::parse(given), Err(why), "{given}");
        }
    }

    #[test]
    fn the_order_is_by_reversed_labels() {
        let mut names: Vec<_> = [
            "b.example.com",
            "z.a.example.com",
            "example.com",
            "*.example.com",
        ]
        .iter()
        .filter_map(|name| DomainName::parse(name).ok())
        .collect();
        names.sort_by_key(DomainName::order);
        let texts: Vec<_> = names.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "example.com.",
                r"\052.example.com.",
                "z.a.example.com.",
                "b.example.com."
            ]
        );
    }
}
