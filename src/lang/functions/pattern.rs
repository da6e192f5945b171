//! Regular expressions as Terraform has them: the syntax and meaning of RE2, run by another engine
//! of the same family. Where the two read a text differently, it is rewritten.
//!
//! The differences: `\d`, `\s`, `\w` and `\b` mean ASCII; `\Q…\E` quotes; `{` that begins no count
//! is plain; in a class, `[`, `&` and `~` are plain; `\<` and `\>` are plain.

use regex::Regex;
use regex::RegexBuilder;

/// How large a compiled pattern may be, in bytes. Searching costs at most this times the text.
const COMPILED_BYTES_MAX: usize = 4 << 20;
/// How much one search may keep of what it has worked out so far, in bytes.
const CACHE_BYTES_MAX: usize = 1 << 20;
/// The longest pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 64 << 10;
/// The longest text that is searched, in bytes.
pub(super) const SEARCHED_BYTES_MAX: usize = 1 << 20;

/// What `\s` stands for, inside of a class.
const SPACE: &str = r"\t\n\f\r\x20";
/// What `\d` stands for.
const DIGIT: &str = "0-9";
/// What `\w` stands for.
const WORD: &str = "0-9A-Za-z_";

/// Compiles a regular expression.
pub(super) fn compile(text: &str) -> Result<Regex, regex::Error> {
    if text.len() > PATTERN_BYTES_MAX {
        return Err(regex::Error::CompiledTooBig(PATTERN_BYTES_MAX));
    }
    RegexBuilder::new(&rewritten(text))
        .size_limit(COMPILED_BYTES_MAX)
        .dfa_size_limit(CACHE_BYTES_MAX)
        .build()
}

/// Says in one line what is wrong with a regular expression; quotes nothing of it.
pub(super) fn reason(error: &regex::Error) -> String {
    match error {
        regex::Error::Syntax(text) => {
            let last = text.lines().last().unwrap_or("").trim();
            last.strip_prefix("error: ").unwrap_or(last).to_owned()
        }
        regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
        _ => "it cannot be used".to_owned(),
    }
}

fn rewritten(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = match c {
            '\\' => escape(rest, &mut out),
            '[' => class(rest, &mut out),
            '{' if !is_count(rest) => {
                out.push_str(r"\{");
                &rest[1..]
            }
            c => {
                out.push(c);
                &rest[c.len_utf8()..]
            }
        };
    }
    out
}

/// Tells whether a text begins with `{n}`, `{n,}` or `{n,m}`.
fn is_count(text: &str) -> bool {
    let inner = text.strip_prefix('{').and_then(|text| text.split_once('}'));
    let Some((inner, _)) = inner else {
        return false;
    };
    let (least, most) = inner.split_once(',').unwrap_or((inner, "0"));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    !least.is_empty() && digits(least) && digits(most)
}

/// Rewrites an escape outside of a class; returns what follows it.
fn escape<'t>(text: &'t str, out: &mut String) -> &'t str {
    let Some(c) = text[1..].chars().next() else {
        out.push('\\');
        return "";
    };
    let rest = &text[1 + c.len_utf8()..];
    match c {
        'Q' => {
            let (quoted, rest) = rest.split_once(r"\E").unwrap_or((rest, ""));
            out.push_str(&regex::escape(quoted));
            return rest;
        }
        'b' => out.push_str(r"(?-u:\b)"),
        // A class by name or a character by number stands in braces, which are no count.
        'p' | 'P' | 'x' if rest.starts_with('{') => {
            let end = rest.find('}').map_or(rest.len(), |at| at + 1);
            out.extend(["\\", &c.to_string(), &rest[..end]]);
            return &rest[end..];
        }
        '<' | '>' => out.push(c),
        c => match named(c) {
            Some((set, true)) => out.extend(["[^", set, "]"]),
            Some((set, false)) => out.extend(["[", set, "]"]),
            None => out.extend(['\\', c]),
        },
    }
    rest
}

/// Returns the set of characters that an escape names, and whether it means all others.
fn named(c: char) -> Option<(&'static str, bool)> {
    let set = match c.to_ascii_lowercase() {
        'd' => DIGIT,
        's' => SPACE,
        'w' => WORD,
        _ => return None,
    };
    Some((set, c.is_ascii_uppercase()))
}

/// Rewrites a class; returns what follows it.
fn class<'t>(text: &'t str, out: &mut String) -> &'t str {
    out.push('[');
    let mut rest = &text[1..];
    if let Some(behind) = rest.strip_prefix('^') {
        out.push('^');
        rest = behind;
    }
    // As the first character, the bracket is plain.
    if let Some(behind) = rest.strip_prefix(']') {
        out.push_str(r"\]");
        rest = behind;
    }
    while let Some(c) = rest.chars().next() {
        let behind = &rest[c.len_utf8()..];
        rest = match c {
            ']' => {
                out.push(']');
                return behind;
            }
            '[' => match posix(rest) {
                Some((name, behind)) => {
                    out.push_str(name);
                    behind
                }
                None => {
                    out.push_str(r"\[");
                    behind
                }
            },
            '\\' => class_escape(behind, out),
            '&' | '~' => {
                out.extend(['\\', c]);
                behind
            }
            // Twice in a row is a range that ends there, never a difference of classes.
            '-' if behind.starts_with('-') => {
                out.push_str(r"-\-");
                &behind[1..]
            }
            c => {
                out.push(c);
                behind
            }
        };
    }
    ""
}

/// Splits a name such as `[:alpha:]` from the front of a text.
fn posix(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix("[:")?;
    let length = inner.find(":]")?;
    let name = inner[..length]
        .strip_prefix('^')
        .unwrap_or(&inner[..length]);
    let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphabetic());
    plain.then(|| text.split_at(length + 4))
}

/// Rewrites what follows a backslash inside of a class; returns what follows that.
fn class_escape<'t>(text: &'t str, out: &mut String) -> &'t str {
    let Some(c) = text.chars().next() else {
        out.push('\\');
        return "";
    };
    match c {
        '<' | '>' => out.push(c),
        c => match named(c) {
            Some((set, true)) => out.extend(["[^", set, "]"]),
            Some((set, false)) => out.push_str(set),
            None => out.extend(['\\', c]),
        },
    }
    &text[c.len_utf8()..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(pattern: &str, text: &str) -> Option<String> {
        let regex = match compile(pattern) {
            Ok(regex) => regex,
            Err(error) => panic!("{pattern}: {error}"),
        };
        regex.find(text).map(|m| m.as_str().to_owned())
    }

    #[test]
    fn patterns_mean_what_they_mean_in_terraform() {
        let table = [
            // Perl's names are ASCII.
            (r"\d+", "٣ 42", Some("42")),
            (r"\w+", "é ab_1", Some("ab_1")),
            (r"\W", "é", Some("é")),
            (r"[\w-]+", "é a-b", Some("a-b")),
            (r"[\D]", "1x", Some("x")),
            (r"[^\s]+", " a\u{b}b ", Some("a\u{b}b")),
            (r"\bb\b", "éb", Some("b")),
            (r"[[:alpha:]]+", "1ab", Some("ab")),
            (r"[[:^alpha:]]+", "ab1", Some("1")),
            // Quotes and brackets that are plain.
            (r"\Qa.b\E+", "axb a.bb", Some("a.bb")),
            (r"\Qa+", "a+", Some("a+")),
            ("a{,2}", "aaa a{,2}", Some("a{,2}")),
            ("x{y", "x{y", Some("x{y")),
            ("a{2}", "aaa", Some("aa")),
            ("a{2,}", "aaa", Some("aaa")),
            ("[]a]+", "x]a", Some("]a")),
            ("[^]a]+", "]ax", Some("x")),
            ("[[a]+", "b[a", Some("[a")),
            ("[a&&b]+", "&ab", Some("&ab")),
            ("[a~~b]+", "~ab", Some("~ab")),
            ("[+--]+", "a+,-b", Some("+,-")),
            (r"\p{L}+", "1é", Some("é")),
            (r"\x{e9}", "é", Some("é")),
            (r"\<a\>", "<a>", Some("<a>")),
            (r"[\<]", "<", Some("<")),
            // What is the same in both.
            ("^a$", "b\na", None),
            ("(?m)^a$", "b\na", Some("a")),
            ("a.b", "a\nb", None),
            ("(?s)a.b", "a\nb", Some("a\nb")),
            ("(?i)É", "é", Some("é")),
            ("a+?", "aaa", Some("a")),
            ("a|ab", "ab", Some("a")),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(matched(pattern, text).as_deref(), expected, "{pattern}");
        }
    }

    #[test]
    fn patterns_that_are_none_say_why_in_one_line() {
        for pattern in ["(", "[a", r"a\", "(?=a)", r"(a)\1", "*", "a{5,2}", "[z-a]"] {
            let error = compile(pattern).expect_err(pattern);
            let why = reason(&error);
            assert!(!why.is_empty() && !why.contains('\n'), "{pattern}: {why}");
        }
        let huge = compile("((a{1000}){1000}){1000}").expect_err("too large");
        assert!(!reason(&huge).contains('\n'));
        let long = compile(&"a".repeat(PATTERN_BYTES_MAX + 1)).expect_err("too long");
        assert_eq!(reason(&long), "it is too large");
    }
}
