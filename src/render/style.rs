//! Colour and width.

use std::fmt::Write as _;

use anstyle::AnsiColor;
use anstyle::Style as Ansi;
use drplan_api::Timestamp;

/// How text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether colours are used; everything is said without them too.
    pub color: bool,
    /// The width of the terminal in columns.
    pub width: usize,
}

/// What a colour means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Something is made or well.
    Good,
    /// Something is changed or unsure.
    Change,
    /// Something is lost, failed or cannot be undone.
    Bad,
    /// A person is asked.
    Ask,
    /// A heading.
    Head,
    /// Of less weight.
    Dim,
}

impl Style {
    /// Without colour, for files and tests.
    pub const PLAIN: Self = Self {
        color: false,
        width: 100,
    };

    /// Paints a text.
    pub fn paint(self, tone: Tone, text: &str) -> String {
        if !self.color || text.is_empty() {
            return text.to_owned();
        }
        let ansi = match tone {
            Tone::Good => AnsiColor::Green.on_default(),
            Tone::Change => AnsiColor::Yellow.on_default(),
            Tone::Bad => AnsiColor::Red.on_default(),
            Tone::Ask => AnsiColor::Cyan.on_default(),
            Tone::Head => Ansi::new().bold(),
            Tone::Dim => Ansi::new().dimmed(),
        };
        format!("{ansi}{text}{ansi:#}")
    }

    /// Cuts a line to the width; what is cut off is marked.
    pub fn fit(self, text: &str) -> String {
        cut(text, self.width)
    }
}

/// Spells out what is not seen and changes how the rest is seen: control characters, and those that turn
/// the direction of text.
pub(crate) fn tame(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => out.push(c),
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                let _ = write!(out, "{}", c.escape_unicode());
            }
            c if c.is_control() => {
                let _ = write!(out, "{}", c.escape_unicode());
            }
            _ => out.push(c),
        }
    }
    out
}

/// What a server, program or person says, perhaps in several lines, as one that steers no terminal.
pub(crate) fn in_one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    tame(&lines.collect::<Vec<_>>().join(" "))
}

/// The same, with all its spaces.
pub(crate) fn flat(text: &str) -> String {
    tame(&text.replace(['\n', '\r'], " "))
}

/// Cuts a text to a number of characters; what is cut off is marked.
pub(crate) fn cut(text: &str, characters_max: usize) -> String {
    let text = flat(text);
    if text.chars().count() <= characters_max {
        return text;
    }
    let mut out: String = text
        .chars()
        .take(characters_max.saturating_sub(1))
        .collect();
    out.push('…');
    out
}

/// Cuts a text to a number of characters; what is cut out of its middle is marked.
pub(crate) fn cut_within(text: &str, characters_max: usize) -> String {
    let all = text.chars().count();
    if all <= characters_max {
        return text.to_owned();
    }
    let kept = characters_max.saturating_sub(1);
    let (first, last) = (kept - kept / 2, all - kept / 2);
    let chars = text.chars().enumerate();
    let kept = chars.filter_map(|(i, c)| (i < first || i >= last).then_some(c));
    let mut out: Vec<char> = kept.collect();
    out.insert(first.min(out.len()), '…');
    out.into_iter().collect()
}

/// Breaks a text at spaces into lines; what is too much is cut off and marked.
pub(crate) fn wrapped(text: &str, width: usize, lines_max: usize) -> Vec<String> {
    let mut lines = whole(text, width);
    if lines.len() > lines_max {
        lines.truncate(lines_max);
        if let Some(last) = lines.last_mut() {
            *last = with_mark(last, width);
        }
    }
    lines.iter().map(|line| cut(line, width)).collect()
}

/// Breaks a text at spaces into lines; of what is too much the middle is left out, which is marked.
pub(crate) fn both_ends(text: &str, width: usize, lines_max: usize) -> Vec<String> {
    let mut lines = whole(text, width);
    if lines.len() > lines_max {
        let first = lines_max / 2;
        let last = lines.len() - (lines_max - first - 1);
        lines.splice(first..last, ["…".to_owned()]);
    }
    lines.iter().map(|line| cut(line, width)).collect()
}

/// A line with a mark that something is missing behind it, within the width.
fn with_mark(line: &str, width: usize) -> String {
    let mut words: Vec<&str> = line.split(' ').collect();
    while words.len() > 1 && words.join(" ").chars().count() + 2 > width {
        words.pop();
    }
    cut(&format!("{} …", words.join(" ")), width)
}

/// Breaks a text at spaces into lines and keeps all of it; a longer word has a line of its own.
pub(crate) fn whole(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let text = flat(text);
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A time for people: to the second, in UTC.
pub(crate) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A length of time for people.
pub(crate) fn span(seconds: u64) -> String {
    crate::lang::format_duration(std::time::Duration::from_secs(seconds))
}

/// How far a stop watch is: `8m12s`, `1h02m03s`.
pub(crate) fn stopwatch(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m{s:02}s"),
        (h, m, s) => format!("{h}h{m:02}m{s:02}s"),
    }
}

/// The whole seconds between two times; none if the second is not later.
pub(crate) fn seconds_between(since: Timestamp, at: Timestamp) -> u64 {
    u64::try_from(at.duration_since(since).as_secs()).unwrap_or_default()
}

/// A number with its noun.
pub(crate) fn count(n: u64, one: &str, many: &str) -> String {
    if n == 1 {
        format!("1 {one}")
    } else {
        format!("{n} {many}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_watch_shows_what_is_there() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m00s"),
            (492, "8m12s"),
            (3723, "1h02m03s"),
        ] {
            assert_eq!(stopwatch(seconds), text);
        }
    }

    #[test]
    fn a_text_that_is_kept_whole_loses_nothing() {
        let text = "a word of eighteen-characters and more";
        let lines = whole(text, 10);
        assert_eq!(lines.join(" "), text);
        assert_eq!(lines, ["a word of", "eighteen-characters", "and more"]);
        assert_eq!(wrapped(text, 10, 1), ["a word …"]);
    }

    #[test]
    fn of_a_text_that_is_too_long_both_ends_are_kept() {
        let text = "one two three four five six";
        assert_eq!(both_ends(text, 5, 6).join(" "), text);
        assert_eq!(both_ends(text, 5, 5), ["one", "two", "…", "five", "six"]);
        assert_eq!(both_ends(text, 5, 4), ["one", "two", "…", "six"]);
        for (characters_max, cut) in [(27, text), (7, "one…six"), (6, "one…ix"), (1, "…")] {
            assert_eq!(cut_within(text, characters_max), cut);
        }
    }
}
