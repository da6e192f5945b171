//! Texts of others that are too long to be shown whole.
//!
//! What is known to be secret is taken out of a text later than it is cut, and only where it stands whole: half of
//! one would be found by nobody. So the word that a cut would go through is left out.

/// Keeps the beginning of a text: so many characters at most, and only whole words.
pub fn head(text: &str, characters_max: usize) -> String {
    let Some((end, next)) = text.char_indices().nth(characters_max) else {
        return text.to_owned();
    };
    let kept = match next.is_whitespace() {
        true => &text[..end],
        false => up_to_last_space(&text[..end]),
    };
    format!("{} …", kept.trim_end()).trim_start().to_owned()
}

/// Keeps the end of a text: so many characters at most, and only whole words.
pub fn tail(text: &str, characters_max: usize) -> String {
    let all = text.chars().count();
    let Some(left_out) = all.checked_sub(characters_max).filter(|n| *n > 0) else {
        return text.to_owned();
    };
    let start = text.char_indices().nth(left_out);
    let (before, kept) = text.split_at(start.map_or(text.len(), |(at, _)| at));
    let kept = match before.ends_with(char::is_whitespace) {
        true => kept,
        false => from_first_space(kept),
    };
    format!("… {}", kept.trim_start()).trim_end().to_owned()
}

/// Keeps what stands before the word that a text ends with.
fn up_to_last_space(text: &str) -> &str {
    text.rfind(char::is_whitespace).map_or("", |at| &text[..at])
}

/// Keeps what stands behind the word that a text begins with.
pub fn from_first_space(text: &str) -> &str {
    text.find(char::is_whitespace).map_or("", |at| &text[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_enough_stays_as_it_is() {
        for text in ["", "no", " no space \n"] {
            assert_eq!(head(text, 12), text);
            assert_eq!(tail(text, 12), text);
        }
    }

    #[test]
    fn a_word_that_the_cut_goes_through_is_left_out() {
        assert_eq!(head("the password hunter22 is wrong", 17), "the password …");
        assert_eq!(tail("the password hunter22 is wrong", 13), "… is wrong");
        assert_eq!(head("pässword\thunter22", 12), "pässword …");
        assert_eq!(tail("hunter22\nwröng", 9), "… wröng");
    }

    #[test]
    fn a_word_that_ends_at_the_cut_stays() {
        assert_eq!(head("the password hunter22", 12), "the password …");
        assert_eq!(head("the password hunter22", 13), "the password …");
        assert_eq!(tail("the password hunter22", 8), "… hunter22");
        assert_eq!(tail("the password hunter22", 9), "… hunter22");
    }

    #[test]
    fn of_one_word_that_is_too_long_nothing_is_kept() {
        assert_eq!(head("hunter22", 4), "…");
        assert_eq!(tail("hunter22", 4), "…");
    }
}
