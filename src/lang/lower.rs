//! From the syntax tree of `hcl-edit` to [`Expr`].
//!
//! Takes numbers from the text of their span, because the tree holds them as floats, and text of
//! heredocs likewise, because the tree holds it wrongly dedented.

use std::ops::Range;

use hcl::edit::Span as _;
use hcl::edit::expr::BinaryOperator;
use hcl::edit::expr::Expression;
use hcl::edit::expr::ForExpr;
use hcl::edit::expr::FuncCall;
use hcl::edit::expr::Object;
use hcl::edit::expr::ObjectKey;
use hcl::edit::expr::TraversalOperator;
use hcl::edit::expr::UnaryOperator;

use super::Expr;
use super::FileId;
use super::Node;
use super::Op;
use super::Part;
use super::Span;
use super::Step;
use super::Unary;
use super::Value;
use super::number;
use crate::diag::Code;
use crate::diag::Diagnostic;

/// Lowers the expressions of one piece of text.
pub(super) struct Lower<'a> {
    file: FileId,
    pub(super) text: &'a str,
    base: usize,
}

type Operators<'a> = &'a [hcl::edit::Decorated<TraversalOperator>];

impl<'a> Lower<'a> {
    /// Starts with a piece of text that begins at byte `base` of a file.
    pub(super) fn new(file: FileId, text: &'a str, base: usize) -> Self {
        Self { file, text, base }
    }

    /// Converts a range of the tree, or takes the span around it if the tree has none.
    pub(super) fn span(&self, range: Option<Range<usize>>, around: Span) -> Span {
        let Some(range) = range else { return around };
        Span {
            file: self.file,
            start: u32::try_from(self.base + range.start).unwrap_or(u32::MAX),
            end: u32::try_from(self.base + range.end).unwrap_or(u32::MAX),
        }
    }

    /// Lowers one expression; `around` is used where the tree has no span.
    pub(super) fn expr(&self, from: &Expression, around: Span) -> Result<Expr, Diagnostic> {
        let span = self.span(from.span(), around);
        let boxed = |e: &Expression| self.expr(e, span).map(Box::new);
        let node = match from {
            Expression::Null(_) => Node::Lit(Value::Null),
            Expression::Bool(value) => Node::Lit(Value::Bool(*value.value())),
            Expression::Number(_) => self.number(from.span(), span)?,
            Expression::String(text) => Node::Lit(Value::String(text.value().as_str().into())),
            Expression::Array(array) => {
                let items = array.iter().map(|item| self.expr(item, span));
                Node::Tuple(items.collect::<Result<_, _>>()?)
            }
            Expression::Object(object) => self.object(object, span)?,
            Expression::StringTemplate(template) => return self.quoted(template, span),
            Expression::HeredocTemplate(heredoc) => return self.heredoc(heredoc, span),
            Expression::Parenthesis(inner) => return self.expr(inner.inner(), span),
            Expression::Variable(name) => {
                Node::Ref(vec![Part::Attr(name.value().to_string(), span)])
            }
            Expression::Conditional(cond) => Node::If(
                boxed(&cond.cond_expr)?,
                boxed(&cond.true_expr)?,
                boxed(&cond.false_expr)?,
            ),
            Expression::FuncCall(call) => self.call(call, span)?,
            Expression::Traversal(traversal) => {
                return self.traversal(&traversal.expr, &traversal.operators, span);
            }
            Expression::UnaryOp(op) => Node::Unary(unary(*op.operator.value()), boxed(&op.expr)?),
            Expression::BinaryOp(op) => Node::Binary(
                binary(*op.operator.value()),
                boxed(&op.lhs_expr)?,
                boxed(&op.rhs_expr)?,
            ),
            Expression::ForExpr(each) => self.each(each, span)?,
        };
        Ok(Expr::new(node, span))
    }

    fn number(&self, range: Option<Range<usize>>, span: Span) -> Result<Node, Diagnostic> {
        let text = range.and_then(|range| self.text.get(range)).unwrap_or("");
        let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        match number::parse(&digits) {
            Some(value) => Ok(Node::Lit(Value::Number(value))),
            None => Err(
                Diagnostic::error(Code::LimitExceeded, "the number is too long").label(
                    span,
                    format!("numbers have at most {} digits", number::DIGITS_MAX),
                ),
            ),
        }
    }

    fn object(&self, object: &Object, span: Span) -> Result<Node, Diagnostic> {
        let mut pairs = Vec::with_capacity(object.len());
        for (key, value) in object.iter() {
            let key = match key {
                ObjectKey::Ident(name) => {
                    let text = Value::String(name.value().as_str().into());
                    Expr::new(Node::Lit(text), self.span(name.span(), span))
                }
                ObjectKey::Expression(Expression::Traversal(path)) => {
                    let wrong = Diagnostic::error(Code::SyntaxError, "a key of an object has dots");
                    return Err(wrong
                        .label(self.span(path.span(), span), "is it text or a reference?")
                        .hint("put it in quotes for text, or in parentheses for a reference"));
                }
                ObjectKey::Expression(key) => self.expr(key, span)?,
            };
            pairs.push((key, self.expr(value.expr(), span)?));
        }
        Ok(Node::Object(pairs))
    }

    fn call(&self, call: &FuncCall, span: Span) -> Result<Node, Diagnostic> {
        let spaces = call.name.namespace.iter().map(|n| n.value().as_str());
        let names: Vec<_> = spaces.chain([call.name.name.value().as_str()]).collect();
        let args = call.args.iter().map(|arg| self.expr(arg, span));
        Ok(Node::Call {
            name: names.join("::"),
            args: args.collect::<Result<_, _>>()?,
            spread_last: call.args.expand_final(),
        })
    }

    fn each(&self, each: &ForExpr, span: Span) -> Result<Node, Diagnostic> {
        let boxed = |e: &Expression| self.expr(e, span).map(Box::new);
        Ok(Node::For {
            key: each.intro.key_var.as_ref().map(|v| v.value().to_string()),
            value: each.intro.value_var.value().to_string(),
            over: boxed(&each.intro.collection_expr)?,
            key_expr: each.key_expr.as_ref().map(boxed).transpose()?,
            body: boxed(&each.value_expr)?,
            keep: each.cond.as_ref().map(|c| boxed(&c.expr)).transpose()?,
            group: each.grouping,
        })
    }

    fn traversal(
        &self,
        of: &Expression,
        operators: Operators<'_>,
        span: Span,
    ) -> Result<Expr, Diagnostic> {
        let Expression::Variable(name) = of else {
            return self.apply(self.expr(of, span)?, operators, span);
        };
        let is_splat = |o: &hcl::edit::Decorated<TraversalOperator>| {
            matches!(
                o.value(),
                TraversalOperator::AttrSplat(_) | TraversalOperator::FullSplat(_)
            )
        };
        let count = operators.iter().position(is_splat);
        let (path, rest) = operators.split_at(count.unwrap_or(operators.len()));
        let root = self.span(of.span(), span);
        let mut parts = vec![Part::Attr(name.value().to_string(), root)];
        let mut whole = root;
        for operator in path {
            let at = self.operator_span(operator, span);
            whole.end = at.end.max(whole.end);
            parts.push(match self.index(operator.value(), at)? {
                Some(index) => Part::Index(index),
                None => Part::Attr(attr_name(operator.value()), at),
            });
        }
        let whole = if rest.is_empty() { span } else { whole };
        self.apply(Expr::new(Node::Ref(parts), whole), rest, span)
    }

    fn operator_span(&self, o: &hcl::edit::Decorated<TraversalOperator>, around: Span) -> Span {
        self.span(o.value().span().or_else(|| o.span()), around)
    }

    /// Lowers the index of an index operator; `None` for an attribute.
    fn index(&self, from: &TraversalOperator, at: Span) -> Result<Option<Expr>, Diagnostic> {
        Ok(match from {
            TraversalOperator::Index(index) => Some(self.expr(index, at)?),
            TraversalOperator::LegacyIndex(index) => {
                Some(Expr::new(Node::Lit(Value::from(*index.value())), at))
            }
            _ => None,
        })
    }

    fn apply(
        &self,
        mut of: Expr,
        mut operators: Operators<'_>,
        span: Span,
    ) -> Result<Expr, Diagnostic> {
        while let Some((operator, rest)) = operators.split_first() {
            operators = rest;
            let at = self.operator_span(operator, span);
            let here = Span {
                end: at.end.max(of.span.end),
                ..of.span
            };
            let node = match operator.value() {
                TraversalOperator::FullSplat(_) => {
                    let steps = self.steps(std::mem::take(&mut operators), span)?;
                    Node::Splat(Box::new(of), steps)
                }
                TraversalOperator::AttrSplat(_) => {
                    let count = attrs_only(operators);
                    let steps = self.steps(&operators[..count], span)?;
                    operators = &operators[count..];
                    Node::Splat(Box::new(of), steps)
                }
                other => match self.index(other, at)? {
                    Some(index) => Node::At(Box::new(of), Box::new(index)),
                    None => Node::Attr(Box::new(of), attr_name(other)),
                },
            };
            of = Expr::new(node, here);
        }
        of.span = Span {
            end: of.span.end.max(span.end),
            ..span
        };
        Ok(of)
    }

    fn steps(&self, mut operators: Operators<'_>, span: Span) -> Result<Vec<Step>, Diagnostic> {
        let mut steps = Vec::new();
        while let Some((operator, rest)) = operators.split_first() {
            operators = rest;
            let at = self.operator_span(operator, span);
            steps.push(match operator.value() {
                TraversalOperator::FullSplat(_) => {
                    Step::Splat(self.steps(std::mem::take(&mut operators), span)?)
                }
                TraversalOperator::AttrSplat(_) => {
                    let count = attrs_only(operators);
                    let inner = self.steps(&operators[..count], span)?;
                    operators = &operators[count..];
                    Step::Splat(inner)
                }
                other => match self.index(other, at)? {
                    Some(index) => Step::Index(index),
                    None => Step::Attr(attr_name(other), at),
                },
            });
        }
        Ok(steps)
    }
}

/// Counts the operators that belong to a `.*` splat: attributes and legacy indexes.
fn attrs_only(operators: Operators<'_>) -> usize {
    operators
        .iter()
        .take_while(|o| {
            matches!(
                o.value(),
                TraversalOperator::GetAttr(_) | TraversalOperator::LegacyIndex(_)
            )
        })
        .count()
}

fn attr_name(operator: &TraversalOperator) -> String {
    match operator {
        TraversalOperator::GetAttr(name) => name.value().to_string(),
        _ => String::new(),
    }
}

fn unary(operator: UnaryOperator) -> Unary {
    match operator {
        UnaryOperator::Neg => Unary::Negate,
        UnaryOperator::Not => Unary::Not,
    }
}

fn binary(operator: BinaryOperator) -> Op {
    match operator {
        BinaryOperator::Eq => Op::Equal,
        BinaryOperator::NotEq => Op::NotEqual,
        BinaryOperator::LessEq => Op::LessEqual,
        BinaryOperator::GreaterEq => Op::GreaterEqual,
        BinaryOperator::Less => Op::Less,
        BinaryOperator::Greater => Op::Greater,
        BinaryOperator::Plus => Op::Add,
        BinaryOperator::Minus => Op::Sub,
        BinaryOperator::Mul => Op::Mul,
        BinaryOperator::Div => Op::Div,
        BinaryOperator::Mod => Op::Mod,
        BinaryOperator::And => Op::And,
        BinaryOperator::Or => Op::Or,
    }
}
