//! Text to blocks and arguments.
//!
//! Reads the structure of a file itself and leaves each expression to `hcl-edit`, so that every
//! argument is parsed alone: one mistake costs one argument, and all are reported.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use hcl::edit::expr::Expression;
use hcl::edit::parser::parse_expr;

use super::Attr;
use super::Block;
use super::Expr;
use super::FileId;
use super::Span;
use super::lower::Lower;
use super::scan;
use super::scan::Unclosed;
use super::syntax;
use crate::diag::Code;
use crate::diag::Diagnostic;
use crate::diag::Diagnostics;

/// How deeply blocks may be nested.
const BLOCK_DEPTH_MAX: usize = 32;
/// The largest file, in bytes.
const FILE_BYTES_MAX: usize = 16 << 20;
/// After so many errors in one file the rest is not read.
const FILE_ERRORS_MAX: usize = 100;

/// Parses one file: everything that can be read, and everything that is wrong.
pub fn parse_file(file: FileId, text: &str) -> (Vec<Block>, Diagnostics) {
    let mut parser = Parser::new(file, text);
    let body = parser.file();
    for (name, attr) in body.attrs {
        let wrong = Diagnostic::error(
            Code::SyntaxError,
            format!("the argument `{name}` stands outside of any block"),
        );
        parser.diags.push(
            wrong
                .label(attr.name_span, "this must be inside of a block")
                .hint(format!(
                    "put it into a block, or name a value with `locals {{ {name} = … }}`"
                )),
        );
    }
    (body.blocks, parser.diags.sorted())
}

/// Parses a file that is one body: arguments and blocks beside each other.
pub fn parse_body(file: FileId, text: &str) -> (BTreeMap<String, Attr>, Vec<Block>, Diagnostics) {
    let mut parser = Parser::new(file, text);
    let body = parser.file();
    (body.attrs, body.blocks, parser.diags.sorted())
}

/// Parses a variable file: `name = value` lines.
pub fn parse_values_file(file: FileId, text: &str) -> (BTreeMap<String, Attr>, Diagnostics) {
    let mut parser = Parser::new(file, text);
    let body = parser.file();
    for block in body.blocks {
        let wrong = Diagnostic::error(
            Code::BadVariableFile,
            format!(
                "a variable file holds no blocks, and this is a `{}`",
                block.kind
            ),
        );
        parser.diags.push(
            wrong
                .label(block.span, "only `name = value` may stand here")
                .hint("move the block into a `*.dr.hcl` file"),
        );
    }
    (body.attrs, parser.diags.sorted())
}

/// Parses one expression, as given on a command line.
///
/// # Errors
///
/// Says what is wrong with it.
pub fn parse_expression(file: FileId, text: &str) -> Result<Expr, Diagnostic> {
    let mut parser = Parser::new(file, text);
    parser.space(true);
    let start = parser.at;
    if start == text.len() {
        let empty = Diagnostic::error(Code::SyntaxError, "there is no expression");
        return Err(empty.label(parser.span(start, start), "expected a value here"));
    }
    let extent =
        scan::expression(text, start).map_err(|(unclosed, _)| parser.unclosed(&unclosed))?;
    parser.at = extent.next;
    parser.space(true);
    if parser.at < text.len() {
        let behind = Diagnostic::error(Code::SyntaxError, "something stands behind the expression");
        return Err(behind.label(parser.span(parser.at, text.len()), "this is too much"));
    }
    parser.expression(start, extent.end)
}

/// What an expression cannot end with.
const OPERATORS: &[char] = &['+', '-', '*', '/', '%', '&', '|', '<', '>', '=', '?', ':'];

#[derive(Default)]
struct Body {
    attrs: BTreeMap<String, Attr>,
    blocks: Vec<Block>,
    closed: bool,
}

struct Parser<'a> {
    file: FileId,
    text: &'a str,
    at: usize,
    /// Whether a block header at the margin ends all blocks that are still open. On once a block was
    /// found that nothing closes.
    margin_closes: bool,
    diags: Diagnostics,
}

impl<'a> Parser<'a> {
    fn new(file: FileId, text: &'a str) -> Self {
        Self {
            file,
            text,
            at: if text.starts_with('\u{feff}') { 3 } else { 0 },
            margin_closes: false,
            diags: Diagnostics::new(),
        }
    }

    fn file(&mut self) -> Body {
        if self.text.len() > FILE_BYTES_MAX {
            let large = Diagnostic::error(
                Code::LimitExceeded,
                format!("the file is larger than {} MiB", FILE_BYTES_MAX >> 20),
            );
            self.diags.push(large.label(self.span(0, 0), ""));
            return Body::default();
        }
        self.body(0)
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span {
            file: self.file,
            start: u32::try_from(start).unwrap_or(u32::MAX),
            end: u32::try_from(end).unwrap_or(u32::MAX),
        }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn error(&mut self, message: impl Into<String>, start: usize, end: usize, label: &str) {
        let error = Diagnostic::error(Code::SyntaxError, message);
        self.diags.push(error.label(self.span(start, end), label));
    }

    fn error_with(
        &mut self,
        message: impl Into<String>,
        (start, end): (usize, usize),
        label: &str,
        hint: impl Into<String>,
    ) {
        let error = Diagnostic::error(Code::SyntaxError, message);
        let error = error.label(self.span(start, end), label).hint(hint);
        self.diags.push(error);
    }

    /// Skips blanks and comments, and line ends if told so.
    fn space(&mut self, lines: bool) {
        loop {
            let rest = self.rest();
            let blank = |c: char| c == ' ' || c == '\t' || (lines && (c == '\n' || c == '\r'));
            self.at += rest.len() - rest.trim_start_matches(blank).len();
            let rest = self.rest();
            if lines && (rest.starts_with('#') || rest.starts_with("//")) {
                self.at = scan::line_end(self.text, self.at);
            } else if rest.starts_with("/*") {
                let start = self.at;
                self.at = scan::comment_end(self.text, start).unwrap_or_else(|| {
                    let open = self.unclosed(&Unclosed::Comment(start));
                    self.diags.push(open);
                    self.text.len()
                });
            } else {
                return;
            }
        }
    }

    fn skip_line(&mut self) {
        self.at = scan::line_end(self.text, self.at);
    }

    fn ident(&mut self) -> Option<(usize, &'a str)> {
        let rest = self.rest();
        if !rest.starts_with(scan::is_ident_start) {
            return None;
        }
        let length = rest.find(|c| !scan::is_ident_char(c)).unwrap_or(rest.len());
        let start = self.at;
        self.at += length;
        Some((start, &rest[..length]))
    }

    fn body(&mut self, depth: usize) -> Body {
        let mut body = Body::default();
        while self.diags.len() < FILE_ERRORS_MAX {
            self.space(true);
            let start = self.at;
            match self.peek() {
                None => break,
                Some('}') => {
                    self.at += 1;
                    if depth > 0 {
                        body.closed = true;
                        break;
                    }
                    self.error("unexpected `}`", start, start + 1, "no block is open here");
                }
                Some(_) if depth > 0 && self.margin_closes && self.header_at_margin() => break,
                Some(_) => self.item(&mut body, depth),
            }
        }
        body
    }

    /// Tells whether a block header starts here, at the margin.
    fn header_at_margin(&self) -> bool {
        let at_margin = self.at == 0 || self.text.as_bytes()[self.at - 1] == b'\n';
        let line = &self.text[self.at..scan::line_end(self.text, self.at)];
        at_margin
            && line.starts_with(scan::is_ident_start)
            && line.trim_end().ends_with('{')
            && !line.contains('=')
    }

    fn item(&mut self, body: &mut Body, depth: usize) {
        let Some((start, name)) = self.ident() else {
            return self.not_an_item();
        };
        let name_end = self.at;
        self.space(false);
        match self.peek() {
            Some('=') if !self.rest().starts_with("==") => {
                self.at += 1;
                self.attribute(body, name, start, name_end);
            }
            Some(c) if c == '{' || c == '"' || scan::is_ident_start(c) => {
                self.block(body, name, start, depth);
            }
            Some(':') => {
                self.error_with(
                    format!("the argument `{name}` is set with `:`"),
                    (self.at, self.at + 1),
                    "expected `=`",
                    format!("write `{name} = …`"),
                );
                self.skip_line();
            }
            _ => {
                self.error_with(
                    format!("`{name}` is neither an argument nor a block"),
                    (start, name_end),
                    "expected `=` or `{` behind it",
                    format!("write `{name} = …` or `{name} {{ … }}`"),
                );
                self.skip_line();
            }
        }
    }

    fn not_an_item(&mut self) {
        let start = self.at;
        let width = self.peek().map_or(0, char::len_utf8);
        if self.rest().starts_with('"') {
            self.error_with(
                "a name in quotes cannot start an argument or a block",
                (start, start + width),
                "expected a name without quotes",
                "remove the quotes",
            );
        } else {
            self.error(
                "expected an argument or a block",
                start,
                start + width,
                "this cannot start either",
            );
        }
        self.skip_line();
    }

    fn attribute(&mut self, body: &mut Body, name: &str, start: usize, name_end: usize) {
        self.space(false);
        let name_span = self.span(start, name_end);
        let value = self.at;
        let nothing = match self.peek() {
            None | Some('\n' | '\r' | '}' | '#') => true,
            Some(_) => self.rest().starts_with("//"),
        };
        if nothing {
            return self.error_with(
                format!("the argument `{name}` has no value"),
                (start, value.max(name_end)),
                "expected a value behind `=`",
                format!("write a value, or `{name} = null`, or remove the line"),
            );
        }
        let extent = match scan::expression(self.text, value) {
            Ok(extent) => extent,
            Err((unclosed, resume)) => {
                let error = self.unclosed(&unclosed);
                self.diags.push(error);
                self.at = self.resume(value, resume);
                return;
            }
        };
        self.at = extent.next;
        match self.expression(value, extent.end) {
            Err(error) => self.diags.push(error),
            Ok(expr) => self.keep(body, name, name_span, extent.end, expr),
        }
        if let Some(close @ (')' | ']')) = self.peek() {
            self.error(
                format!("unexpected `{close}`"),
                self.at,
                self.at + 1,
                "nothing is open here that this closes",
            );
            self.skip_line();
        }
    }

    fn keep(&mut self, body: &mut Body, name: &str, name_span: Span, end: usize, expr: Expr) {
        let span = self.span(name_span.start as usize, end);
        match body.attrs.entry(name.to_owned()) {
            Entry::Vacant(entry) => {
                entry.insert(Attr {
                    name_span,
                    expr,
                    span,
                });
            }
            Entry::Occupied(entry) => {
                let twice = Diagnostic::error(
                    Code::DuplicateName,
                    format!("the argument `{name}` is set twice"),
                );
                self.diags.push(
                    twice
                        .label(name_span, "set again here")
                        .label(entry.get().name_span, "set here first")
                        .hint("remove one of the two"),
                );
            }
        }
    }

    /// Decides where to read on behind something that is not closed.
    fn resume(&self, start: usize, stopped: usize) -> usize {
        if stopped < self.text.len() {
            return stopped;
        }
        let mut at = scan::line_end(self.text, start);
        while at < self.text.len() {
            at += 1;
            let line = &self.text[at..scan::line_end(self.text, at)];
            let header = line.starts_with(scan::is_ident_start) && line.trim_end().ends_with('{');
            if header && !line.contains('=') {
                return at;
            }
            at += line.len();
        }
        at
    }

    fn block(&mut self, body: &mut Body, kind: &str, start: usize, depth: usize) {
        let kind_span = self.span(start, start + kind.len());
        let Some((labels, end)) = self.labels(kind, start) else {
            return self.skip_line();
        };
        if depth >= BLOCK_DEPTH_MAX {
            let deep = Diagnostic::error(
                Code::LimitExceeded,
                format!("blocks are nested more than {BLOCK_DEPTH_MAX} deep"),
            );
            self.diags.push(deep.label(kind_span, "this block"));
            self.at = self.text.len();
            return;
        }
        let open = self.at;
        let reported = self.diags.len();
        self.at += 1;
        let mut inner = self.body(depth + 1);
        if !inner.closed && depth == 0 && !self.margin_closes {
            // The first block that nothing closes took in all that follows. Read it again so that
            // it ends where the next block starts at the margin.
            self.diags = std::mem::take(&mut self.diags)
                .into_iter()
                .take(reported)
                .collect();
            self.margin_closes = true;
            self.at = open + 1;
            inner = self.body(depth + 1);
        }
        if !inner.closed && self.diags.len() < FILE_ERRORS_MAX {
            self.error_with(
                format!("this `{kind}` block is never closed"),
                (open, open + 1),
                "opened here",
                "add the missing `}`",
            );
        }
        body.blocks.push(Block {
            kind: kind.to_owned(),
            kind_span,
            labels,
            attrs: inner.attrs,
            blocks: inner.blocks,
            span: self.span(start, end),
        });
    }

    /// Reads labels up to the `{`, and returns them with the end of the header.
    fn labels(&mut self, kind: &str, start: usize) -> Option<(Vec<(String, Span)>, usize)> {
        let mut labels = Vec::new();
        let mut end = start + kind.len();
        loop {
            self.space(false);
            match self.peek() {
                Some('{') => return Some((labels, end)),
                Some('"') => labels.push(self.quoted_label()?),
                Some(c) if scan::is_ident_start(c) => {
                    let (at, name) = self.ident()?;
                    labels.push((name.to_owned(), self.span(at, self.at)));
                }
                _ => {
                    self.error_with(
                        format!("the header of this `{kind}` block has no `{{`"),
                        (start, end),
                        "expected `{` behind it",
                        "put the `{` on the same line",
                    );
                    return None;
                }
            }
            end = self.at;
        }
    }

    fn quoted_label(&mut self) -> Option<(String, Span)> {
        let start = self.at;
        let line = scan::line_end(self.text, start);
        let inside = &self.text[start + 1..line];
        let Some(length) = inside.find('"') else {
            let open = self.unclosed(&Unclosed::String(start));
            self.diags.push(open);
            return None;
        };
        self.at = start + 1 + length + 1;
        let label = &inside[..length];
        if label.contains(['\\', '$', '%']) && !plain(label) {
            self.error(
                "a label is plain text",
                start,
                self.at,
                "interpolations and escapes are not possible here",
            );
            return None;
        }
        Some((label.to_owned(), self.span(start, self.at)))
    }

    fn expression(&self, start: usize, end: usize) -> Result<Expr, Diagnostic> {
        let text = &self.text[start..end];
        if text.ends_with(OPERATORS) {
            let open = Diagnostic::error(Code::SyntaxError, "the expression ends with an operator");
            return Err(open
                .label(self.span(end - 1, end), "expected a value behind it")
                .hint("write the value on the same line, or put the whole in parentheses"));
        }
        let parsed: Expression = parse_expr(text).map_err(|error| {
            let at = start + error.location().offset();
            let width = self.text[at..].chars().next().map_or(0, char::len_utf8);
            syntax::explain(error.message(), text, self.span(at, at + width))
        })?;
        Lower::new(self.file, text, start).expr(&parsed, self.span(start, end))
    }

    fn unclosed(&self, unclosed: &Unclosed) -> Diagnostic {
        syntax::unclosed(unclosed, self.text, &|start, end| self.span(start, end))
    }
}

fn plain(label: &str) -> bool {
    !label.contains('\\') && !label.contains("${") && !label.contains("%{")
}
