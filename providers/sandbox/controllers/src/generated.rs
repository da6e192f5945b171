//! Names and addresses that real controllers draw at random, derived from what they belong to.

use std::net::Ipv4Addr;

use serde_json::Value;
use sha2::Digest;
use sha2::Sha256;

/// The letters of generated names: no vowels, so that no words arise.
const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// Length of the suffix that generated names get.
const SUFFIX: usize = 5;

/// Length of the hashes of templates.
const HASH: usize = 10;

fn digest(parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

fn letters(digest: &[u8; 32], count: usize) -> String {
    let letter = |byte: &u8| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]);
    digest.iter().take(count).map(letter).collect()
}

/// A suffix for a generated name.
pub(crate) fn suffix(parts: &[&str]) -> String {
    letters(&digest(parts), SUFFIX)
}

/// What tells one template from another.
pub(crate) fn template_hash(template: &Value) -> String {
    letters(&digest(&[&template.to_string()]), HASH)
}

/// Lowercase hex that stands for something unique.
pub(crate) fn hex(parts: &[&str], bytes: usize) -> String {
    let digest = digest(parts);
    let digit = |n: u8| char::from(b"0123456789abcdef"[usize::from(n & 15)]);
    let pairs = digest.iter().take(bytes);
    pairs.flat_map(|b| [digit(b >> 4), digit(*b)]).collect()
}

/// A number below `bound`.
pub(crate) fn below(bound: u32, parts: &[&str]) -> u32 {
    let [a, b, c, d, ..] = digest(parts);
    u32::from_le_bytes([a, b, c, d]) % bound.max(1)
}

/// An address in a network, never its first or last.
pub(crate) fn address(network: Ipv4Addr, size: u32, parts: &[&str]) -> Ipv4Addr {
    let host = 1 + below(size.saturating_sub(2), parts);
    Ipv4Addr::from(u32::from(network).wrapping_add(host))
}

/// The part of a name that a generated name starts with, so that it stays a valid name.
pub(crate) fn stem(name: &str) -> &str {
    const LONGEST: usize = 63 - SUFFIX - 1;
    name.get(..LONGEST).unwrap_or(name)
}
