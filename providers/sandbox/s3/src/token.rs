//! Ids that look random and are the same in every run with the same seed.

use sha2::Digest as _;
use sha2::Sha256;

/// How many characters an id has.
const ID_CHARS: usize = 32;

/// Makes ids from a seed.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    seed: u64,
    made: u64,
}

impl Tokens {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, made: 0 }
    }

    /// Returns an id that was not returned before.
    pub(crate) fn next(&mut self) -> String {
        self.made += 1;
        let mut hash = Sha256::new();
        hash.update(self.seed.to_be_bytes());
        hash.update(self.made.to_be_bytes());
        let mut id = hex(&hash.finalize());
        id.truncate(ID_CHARS);
        id
    }
}

/// Writes bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |n: u8| char::from_digit(u32::from(n), 16).unwrap_or('0');
    let pairs = bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]);
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_row_of_ids() {
        let row = |seed| {
            let mut tokens = Tokens::new(seed);
            [tokens.next(), tokens.next()]
        };
        assert_eq!(row(1), row(1));
        assert_ne!(row(1), row(2));
        let [a, b] = row(1);
        assert_ne!(a, b);
        assert_eq!(hex(&[0, 255, 16]), "00ff10");
    }
}
