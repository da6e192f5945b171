//! What to say about text that is not HCL.

use super::Span;
use super::scan::Unclosed;
use crate::diag::Code;
use crate::diag::Diagnostic;

/// Says what is not closed.
pub(super) fn unclosed(
    unclosed: &Unclosed,
    text: &str,
    span: &dyn Fn(usize, usize) -> Span,
) -> Diagnostic {
    let mark = |message: &str, at: usize, width: usize| {
        Diagnostic::error(Code::SyntaxError, message).label(span(at, at + width), "opened here")
    };
    let meets = |error: Diagnostic, by: &Option<usize>| match by {
        Some(by) => error.label(span(*by, by + 1), "and this closes something else"),
        None => error,
    };
    match unclosed {
        Unclosed::String(at) => mark("this string is never closed", *at, 1)
            .hint("add the missing `\"`; text of several lines is written as `<<-EOT … EOT`"),
        Unclosed::Heredoc(at, marker) => mark("this heredoc is never closed", *at, 2)
            .hint(format!("add a line that holds nothing but `{marker}`")),
        Unclosed::Comment(at) => {
            mark("this comment is never closed", *at, 2).hint("add the missing `*/`")
        }
        Unclosed::Template(at, by) => meets(mark("this interpolation is never closed", *at, 2), by)
            .hint("add the missing `}`, or write `$${` for a literal `${`"),
        Unclosed::Bracket(at, by) => {
            let open = &text[*at..=*at];
            let message = format!("this `{open}` is never closed");
            meets(mark(&message, *at, 1), by).hint(format!("add the missing `{}`", closer(open)))
        }
    }
}

fn closer(open: &str) -> &'static str {
    match open {
        "(" => ")",
        "[" => "]",
        _ => "}",
    }
}

/// Turns a message of the expression parser into one of ours.
pub(super) fn explain(message: &str, text: &str, span: Span) -> Diagnostic {
    let error = |message: &str| Diagnostic::error(Code::SyntaxError, message);
    if message.contains("at most 64 nested") || message.contains("at most 128 chained") {
        let limit = "at most 64 levels of brackets and 128 operators in a row can be read";
        let deep = Diagnostic::error(Code::LimitExceeded, "the expression is nested too deeply");
        return deep
            .label(span, limit)
            .hint("name parts of it with `locals`");
    }
    if message.contains("escape sequence") || message.contains("hex code") {
        return error("unknown escape sequence")
            .label(span, "in this string")
            .hint("escapes are \\n, \\r, \\t, \\\", \\\\, \\uNNNN and \\UNNNNNNNN");
    }
    if message.contains("redefined object key") {
        return error("an object has the same key twice")
            .label(span, "set again here")
            .hint("remove one of the two");
    }
    if text.trim_end().ends_with(',') {
        return error("arguments of a block are not separated by commas")
            .label(span, "")
            .hint("remove the comma at the end of the line");
    }
    if text.starts_with('\'') || text.contains(" '") {
        return error("text stands in double quotes")
            .label(span, "cannot be read")
            .hint("write `\"…\"` instead of `'…'`");
    }
    if message.starts_with("invalid expression") || message == "unexpected token" {
        return error("the expression cannot be read").label(span, "expected a value around here");
    }
    error("the expression cannot be read").label(span, message)
}
