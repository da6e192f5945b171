//! Templates: quoted strings, heredocs and template files, to expressions.
//!
//! Works on a flat row of tokens, as HCL does, so that `~` and the dedenting of `<<-` heredocs see
//! the text around directives too: in heredocs and files literal text is one token per line, `~`
//! eats white space of the token beside it, and a line counts for dedenting if it starts with the
//! token behind a line end.

use hcl::edit::Span as _;
use hcl::edit::Spanned;
use hcl::edit::template::Directive;
use hcl::edit::template::Element;
use hcl::edit::template::ForDirective;
use hcl::edit::template::HeredocTemplate;
use hcl::edit::template::IfDirective;
use hcl::edit::template::StringTemplate;
use hcl::edit::template::Strip;
use hcl::edit::template::Template;

use super::Expr;
use super::Node;
use super::Span;
use super::Value;
use super::lower::Lower;
use crate::diag::Diagnostic;

enum Token {
    Literal(String, Span),
    Interpolation(Expr),
    If(Expr, Span),
    Else,
    EndIf,
    For {
        key: Option<String>,
        value: String,
        over: Expr,
        span: Span,
    },
    EndFor,
}

/// A token and whether it eats white space of the tokens beside it.
struct Piece {
    token: Token,
    strip: Strip,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The text of a literal is what the parser made of its escapes.
    Quoted,
    /// The text of a literal is the source, line by line.
    Lines,
}

impl Lower<'_> {
    /// Lowers a quoted string.
    pub(super) fn quoted(&self, from: &StringTemplate, span: Span) -> Result<Expr, Diagnostic> {
        let pieces = self.pieces(from, Form::Quoted, span)?;
        Ok(finish(pieces, false, span))
    }

    /// Lowers a heredoc.
    pub(super) fn heredoc(&self, from: &HeredocTemplate, span: Span) -> Result<Expr, Diagnostic> {
        let start = from.span().map_or(0, |range| range.start);
        let dedent = self.text.get(start..).is_some_and(|t| t.starts_with("<<-"));
        let pieces = self.pieces(&from.template, Form::Lines, span)?;
        Ok(finish(pieces, dedent, span))
    }

    /// Lowers the content of a template file.
    pub(super) fn template_file(&self, from: &Template, span: Span) -> Result<Expr, Diagnostic> {
        let pieces = self.pieces(from, Form::Lines, span)?;
        Ok(finish(pieces, false, span))
    }

    fn pieces(&self, from: &Template, form: Form, span: Span) -> Result<Vec<Piece>, Diagnostic> {
        let mut out = Vec::new();
        self.flatten(from, form, span, &mut out)?;
        Ok(out)
    }

    fn flatten(
        &self,
        from: &Template,
        form: Form,
        span: Span,
        out: &mut Vec<Piece>,
    ) -> Result<(), Diagnostic> {
        for element in from {
            match element {
                Element::Literal(literal) => self.literal(literal, form, span, out),
                Element::Interpolation(interpolation) => {
                    let around = self.span(interpolation.span(), span);
                    let expr = self.expr(&interpolation.expr, around)?;
                    out.push(Piece::new(Token::Interpolation(expr), interpolation.strip));
                }
                Element::Directive(directive) => match directive.as_ref() {
                    Directive::If(directive) => self.choice(directive, form, span, out)?,
                    Directive::For(directive) => self.repeat(directive, form, span, out)?,
                },
            }
        }
        Ok(())
    }

    fn literal(&self, literal: &Spanned<String>, form: Form, around: Span, out: &mut Vec<Piece>) {
        let span = self.span(literal.span(), around);
        let source = literal.span().and_then(|range| self.text.get(range));
        match (form, source) {
            (Form::Lines, Some(source)) => {
                for line in source.split_inclusive('\n') {
                    let text = line.replace("$${", "${").replace("%%{", "%{");
                    out.push(Piece::new(Token::Literal(text, span), Strip::None));
                }
            }
            _ => {
                let text = literal.value().clone();
                out.push(Piece::new(Token::Literal(text, span), Strip::None));
            }
        }
    }

    fn choice(
        &self,
        from: &IfDirective,
        form: Form,
        span: Span,
        out: &mut Vec<Piece>,
    ) -> Result<(), Diagnostic> {
        let cond = self.expr(&from.if_expr.cond_expr, span)?;
        out.push(Piece::new(Token::If(cond, span), from.if_expr.strip));
        self.flatten(&from.if_expr.template, form, span, out)?;
        if let Some(otherwise) = &from.else_expr {
            out.push(Piece::new(Token::Else, otherwise.strip));
            self.flatten(&otherwise.template, form, span, out)?;
        }
        out.push(Piece::new(Token::EndIf, from.endif_expr.strip));
        Ok(())
    }

    fn repeat(
        &self,
        from: &ForDirective,
        form: Form,
        span: Span,
        out: &mut Vec<Piece>,
    ) -> Result<(), Diagnostic> {
        let each = &from.for_expr;
        let token = Token::For {
            key: each.key_var.as_ref().map(|v| v.value().to_string()),
            value: each.value_var.value().to_string(),
            over: self.expr(&each.collection_expr, span)?,
            span,
        };
        out.push(Piece::new(token, each.strip));
        self.flatten(&each.template, form, span, out)?;
        out.push(Piece::new(Token::EndFor, from.endfor_expr.strip));
        Ok(())
    }
}

impl Piece {
    fn new(token: Token, strip: Strip) -> Self {
        Self { token, strip }
    }
}

fn finish(mut pieces: Vec<Piece>, dedents: bool, span: Span) -> Expr {
    trim(&mut pieces);
    if dedents {
        dedent(&mut pieces);
    }
    if let [
        Piece {
            token: Token::Interpolation(_),
            ..
        },
    ] = pieces.as_slice()
        && let Some(Piece {
            token: Token::Interpolation(expr),
            ..
        }) = pieces.pop()
    {
        return expr;
    }
    let (parts, _) = fold(&mut meld(pieces).into_iter());
    text(parts, span)
}

/// Makes text of parts. A single interpolation stays a template here: inside of a directive
/// everything is text.
fn text(mut parts: Vec<Expr>, span: Span) -> Expr {
    match parts.as_mut_slice() {
        [] => Expr::new(Node::Lit(Value::String("".into())), span),
        [
            Expr {
                node: Node::Lit(Value::String(_)),
                ..
            },
        ] => Expr {
            span,
            ..parts.remove(0)
        },
        _ => Expr::new(Node::Template(parts), span),
    }
}

fn trim(pieces: &mut [Piece]) {
    for at in 0..pieces.len() {
        let strip = pieces[at].strip;
        if strip.strip_start()
            && at > 0
            && let Token::Literal(text, _) = &mut pieces[at - 1].token
        {
            text.truncate(text.trim_end().len());
        }
        if strip.strip_end()
            && let Some(Token::Literal(text, _)) = pieces.get_mut(at + 1).map(|p| &mut p.token)
        {
            *text = text.trim_start().to_owned();
        }
    }
}

/// Takes the smallest indentation of all lines from each of them.
fn dedent(pieces: &mut [Piece]) {
    let mut smallest = usize::MAX;
    let mut starts = Vec::new();
    let mut at_line_start = true;
    for (at, piece) in pieces.iter().enumerate() {
        let literal = match &piece.token {
            Token::Literal(text, _) => Some(text),
            _ => None,
        };
        if at_line_start {
            at_line_start = false;
            match literal {
                Some(text) if text.trim_start().is_empty() && text.ends_with('\n') => {}
                Some(text) => {
                    smallest = smallest.min(indentation(text));
                    starts.push(at);
                }
                None => smallest = 0,
            }
        }
        at_line_start |= literal.is_some_and(|text| text.ends_with('\n'));
    }
    for at in starts {
        if let Token::Literal(text, _) = &mut pieces[at].token {
            let cut = text
                .char_indices()
                .nth(smallest)
                .map_or(text.len(), |(at, _)| at);
            text.drain(..cut);
        }
    }
}

fn indentation(text: &str) -> usize {
    text.chars().take_while(|c| c.is_whitespace()).count()
}

enum End {
    Else,
    Done,
}

/// Turns the flat row back into nested expressions, up to the end of the current directive.
fn fold(tokens: &mut dyn Iterator<Item = Token>) -> (Vec<Expr>, End) {
    let mut parts: Vec<Expr> = Vec::new();
    while let Some(token) = tokens.next() {
        match token {
            Token::Literal(more, _) if more.is_empty() => {}
            Token::Literal(more, span) => {
                parts.push(Expr::new(Node::Lit(Value::String(more.into())), span));
            }
            Token::Interpolation(expr) => parts.push(expr),
            Token::Else => return (parts, End::Else),
            Token::EndIf | Token::EndFor => return (parts, End::Done),
            Token::If(cond, span) => parts.push(fold_choice(cond, span, tokens)),
            Token::For {
                key,
                value,
                over,
                span,
            } => {
                let (body, _) = fold(tokens);
                let each = Node::For {
                    key,
                    value,
                    over: Box::new(over),
                    key_expr: None,
                    body: Box::new(text(body, span)),
                    keep: None,
                    group: false,
                };
                let each = Box::new(Expr::new(each, span));
                parts.push(Expr::new(Node::Join(each), span));
            }
        }
    }
    (parts, End::Done)
}

fn fold_choice(cond: Expr, span: Span, tokens: &mut dyn Iterator<Item = Token>) -> Expr {
    let (then, end) = fold(tokens);
    let otherwise = match end {
        End::Else => fold(tokens).0,
        End::Done => Vec::new(),
    };
    let then = Box::new(text(then, span));
    let otherwise = Box::new(text(otherwise, span));
    Expr::new(Node::If(Box::new(cond), then, otherwise), span)
}

/// Joins neighbouring literals.
fn meld(pieces: Vec<Piece>) -> Vec<Token> {
    let mut out: Vec<Token> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match (out.last_mut(), piece.token) {
            (Some(Token::Literal(text, span)), Token::Literal(more, behind)) => {
                text.push_str(&more);
                span.end = span.end.max(behind.end);
            }
            (_, token) => out.push(token),
        }
    }
    out
}
