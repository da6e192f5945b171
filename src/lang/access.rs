//! Attributes and indexes.

use std::borrow::Cow;

use drplan_api::Shape;

use super::Expr;
use super::Key;
use super::Node;
use super::Part;
use super::Residual;
use super::Span;
use super::Value;
use super::eval::Cx;
use super::eval::Outcome;
use super::number;
use super::residual;
use super::residual::Marks;
use super::text;
use crate::diag::Diagnostic;

type Access<'v> = Result<Cow<'v, Value>, Diagnostic>;

/// How many names a message lists.
const NAMES_SHOWN: usize = 8;

/// Follows a path, copying only what is at its end.
pub(super) fn walk(cx: &Cx<'_>, of: &Value, path: &[Part], span: Span) -> Outcome {
    let mut at = Cow::Borrowed(of);
    for part in path {
        at = match at {
            Cow::Borrowed(value) => step(cx, value, part, span)?,
            Cow::Owned(value) => Cow::Owned(step(cx, &value, part, span)?.into_owned()),
        };
    }
    Ok(at.into_owned())
}

fn step<'v>(cx: &Cx<'_>, of: &'v Value, part: &Part, span: Span) -> Access<'v> {
    match part {
        Part::Attr(name, at) => attr(cx, of, name, *at),
        Part::Index(key) => {
            let value = cx.eval(key)?;
            let span = Span {
                end: key.span.end.max(span.start),
                ..span
            };
            index(cx, of, &value, span)
        }
    }
}

/// Returns an attribute.
pub(super) fn attr<'v>(cx: &Cx<'_>, of: &'v Value, name: &str, span: Span) -> Access<'v> {
    match of {
        Value::Map(map) => match map.get(name) {
            Some(value) => Ok(Cow::Borrowed(value)),
            None => Err(missing(cx, map.keys().map(String::as_str), name, span)),
        },
        Value::Hole(hole) => attr_of_hole(cx, hole, name, span).map(Cow::Owned),
        Value::Null => Err(cx
            .error(
                format!("cannot read `{name}` of null"),
                span,
                "this is null",
            )
            .hint("give it a value, or test it: `x == null ? … : x.…`")),
        Value::List(_) => Err(cx
            .error(
                format!("a list has no attribute `{name}`"),
                span,
                "the value in front of it is a list",
            )
            .hint(format!(
                "write `[*].{name}` for all elements, or `[0].{name}` for the first"
            ))),
        other => Err(cx.error(
            format!("a {} has no attribute `{name}`", other.type_name()),
            span,
            format!("the value in front of it is {}", cx.show(other)),
        )),
    }
}

fn missing<'n>(
    cx: &Cx<'_>,
    names: impl Iterator<Item = &'n str> + Clone,
    name: &str,
    span: Span,
) -> Diagnostic {
    if !cx.may_show() {
        return cx.error("the map has no such key", span, "not in the map");
    }
    let error = cx.error(format!("there is no `{name}`"), span, "not in the map");
    if let Some(near) = text::nearest(name, names.clone()) {
        return error.hint(format!("did you mean `{near}`?"));
    }
    let shown: Vec<_> = names.clone().take(NAMES_SHOWN).collect();
    let more = if names.count() > NAMES_SHOWN {
        ", …"
    } else {
        ""
    };
    if shown.is_empty() {
        error.hint("the map is empty; `lookup(map, key, default)` takes a default")
    } else {
        error.hint(format!("it has: {}{more}", shown.join(", ")))
    }
}

fn attr_of_hole(cx: &Cx<'_>, hole: &Residual, name: &str, span: Span) -> Outcome {
    let shape = field_of_shape(cx, &hole.shape, name, span)?;
    let node = match &hole.expr.node {
        Node::Out { address, path } => {
            let mut path = path.clone();
            path.push(Key::Attr(name.to_owned()));
            Node::Out {
                address: address.clone(),
                path,
            }
        }
        _ => Node::Attr(Box::new((*hole.expr).clone()), name.to_owned()),
    };
    let value = Marks::of([&Value::Hole(hole.clone())]).hole(node, span)?;
    Ok(shaped(value, shape))
}

/// What is known of a field of something that is not known yet; an error if it cannot be there.
fn field_of_shape(cx: &Cx<'_>, shape: &Shape, name: &str, span: Span) -> Result<Shape, Diagnostic> {
    match shape {
        Shape::Fields(fields) if !fields.contains_key(name) => {
            Err(missing(cx, fields.keys().map(String::as_str), name, span))
        }
        Shape::Text => Err(cx
            .error(
                format!("a string has no attribute `{name}`"),
                span,
                "the value in front of it will be a string",
            )
            .hint("if the text is JSON, see whether what exports it can decode it, or use `jsondecode`")),
        shape => Ok(shape.field(name)),
    }
}

fn shaped(mut value: Value, shape: Shape) -> Value {
    if let Value::Hole(hole) = &mut value {
        hole.shape = shape;
    }
    value
}

/// Returns an element.
pub(super) fn index<'v>(cx: &Cx<'_>, of: &'v Value, key: &Value, span: Span) -> Access<'v> {
    if key.has_hole() || matches!(of, Value::Hole(_)) {
        return index_later(cx, of, key, span).map(Cow::Owned);
    }
    match of {
        Value::List(list) => {
            let at = key.to_number().and_then(|n| number::to_integer(&n));
            let Some(at) = at else {
                let label = format!("this is {}", cx.show(key));
                let error = cx.error("the index of a list is not a whole number", span, label);
                return Err(error.hint("lists are indexed by number, maps by name"));
            };
            match usize::try_from(at).ok().and_then(|at| list.get(at)) {
                Some(value) => Ok(Cow::Borrowed(value)),
                None => Err(out_of_range(cx, list.len(), at, span)),
            }
        }
        Value::Map(map) => {
            let Some(name) = key.to_text() else {
                let label = format!("this is {}", cx.show(key));
                return Err(cx.error("the key of a map is not a string", span, label));
            };
            match map.get(&name) {
                Some(value) => Ok(Cow::Borrowed(value)),
                None => Err(missing(cx, map.keys().map(String::as_str), &name, span)),
            }
        }
        Value::Null => Err(cx
            .error("cannot take an element of null", span, "this is null")
            .hint("give it a value, or test it: `x == null ? … : x[…]`")),
        other => Err(cx.error(
            format!("a {} has no elements", other.type_name()),
            span,
            format!("the value in front of the index is {}", cx.show(other)),
        )),
    }
}

fn out_of_range(cx: &Cx<'_>, length: usize, at: i64, span: Span) -> Diagnostic {
    let has = match length {
        0 => "the list is empty".to_owned(),
        1 => "the list has one element, `[0]`".to_owned(),
        n => format!("the list has {n} elements, `[0]` to `[{}]`", n - 1),
    };
    let which = if cx.may_show() {
        format!("there is no element {at}")
    } else {
        "there is no such element".to_owned()
    };
    cx.error(which, span, has)
}

fn index_later(cx: &Cx<'_>, of: &Value, key: &Value, span: Span) -> Outcome {
    let marks = Marks::of([of, key]);
    let shape = match (of, key) {
        (Value::Hole(hole), Value::String(name)) => field_of_shape(cx, &hole.shape, name, span)?,
        _ => Shape::Any,
    };
    if let Value::Hole(hole) = of
        && let Node::Out { address, path } = &hole.expr.node
    {
        let at = match key {
            Value::String(name) => Some(Key::Attr(name.to_string())),
            Value::Number(n) => number::to_integer(n)
                .and_then(|at| usize::try_from(at).ok())
                .map(Key::Index),
            _ => None,
        };
        if let Some(at) = at {
            let mut path = path.clone();
            path.push(at);
            let address = address.clone();
            let value = marks.hole(Node::Out { address, path }, span)?;
            return Ok(shaped(value, shape));
        }
    }
    let of: Expr = residual::to_expr(of, span);
    let key = residual::to_expr(key, span);
    marks.hole(Node::At(Box::new(of), Box::new(key)), span)
}
