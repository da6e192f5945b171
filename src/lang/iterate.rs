//! `for` and splats.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::Expr;
use super::Node;
use super::Part;
use super::Span;
use super::Step;
use super::Value;
use super::access;
use super::eval::Bind;
use super::eval::Cx;
use super::eval::ELEMENTS_MAX;
use super::eval::Local;
use super::eval::Outcome;
use super::operate;
use super::residual;
use super::residual::Marks;
use crate::diag::Code;
use crate::diag::Diagnostic;

/// The parts of a `for`, borrowed.
struct Loop<'a> {
    key: Option<&'a str>,
    value: &'a str,
    over: &'a Expr,
    key_expr: Option<&'a Expr>,
    body: &'a Expr,
    keep: Option<&'a Expr>,
    group: bool,
    span: Span,
}

/// What became of one element.
enum Made {
    Skipped,
    Item(Value),
    Entry(String, Value),
    /// Whether it is kept, or its key, is not known.
    Open,
}

/// Evaluates a `for` expression.
pub(super) fn each(cx: &Cx<'_>, expr: &Expr) -> Outcome {
    let Node::For {
        key,
        value,
        over,
        key_expr,
        body,
        keep,
        group,
    } = &expr.node
    else {
        return cx.eval(expr);
    };
    let each = Loop {
        key: key.as_deref(),
        value,
        over,
        key_expr: key_expr.as_deref(),
        body,
        keep: keep.as_deref(),
        group: *group,
        span: expr.span,
    };
    let over = cx.eval(each.over)?;
    match &over {
        Value::List(list) => {
            let pairs = list.iter().enumerate().map(|(i, v)| (Value::from(i), v));
            each.run(cx, &over, pairs)
        }
        Value::Map(map) => {
            let pairs = map.iter().map(|(k, v)| (Value::string(k), v));
            each.run(cx, &over, pairs)
        }
        Value::Hole(_) => each.later(cx, &over),
        other => {
            let label = format!("this is {}", cx.show(other));
            Err(cx
                .error("`for` needs a list or a map", each.over.span, label)
                .hint("for a value that may be null, write `x == null ? [] : x`"))
        }
    }
}

impl Loop<'_> {
    fn run<'v>(
        &self,
        cx: &Cx<'_>,
        over: &Value,
        pairs: impl Iterator<Item = (Value, &'v Value)>,
    ) -> Outcome {
        let mut list = Vec::new();
        let mut map: BTreeMap<String, Value> = BTreeMap::new();
        for (count, (key, value)) in pairs.enumerate() {
            if count >= ELEMENTS_MAX {
                return Err(too_many(self.over.span));
            }
            match self.one(cx, &key, value)? {
                Made::Skipped => {}
                Made::Item(item) => list.push(item),
                Made::Entry(key, item) => self.insert(cx, &mut map, key, item)?,
                Made::Open => return self.later(cx, over),
            }
        }
        Ok(if self.key_expr.is_some() {
            Value::Map(map)
        } else {
            Value::List(list)
        })
    }

    fn one(&self, cx: &Cx<'_>, key: &Value, value: &Value) -> Result<Made, Diagnostic> {
        let outer = Local {
            bind: Bind::One(self.key.unwrap_or(""), key),
            around: cx.locals(),
        };
        let inner = Local {
            bind: Bind::One(self.value, value),
            around: Some(&outer),
        };
        let cx = cx.with(&inner);
        if let Some(keep) = self.keep {
            let kept = cx.eval(keep)?;
            if kept.has_hole() {
                return Ok(Made::Open);
            }
            if !operate::truth(&cx, &kept, "if", keep.span)? {
                return Ok(Made::Skipped);
            }
        }
        let Some(key_expr) = self.key_expr else {
            return cx.eval(self.body).map(Made::Item);
        };
        let name = cx.eval(key_expr)?;
        if name.has_hole() {
            return Ok(Made::Open);
        }
        let Some(name) = name.to_text() else {
            let label = format!("this is {}", cx.show(&name));
            return Err(cx.error("the key of a result is not a string", key_expr.span, label));
        };
        Ok(Made::Entry(name, cx.eval(self.body)?))
    }

    fn insert(
        &self,
        cx: &Cx<'_>,
        map: &mut BTreeMap<String, Value>,
        key: String,
        item: Value,
    ) -> Result<(), Diagnostic> {
        let span = self.key_expr.map_or(self.span, |e| e.span);
        if self.group {
            match map.entry(key).or_insert_with(|| Value::List(Vec::new())) {
                Value::List(list) => list.push(item),
                other => *other = item,
            }
            return Ok(());
        }
        if map.contains_key(&key) {
            let label = format!("this is {} twice", cx.show(&Value::string(&key)));
            return Err(cx
                .error("two results have the same key", span, label)
                .hint("make the key unique, or gather the values with `...` behind the value"));
        }
        map.insert(key, item);
        Ok(())
    }

    /// Leaves the loop for later: everything but its own variables is substituted.
    ///
    /// The variables get names that no spec can contain, one per depth, so that what is substituted
    /// into the body can never be captured by them.
    fn later(&self, cx: &Cx<'_>, over: &Value) -> Outcome {
        let fresh = |name: &str| {
            let base = name.split('#').next().unwrap_or(name);
            format!("{base}#{}", cx.binders)
        };
        let mut marks = Marks::of([over]);
        let (key, value) = (self.key.map(fresh), fresh(self.value));
        let key = key.map(|key| if key == value { format!("{key}k") } else { key });
        let variable = |name: &str| {
            let part = Part::Attr(name.to_owned(), self.span);
            let expr = Expr::new(Node::Ref(vec![part]), self.span);
            marks.clone().wrap(expr)
        };
        let (key_hole, value_hole) = (variable(key.as_deref().unwrap_or("")), variable(&value));
        let outer = Local {
            bind: Bind::One(self.key.unwrap_or(""), &key_hole),
            around: cx.locals(),
        };
        let inner = Local {
            bind: Bind::One(self.value, &value_hole),
            around: Some(&outer),
        };
        let mut inside = cx.with(&inner);
        inside.binders += 1;
        let mut part = |expr: &Expr| -> Result<Box<Expr>, Diagnostic> {
            let value = inside.branch(expr)?;
            marks.add(&value);
            Ok(Box::new(residual::to_expr(&value, expr.span)))
        };
        let node = Node::For {
            key_expr: self.key_expr.map(&mut part).transpose()?,
            body: part(self.body)?,
            keep: self.keep.map(&mut part).transpose()?,
            over: Box::new(residual::to_expr(over, self.over.span)),
            key,
            value,
            group: self.group,
        };
        marks.hole(node, self.span)
    }
}

/// Applies steps to each element; a value that is no list counts as a list of one, null as none.
pub(super) fn splat(cx: &Cx<'_>, of: &Value, steps: &[Step], span: Span) -> Outcome {
    match of {
        Value::Hole(_) => {
            let mut marks = Marks::of([of]);
            let steps = steps_later(cx, steps, &mut marks)?;
            let node = Node::Splat(Box::new(residual::to_expr(of, span)), steps);
            marks.hole(node, span)
        }
        Value::Null => Ok(Value::List(Vec::new())),
        Value::List(list) => {
            let items = list.iter().map(|item| apply(cx, item, steps, span));
            Ok(Value::List(items.collect::<Result<_, _>>()?))
        }
        one => Ok(Value::List(vec![apply(cx, one, steps, span)?])),
    }
}

fn apply(cx: &Cx<'_>, of: &Value, steps: &[Step], span: Span) -> Outcome {
    let mut at = Cow::Borrowed(of);
    for step in steps {
        at = match at {
            Cow::Borrowed(value) => one_step(cx, value, step, span)?,
            Cow::Owned(value) => Cow::Owned(one_step(cx, &value, step, span)?.into_owned()),
        };
    }
    Ok(at.into_owned())
}

fn one_step<'v>(
    cx: &Cx<'_>,
    of: &'v Value,
    step: &Step,
    span: Span,
) -> Result<Cow<'v, Value>, Diagnostic> {
    match step {
        Step::Attr(name, at) => access::attr(cx, of, name, *at),
        Step::Index(key) => access::index(cx, of, &cx.eval(key)?, key.span),
        Step::Splat(inner) => splat(cx, of, inner, span).map(Cow::Owned),
    }
}

fn steps_later(cx: &Cx<'_>, steps: &[Step], marks: &mut Marks) -> Result<Vec<Step>, Diagnostic> {
    let mut out = Vec::with_capacity(steps.len());
    for step in steps {
        out.push(match step {
            Step::Attr(..) => step.clone(),
            Step::Index(key) => {
                let value = cx.branch(key)?;
                marks.add(&value);
                Step::Index(residual::to_expr(&value, key.span))
            }
            Step::Splat(inner) => Step::Splat(steps_later(cx, inner, marks)?),
        });
    }
    Ok(out)
}

/// Says that a collection is too large.
pub(super) fn too_many(span: Span) -> Diagnostic {
    let message = format!("more than {ELEMENTS_MAX} elements");
    Diagnostic::error(Code::LimitExceeded, message)
        .label(span, "made here")
        .hint("make a smaller collection")
}
