//! Operators, conditionals and templates.

use bigdecimal::BigDecimal;

use super::Expr;
use super::Node;
use super::Op;
use super::Span;
use super::Unary;
use super::Value;
use super::eval::Cx;
use super::eval::Outcome;
use super::eval::TEXT_BYTES_MAX;
use super::number;
use super::residual;
use super::residual::Marks;
use crate::diag::Code;
use crate::diag::Diagnostic;

/// Evaluates an operator between two operands.
pub(super) fn binary(cx: &Cx<'_>, op: Op, a: &Expr, b: &Expr, span: Span) -> Outcome {
    if matches!(op, Op::And | Op::Or) {
        return logic(cx, op, a, b, span);
    }
    let (left, right) = (cx.eval(a)?, cx.eval(b)?);
    if left.has_hole() || right.has_hole() {
        return binary_later(op, (&left, a.span), (&right, b.span), span);
    }
    match op {
        Op::Equal => return Ok(Value::Bool(left == right)),
        Op::NotEqual => return Ok(Value::Bool(left != right)),
        _ => {}
    }
    let x = operand(cx, op.as_str(), &left, a.span)?;
    let y = operand(cx, op.as_str(), &right, b.span)?;
    let result = match op {
        Op::Less => return Ok(Value::Bool(x < y)),
        Op::LessEqual => return Ok(Value::Bool(x <= y)),
        Op::Greater => return Ok(Value::Bool(x > y)),
        Op::GreaterEqual => return Ok(Value::Bool(x >= y)),
        Op::Sub => x - y,
        Op::Mul => x * y,
        Op::Div => number::divide(&x, &y).ok_or_else(|| by_zero(cx, b.span))?,
        Op::Mod => number::remainder(&x, &y).ok_or_else(|| by_zero(cx, b.span))?,
        Op::Add | Op::Equal | Op::NotEqual | Op::And | Op::Or => x + y,
    };
    bounded(result, span)
}

/// Returns a number within the limits.
///
/// # Errors
///
/// If it has too many digits.
pub(super) fn bounded(number: BigDecimal, span: Span) -> Outcome {
    number::bounded(number).map(Value::Number).ok_or_else(|| {
        let message = format!("the number has more than {} digits", number::DIGITS_MAX);
        Diagnostic::error(Code::LimitExceeded, message).label(span, "this operation")
    })
}

fn by_zero(cx: &Cx<'_>, span: Span) -> Diagnostic {
    cx.error("division by zero", span, "this is zero")
        .hint("test the divisor: `x == 0 ? … : y / x`")
}

fn operand(cx: &Cx<'_>, op: &str, value: &Value, span: Span) -> Result<BigDecimal, Diagnostic> {
    value.to_number().ok_or_else(|| {
        let label = format!("this is {}", cx.show(value));
        let error = cx.error(format!("`{op}` needs numbers"), span, label);
        match (op, value) {
            ("+", Value::String(_)) => error.hint("join text with a template: `\"${a}${b}\"`"),
            ("+", Value::List(_)) => error.hint("join lists with `concat(a, b)`"),
            ("+", Value::Map(_)) => error.hint("join maps with `merge(a, b)`"),
            _ => error.hint("give a number, or a string that holds one"),
        }
    })
}

fn binary_later(op: Op, a: (&Value, Span), b: (&Value, Span), span: Span) -> Outcome {
    let marks = Marks::of([a.0, b.0]);
    let left = Box::new(residual::to_expr(a.0, a.1));
    let right = Box::new(residual::to_expr(b.0, b.1));
    marks.hole(Node::Binary(op, left, right), span)
}

/// Evaluates `&&` and `||`, the right side only if the left one does not decide.
fn logic(cx: &Cx<'_>, op: Op, a: &Expr, b: &Expr, span: Span) -> Outcome {
    let decides = op == Op::Or;
    let left = cx.eval(a)?;
    if matches!(left, Value::Hole(_)) {
        let right = cx.branch(b)?;
        if right.to_bool() == Some(decides) {
            return Ok(Value::Bool(decides));
        }
        return binary_later(op, (&left, a.span), (&right, b.span), span);
    }
    if truth(cx, &left, op.as_str(), a.span)? == decides {
        return Ok(Value::Bool(decides));
    }
    let right = cx.eval(b)?;
    if matches!(right, Value::Hole(_)) {
        return binary_later(op, (&left, a.span), (&right, b.span), span);
    }
    truth(cx, &right, op.as_str(), b.span).map(Value::Bool)
}

/// Converts to a truth value.
///
/// # Errors
///
/// If the value is none.
pub(super) fn truth(cx: &Cx<'_>, value: &Value, by: &str, span: Span) -> Result<bool, Diagnostic> {
    value.to_bool().ok_or_else(|| {
        let label = format!("this is {}", cx.show(value));
        cx.error(format!("`{by}` needs `true` or `false`"), span, label)
            .hint("write a comparison, such as `x != null` or `length(x) > 0`")
    })
}

/// Evaluates an operator in front of its operand.
pub(super) fn unary(cx: &Cx<'_>, op: Unary, of: &Expr, span: Span) -> Outcome {
    let value = cx.eval(of)?;
    if value.has_hole() {
        let of = Box::new(residual::to_expr(&value, of.span));
        return Marks::of([&value]).hole(Node::Unary(op, of), span);
    }
    match op {
        Unary::Negate => bounded(-operand(cx, "-", &value, of.span)?, span),
        Unary::Not => truth(cx, &value, "!", of.span).map(|value| Value::Bool(!value)),
    }
}

/// Evaluates a conditional: condition, then, otherwise.
pub(super) fn choose(cx: &Cx<'_>, of: [&Expr; 3], span: Span) -> Outcome {
    let [cond, then, otherwise] = of;
    let value = cx.eval(cond)?;
    if !value.has_hole() {
        let chosen = if truth(cx, &value, "?", cond.span)? {
            then
        } else {
            otherwise
        };
        return cx.eval(chosen);
    }
    let (yes, no) = (cx.branch(then)?, cx.branch(otherwise)?);
    let node = Node::If(
        Box::new(residual::to_expr(&value, cond.span)),
        Box::new(residual::to_expr(&yes, then.span)),
        Box::new(residual::to_expr(&no, otherwise.span)),
    );
    Marks::of([&value, &yes, &no]).hole(node, span)
}

/// Joins the parts of a template.
pub(super) fn template(cx: &Cx<'_>, parts: &[Expr], span: Span) -> Outcome {
    let mut text = Text::new(span);
    for part in parts {
        if let Node::Lit(Value::String(literal)) = &part.node {
            text.push(literal)?;
        } else {
            text.add(cx, cx.eval(part)?, part.span)?;
        }
    }
    text.finish()
}

/// Joins the strings that a list expression makes.
pub(super) fn join(cx: &Cx<'_>, of: &Expr, span: Span) -> Outcome {
    let mut text = Text::new(span);
    match cx.eval(of)? {
        Value::List(list) => {
            for item in list {
                text.add(cx, item, of.span)?;
            }
            text.finish()
        }
        value => {
            let node = Node::Join(Box::new(residual::to_expr(&value, of.span)));
            Marks::of([&value]).hole(node, span)
        }
    }
}

/// Text that is being joined, with the parts that are not known.
struct Text {
    known: String,
    bytes: usize,
    parts: Vec<Expr>,
    marks: Marks,
    span: Span,
}

impl Text {
    fn new(span: Span) -> Self {
        Self {
            known: String::new(),
            bytes: 0,
            parts: Vec::new(),
            marks: Marks::default(),
            span,
        }
    }

    fn push(&mut self, text: &str) -> Result<(), Diagnostic> {
        self.bytes += text.len();
        self.known.push_str(text);
        if self.bytes > TEXT_BYTES_MAX {
            return Err(too_long(self.span));
        }
        Ok(())
    }

    fn add(&mut self, cx: &Cx<'_>, value: Value, span: Span) -> Result<(), Diagnostic> {
        match &value {
            Value::Hole(hole) => {
                self.marks.add(&value);
                self.flush();
                match &hole.expr.node {
                    Node::Template(inner) => self.parts.extend(inner.iter().cloned()),
                    _ => self.parts.push((*hole.expr).clone()),
                }
                Ok(())
            }
            Value::Null => Err(cx
                .error("null in a template", span, "this is null")
                .hint("give a default: `coalesce(x, \"\")`, or test it with `x == null ? … : …`")),
            Value::List(_) | Value::Map(_) => {
                let label = format!("this is {}", cx.show(&value));
                let what = format!("a {} in a template", value.type_name());
                Err(cx
                    .error(what, span, label)
                    .hint("use `join(\", \", list)` or `jsonencode(value)`"))
            }
            known => self.push(&known.to_text().unwrap_or_default()),
        }
    }

    fn flush(&mut self) {
        if !self.known.is_empty() {
            let text = Value::string(std::mem::take(&mut self.known));
            self.parts.push(Expr::new(Node::Lit(text), self.span));
        }
    }

    fn finish(mut self) -> Outcome {
        if self.parts.is_empty() {
            return Ok(Value::String(self.known.into()));
        }
        self.flush();
        self.marks.hole(Node::Template(self.parts), self.span)
    }
}

/// Says that a text is too long.
pub(super) fn too_long(span: Span) -> Diagnostic {
    let message = format!("the text is longer than {} MiB", TEXT_BYTES_MAX >> 20);
    Diagnostic::error(Code::LimitExceeded, message).label(span, "made here")
}
