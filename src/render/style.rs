//! Colour and width.

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

/// Cuts a text to a number of characters; what is cut off is marked.
pub(crate) fn cut(text: &str, characters_max: usize) -> String {
    if text.chars().count() <= characters_max {
        return text.to_owned();
    }
    let mut out: String = text
        .chars()
        .take(characters_max.saturating_sub(1))
        .collect();
    out.push('…');
    out
}

/// Breaks a text at spaces into lines; what is too much is cut off and marked.
pub(crate) fn wrapped(text: &str, width: usize, lines_max: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    if lines.len() > lines_max {
        lines.truncate(lines_max);
        if let Some(last) = lines.last_mut() {
            *last = format!("{} …", cut(last, width.saturating_sub(2)));
        }
    }
    lines.iter().map(|line| cut(line, width)).collect()
}

/// A time for people: to the second, in UTC.
pub(crate) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A length of time for people.
pub(crate) fn span(seconds: u64) -> String {
    crate::lang::format_duration(std::time::Duration::from_secs(seconds))
}

/// A number with its noun.
pub(crate) fn count(n: u64, one: &str, many: &str) -> String {
    if n == 1 {
        format!("1 {one}")
    } else {
        format!("{n} {many}")
    }
}
