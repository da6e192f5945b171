//! Making holes: residual expressions, their marks and their limits.

use std::collections::BTreeSet;

use drplan_api::Address;
use drplan_api::Shape;

use super::Expr;
use super::Node;
use super::Residual;
use super::Span;
use super::Value;
use crate::diag::Code;
use crate::diag::Diagnostic;

/// How many parts a residual expression may have.
const PARTS_MAX: usize = 10_000;
/// How deeply a residual expression may be nested as JSON, so that every reader of a plan can read
/// it.
const LEVELS_MAX: usize = 100;

/// What the operands of an expression hand on to its result.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks {
    secret: bool,
    after: BTreeSet<Address>,
}

impl Marks {
    /// Returns the marks of some values, joined.
    pub(super) fn of<'a>(values: impl IntoIterator<Item = &'a Value>) -> Self {
        let mut marks = Self::default();
        for value in values {
            marks.add(value);
        }
        marks
    }

    /// Joins the marks of everything inside of a value.
    pub(super) fn add(&mut self, value: &Value) {
        match value {
            Value::Hole(hole) => {
                self.secret |= hole.secret;
                self.after.extend(hole.after.iter().cloned());
            }
            Value::List(list) => list.iter().for_each(|item| self.add(item)),
            Value::Map(map) => map.values().for_each(|item| self.add(item)),
            _ => {}
        }
    }

    /// Makes a hole with these marks.
    ///
    /// # Errors
    ///
    /// If the residual expression is too large.
    pub(super) fn hole(self, node: Node, span: Span) -> Result<Value, Diagnostic> {
        let expr = Expr::new(node, span);
        let mut parts = 0;
        let levels = measure(&expr, &mut parts);
        if parts > PARTS_MAX || levels > LEVELS_MAX {
            let large = Diagnostic::error(
                Code::LimitExceeded,
                "an expression over values that are known later is too large",
            );
            let limits = format!("more than {PARTS_MAX} parts, or nested too deeply");
            return Err(large
                .label(span, limits)
                .hint("compute the value in the step that makes it, and use one export"));
        }
        Ok(self.wrap(expr))
    }

    /// Makes a hole of an expression that is known to be small.
    pub(super) fn wrap(self, expr: Expr) -> Value {
        Value::Hole(Residual {
            expr: expr.into(),
            secret: self.secret,
            after: self.after,
            shape: Shape::Any,
        })
    }
}

/// Counts the parts of an expression and returns how deeply it nests as JSON.
fn measure(expr: &Expr, parts: &mut usize) -> usize {
    *parts += 1;
    if *parts > PARTS_MAX {
        return 0;
    }
    let own = match &expr.node {
        Node::Lit(value) => return 2 + levels(value),
        Node::Call { .. } | Node::For { .. } | Node::Object(_) => 4,
        _ => 3,
    };
    let mut deepest = 0;
    expr.each_child(&mut |child| deepest = deepest.max(measure(child, parts)));
    own + deepest
}

fn levels(value: &Value) -> usize {
    match value {
        Value::List(list) => 2 + list.iter().map(levels).max().unwrap_or(0),
        Value::Map(map) => 2 + map.values().map(levels).max().unwrap_or(0),
        _ => 1,
    }
}

/// Turns a value into an expression that evaluates to it.
pub(super) fn to_expr(value: &Value, span: Span) -> Expr {
    match value {
        Value::Hole(hole) => (*hole.expr).clone(),
        Value::List(list) if value.has_hole() => {
            let items = list.iter().map(|item| to_expr(item, span));
            Expr::new(Node::Tuple(items.collect()), span)
        }
        Value::Map(map) if value.has_hole() => {
            let pairs = map.iter().map(|(key, item)| {
                let key = Expr::new(Node::Lit(Value::string(key)), span);
                (key, to_expr(item, span))
            });
            Expr::new(Node::Object(pairs.collect()), span)
        }
        known => Expr::new(Node::Lit(known.clone()), span),
    }
}
