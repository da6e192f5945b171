//! The report as Markdown, for a ticket.

use super::outline::Row;
use super::outline::Section;
use super::outline::figures;
use super::outline::outline;
use super::outline::when;
use crate::report::Report;

/// The whole report.
pub fn markdown(report: &Report) -> String {
    let mut out = vec![
        format!(
            "# Recovery {}: run `{}`",
            plain(&report.recovery),
            report.run
        ),
        String::new(),
        format!("**{}**", plain(&report.headline)),
        String::new(),
        plain(&when(report)),
        String::new(),
        "| figure | number |".to_owned(),
        "|---|---|".to_owned(),
    ];
    let figures = figures(&report.counts);
    out.extend(figures.iter().map(|(name, n)| format!("| {name} | {n} |")));
    for section in outline(report) {
        draw(&section, &mut out);
    }
    if let Some(next) = &report.next {
        out.extend([String::new(), "## Next".to_owned(), String::new()]);
        fence(next, "", &mut out);
    }
    out.join("\n") + "\n"
}

fn draw(section: &Section, out: &mut Vec<String>) {
    out.extend([
        String::new(),
        format!("## {}", section.title),
        String::new(),
    ]);
    if !section.says.is_empty() {
        out.push(plain(&section.says));
        if !section.rows.is_empty() {
            out.push(String::new());
        }
    }
    for row in &section.rows {
        draw_row(row, out);
    }
}

fn draw_row(row: &Row, out: &mut Vec<String>) {
    out.push(format!("- {} {}", code(&row.head), plain(&row.text)));
    out.extend(row.details.iter().map(|d| format!("  - {}", plain(d))));
    for command in &row.commands {
        out.push(String::new());
        fence(command, "  ", out);
    }
}

/// A block whose fence is longer than any within.
fn fence(text: &str, indent: &str, out: &mut Vec<String>) {
    let marks = "`".repeat(longest_run(text).max(2) + 1);
    out.push(format!("{indent}{marks}sh"));
    out.extend(text.lines().map(|line| format!("{indent}{line}")));
    out.push(format!("{indent}{marks}"));
}

/// A name that is shown as it is.
fn code(text: &str) -> String {
    let text = one_line(text);
    let marks = "`".repeat(longest_run(&text) + 1);
    if text.starts_with('`') || text.ends_with('`') {
        format!("{marks} {text} {marks}")
    } else {
        format!("{marks}{text}{marks}")
    }
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Text in which nothing means anything to Markdown or HTML, except for names between backticks, which
/// messages have anyway.
fn plain(text: &str) -> String {
    let text = one_line(text);
    // A lone backtick would swallow what follows.
    let paired = text.matches('`').count().is_multiple_of(2);
    let mut out = String::with_capacity(text.len());
    let mut in_code = false;
    for c in text.chars() {
        match c {
            '`' if paired => in_code = !in_code,
            _ if in_code => {}
            '<' => {
                out.push_str("&lt;");
                continue;
            }
            '&' => {
                out.push_str("&amp;");
                continue;
            }
            '\\' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' | '@' | '`' => out.push('\\'),
            _ => {}
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_message_means_anything_to_markdown() {
        assert_eq!(
            plain("![x](y) <img> a*b & `a*b` #1\nnext"),
            "\\!\\[x\\](y) &lt;img> a\\*b &amp; `a*b` \\#1 next"
        );
        assert_eq!(plain("a ` b *c*"), "a \\` b \\*c\\*");
        assert_eq!(code("a``b"), "```a``b```");
    }
}
