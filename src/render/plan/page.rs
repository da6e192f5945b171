//! A page that never grows beyond a number of bytes.

/// How many bytes are kept for the last words: what is missing, and how to see it.
const LAST_WORDS_BYTES_MAX: usize = 512;

/// A page to which whole pieces are added until one does not fit. What comes after that one is left out
/// too, so that what is missing is the end and no hole.
pub(super) struct Page {
    text: String,
    bytes_max: usize,
    is_full: bool,
}

impl Page {
    pub(super) fn of(bytes_max: usize) -> Self {
        Self {
            text: String::new(),
            bytes_max,
            is_full: false,
        }
    }

    /// Adds a piece; tells whether it fitted.
    pub(super) fn add(&mut self, piece: &str) -> bool {
        let bytes = self.text.len() + piece.len() + LAST_WORDS_BYTES_MAX;
        self.is_full |= bytes > self.bytes_max;
        if !self.is_full {
            self.text.push_str(piece);
        }
        !self.is_full
    }

    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Ends the page with its last words.
    pub(super) fn end(mut self, words: &str) -> String {
        debug_assert!(words.len() <= LAST_WORDS_BYTES_MAX, "{words}");
        self.text.push_str(words);
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_a_piece_that_does_not_fit_nothing_is_added() {
        let mut page = Page::of(LAST_WORDS_BYTES_MAX + 4);
        assert!(page.add("abc"));
        assert!(!page.add("de"));
        assert!(!page.add("f"));
        assert!(page.is_full());
        assert_eq!(page.end("."), "abc.");
    }
}
