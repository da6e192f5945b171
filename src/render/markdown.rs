//! Text of others as Markdown and HTML in which nothing of it means anything, for tickets and comments
//! on pull requests: a spec may come from a fork.

use super::style::tame;

/// Stands behind a character of which a forge would make a mention, a reference or a link; such marks
/// are looked for after backslashes and entities are gone. It has no width.
const BREAK: char = '\u{200b}';

/// Text in one line, in which only names between backticks stay what they are: messages have them
/// anyway.
pub(super) fn plain(text: &str) -> String {
    named(text, escaped, code)
}

/// The same as HTML, for where Markdown is not read.
pub(super) fn html(text: &str) -> String {
    named(text, entities, |name| {
        format!("<code>{}</code>", entities(name))
    })
}

/// A name that is shown as it is.
pub(super) fn code(text: &str) -> String {
    let text = one_line(text);
    let marks = "`".repeat(longest_run(&text) + 1);
    if text.starts_with('`') || text.ends_with('`') {
        format!("{marks} {text} {marks}")
    } else {
        format!("{marks}{text}{marks}")
    }
}

/// A block of lines whose fence is longer than any within.
pub(super) fn fence(text: &str, language: &str, indent: &str, out: &mut Vec<String>) {
    let marks = "`".repeat(longest_run(text).max(2) + 1);
    out.push(format!("{indent}{marks}{language}"));
    out.extend(text.lines().map(|line| format!("{indent}{}", tame(line))));
    out.push(format!("{indent}{marks}"));
}

/// Draws names between backticks in one way and what stands around them in another. A text whose
/// backticks are not in pairs, or stand side by side, has no names: Markdown would pair them in its own
/// way.
fn named(text: &str, other: fn(&str) -> String, name: impl Fn(&str) -> String) -> String {
    let text = one_line(text);
    if text.contains("``") || !text.matches('`').count().is_multiple_of(2) {
        return other(&text);
    }
    let parts = text.split('`').enumerate();
    parts
        .map(|(i, part)| match i % 2 {
            1 if !part.trim().is_empty() => name(part),
            _ => other(part),
        })
        .collect()
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in entities(text).chars() {
        if matches!(c, '\\' | '*' | '_' | '[' | ']' | '|' | '~' | '!' | '`') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            // Two of them would be a formula.
            '$' => out.push_str("<span>$</span>"),
            _ => out.push(c),
        }
        if is_to_break(c, &text[..at], &text[at + c.len_utf8()..]) {
            out.push(BREAK);
        }
    }
    out
}

/// `@person`, `#1`, `GH-1`, `https://…`, `www.…`.
fn is_to_break(c: char, before: &str, after: &str) -> bool {
    let follows = |word: &str| {
        let start = before.len().checked_sub(word.len());
        start
            .and_then(|start| before.get(start..))
            .is_some_and(|end| end.eq_ignore_ascii_case(word))
    };
    match c {
        '@' | '#' => true,
        ':' => after.starts_with("//"),
        '.' => follows("www"),
        '-' => follows("gh"),
        _ => false,
    }
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

fn one_line(text: &str) -> String {
    tame(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_message_means_anything_to_markdown() {
        for (text, drawn) in [
            (
                "![x](y) <img> a*b & `a*b`\nnext",
                "\\!\\[x\\](y) &lt;img&gt; a\\*b &amp; `a*b` next",
            ),
            ("a ` b *c*", "a \\` b \\*c\\*"),
            ("a | b", "a \\| b"),
            ("$a$", "<span>$</span>a<span>$</span>"),
            (
                "@you #1 gh-2 www.a.example https://a.example",
                "@\u{200b}you #\u{200b}1 gh-\u{200b}2 www.\u{200b}a.example https:\u{200b}//a.example",
            ),
            ("a\u{202e}b\u{1b}[0m", "a\\\\u{202e}b\\\\u{1b}\\[0m"),
        ] {
            assert_eq!(plain(text), drawn);
        }
        assert_eq!(code("a``b"), "```a``b```");
        assert_eq!(code("`"), "`` ` ``");
    }

    #[test]
    fn backticks_that_markdown_pairs_in_its_own_way_hide_no_html() {
        // Between the two runs of two is a name; what follows them is not.
        let text = "`` a ` b `` <img> ` ";
        assert!(!plain(text).contains("<img>"), "{}", plain(text));
    }

    #[test]
    fn nothing_of_a_message_means_anything_to_html() {
        assert_eq!(
            html("</summary> `a<b` \"@you\""),
            "&lt;/summary&gt; <code>a&lt;b</code> \"@\u{200b}you\""
        );
    }

    #[test]
    fn a_fence_is_longer_than_any_within() {
        let mut out = Vec::new();
        fence("a\n````\n\u{7}", "diff", "  ", &mut out);
        assert_eq!(out, ["  `````diff", "  a", "  ````", "  \\u{7}", "  `````"]);
    }
}
