//! Everything that a real cluster draws from chance, drawn from a seed: two worlds with one seed
//! have the same uids, names and tokens.

/// The letters of generated names: no vowels, nothing that looks like something else.
const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// How many letters `generateName` adds.
const SUFFIX_LETTERS: usize = 5;

/// How many characters a generated name may have before the letters.
const BASE_CHARACTERS_MAX: usize = 58;

/// A seeded source of numbers (SplitMix64: one addition and a few shifts each).
#[derive(Clone, Debug)]
pub(crate) struct Ids {
    state: u64,
}

impl Ids {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A uid in the form of a random UUID.
    pub(crate) fn uid(&mut self) -> String {
        let high = (self.number() & !0xf000) | 0x4000;
        let low = (self.number() & !(0b11 << 62)) | (0b10 << 62);
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xffff,
            low >> 48,
            low & 0xffff_ffff_ffff
        )
    }

    /// A name out of a `generateName`.
    pub(crate) fn name(&mut self, base: &str) -> String {
        let mut name: String = base.chars().take(BASE_CHARACTERS_MAX).collect();
        name.push_str(&self.letters(SUFFIX_LETTERS));
        name
    }

    /// Letters as generated names have them.
    pub(crate) fn letters(&mut self, count: usize) -> String {
        let mut letters = String::with_capacity(count);
        let mut number = self.number();
        for _ in 0..count {
            let index = usize::try_from(number % LETTERS.len() as u64).unwrap_or(0);
            letters.push(char::from(LETTERS[index]));
            number /= LETTERS.len() as u64;
        }
        letters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_the_same_ids_and_another_others() {
        let uid = Ids::new(7).uid();
        assert_eq!(uid, Ids::new(7).uid());
        assert_ne!(uid, Ids::new(8).uid());
        assert_eq!(uid.len(), 36);
        assert_eq!(uid.as_bytes()[14], b'4');
        assert!(matches!(uid.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
        assert_eq!(Ids::new(1).name("pod-").len(), 9);
    }
}
