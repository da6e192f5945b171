//! The function library. All functions are pure: none reads a clock, makes random values or opens
//! anything but files of the spec through the [`super::Scope`].
//!
//! A call with a hole among its arguments becomes a residual call, except for functions that look
//! only at the shape of a collection and work with holes inside of it.

mod args;
mod convert;
mod encode;
mod file;
mod format;
mod list;
mod map;
mod net;
mod number;
mod pattern;
mod regex;
mod set;
mod string;
mod template;
mod time;

use super::Expr;
use super::Node;
use super::Span;
use super::Value;
use super::eval::Cx;
use super::eval::Outcome;
use super::eval::is_catchable;
use super::residual;
use super::residual::Marks;
use super::text;
use crate::diag::Code;
use crate::diag::Diagnostic;
use args::Args;
use args::Fault;

/// One function.
struct Function {
    name: &'static str,
    /// Its arguments, for messages.
    usage: &'static str,
    least: usize,
    most: Option<usize>,
    /// Whether it works with holes inside of its arguments.
    shape: bool,
    run: fn(&Args<'_>) -> Result<Value, Fault>,
}

type Run = fn(&Args<'_>) -> Result<Value, Fault>;

/// Declares a function with exactly so many arguments.
const fn exact(name: &'static str, usage: &'static str, count: usize, run: Run) -> Function {
    between(name, usage, count, Some(count), run)
}

/// Declares a function with at least so many arguments.
const fn between(
    name: &'static str,
    usage: &'static str,
    least: usize,
    most: Option<usize>,
    run: Run,
) -> Function {
    Function {
        name,
        usage,
        least,
        most,
        shape: false,
        run,
    }
}

impl Function {
    /// Says that the function looks only at the shape of its arguments.
    const fn shape(mut self) -> Self {
        self.shape = true;
        self
    }
}

/// The names of functions that the evaluator knows itself, with their arguments.
const SPECIAL: &[(&str, &str)] = &[
    ("can", "expression"),
    ("coalesce", "value, …"),
    ("templatefile", "path, variables"),
    ("templatestring", "text, variables"),
    ("try", "expression, …"),
];

const TABLES: &[&[Function]] = &[
    convert::TABLE,
    encode::TABLE,
    file::TABLE,
    format::TABLE,
    list::TABLE,
    map::TABLE,
    net::TABLE,
    number::TABLE,
    regex::TABLE,
    set::TABLE,
    string::TABLE,
    time::TABLE,
];

/// Lists every function with its arguments, by name.
pub fn function_names() -> Vec<(&'static str, &'static str)> {
    let tables = TABLES.iter().flat_map(|table| table.iter());
    let mut names: Vec<_> = tables.map(|f| (f.name, f.usage)).collect();
    names.extend(SPECIAL);
    names.sort_unstable();
    names
}

fn find(name: &str) -> Option<&'static Function> {
    TABLES
        .iter()
        .find_map(|table| table.iter().find(|function| function.name == name))
}

/// Calls a function.
pub(super) fn call(
    cx: &Cx<'_>,
    name: &str,
    args: &[Expr],
    spread_last: bool,
    span: Span,
) -> Outcome {
    match name {
        "try" | "can" if !spread_last => return attempt(cx, name, args, span),
        "sensitive" | "nonsensitive" => return Err(about_secrets(name, span)),
        _ => {}
    }
    let special = SPECIAL.iter().any(|(known, _)| *known == name);
    let function = find(name);
    if function.is_none() && !special {
        return Err(unknown(name, span));
    }
    let Some((values, spans)) = arguments(cx, args, spread_last)? else {
        return later(cx, name, args, spread_last, span);
    };
    let args = Args {
        cx,
        values: &values,
        spans: &spans,
        span,
    };
    let result = match (name, function) {
        ("coalesce", _) => coalesce(&args),
        ("templatefile", _) => return template::file(&args),
        ("templatestring", _) => return template::string(&args),
        (_, Some(function)) => {
            check_count(function, &args)?;
            if holds_back(function, &values) {
                return residual_call(name, &args);
            }
            (function.run)(&args)
        }
        (_, None) => return Err(unknown(name, span)),
    };
    match result {
        Err(Fault::Later) => residual_call(name, &args),
        Err(fault) => Err(args.report(name, fault)),
        Ok(value) => Ok(value),
    }
}

fn holds_back(function: &Function, values: &[Value]) -> bool {
    values.iter().any(|value| match value {
        Value::Hole(_) => true,
        _ => !function.shape && value.has_hole(),
    })
}

/// Evaluates the arguments; `None` if the list that is spread is not known.
#[expect(
    clippy::type_complexity,
    reason = "values beside their places, used once"
)]
fn arguments(
    cx: &Cx<'_>,
    args: &[Expr],
    spread_last: bool,
) -> Result<Option<(Vec<Value>, Vec<Span>)>, Diagnostic> {
    let mut values = Vec::with_capacity(args.len());
    let mut spans = Vec::with_capacity(args.len());
    for (i, arg) in args.iter().enumerate() {
        let value = cx.eval(arg)?;
        if !(spread_last && i + 1 == args.len()) {
            values.push(value);
            spans.push(arg.span);
            continue;
        }
        match value {
            Value::Hole(_) => return Ok(None),
            Value::List(list) => {
                spans.extend(list.iter().map(|_| arg.span));
                values.extend(list);
            }
            other => {
                let label = format!("this is {}", cx.show(&other));
                return Err(cx.error("`...` needs a list", arg.span, label));
            }
        }
    }
    Ok(Some((values, spans)))
}

fn residual_call(name: &str, args: &Args<'_>) -> Outcome {
    let exprs = args.values.iter().zip(args.spans);
    let exprs = exprs.map(|(value, span)| residual::to_expr(value, *span));
    let node = Node::Call {
        name: name.to_owned(),
        args: exprs.collect(),
        spread_last: false,
    };
    Marks::of(args.values).hole(node, args.span)
}

/// Leaves a call for later whose spread list is not known.
fn later(cx: &Cx<'_>, name: &str, args: &[Expr], spread_last: bool, span: Span) -> Outcome {
    let mut marks = Marks::default();
    let mut exprs = Vec::with_capacity(args.len());
    for arg in args {
        let value = cx.eval(arg)?;
        marks.add(&value);
        exprs.push(residual::to_expr(&value, arg.span));
    }
    let node = Node::Call {
        name: name.to_owned(),
        args: exprs,
        spread_last,
    };
    marks.hole(node, span)
}

/// Evaluates `try` and `can`. What hangs on a hole may still fail, so it decides later.
fn attempt(cx: &Cx<'_>, name: &str, args: &[Expr], span: Span) -> Outcome {
    let count_is_right = if name == "can" {
        args.len() == 1
    } else {
        !args.is_empty()
    };
    if !count_is_right {
        let wrong = Diagnostic::error(
            Code::BadFunctionCall,
            format!("`{name}` was called with {} arguments", args.len()),
        );
        return Err(wrong
            .label(span, "")
            .hint("usage: `can(expression)`, `try(expression, …, default)`"));
    }
    let mut last = None;
    for (i, arg) in args.iter().enumerate() {
        match cx.eval(arg) {
            Ok(value) if value.has_hole() => return attempt_later(cx, name, &args[i..], span),
            Ok(value) => {
                return Ok(if name == "can" {
                    Value::Bool(true)
                } else {
                    value
                });
            }
            Err(error) if is_catchable(&error) => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    match last {
        Some(_) if name == "can" => Ok(Value::Bool(false)),
        Some(error) => Err(error.label(
            span,
            "every argument of this `try` failed; this is the last",
        )),
        None => Ok(Value::Null),
    }
}

fn attempt_later(cx: &Cx<'_>, name: &str, args: &[Expr], span: Span) -> Outcome {
    let mut marks = Marks::default();
    let mut exprs = Vec::with_capacity(args.len());
    for arg in args {
        let value = cx.branch(arg)?;
        marks.add(&value);
        exprs.push(residual::to_expr(&value, arg.span));
    }
    let node = Node::Call {
        name: name.to_owned(),
        args: exprs,
        spread_last: false,
    };
    marks.hole(node, span)
}

/// Returns the first argument that is neither null nor an empty string.
fn coalesce(args: &Args<'_>) -> Result<Value, Fault> {
    for value in args.values {
        match value {
            Value::Null => {}
            Value::String(text) if text.is_empty() => {}
            Value::Hole(_) => return Err(Fault::Later),
            value => return Ok(value.clone()),
        }
    }
    Err(Fault::call("every argument is null or empty").hint("add a default as the last argument"))
}

fn check_count(function: &Function, args: &Args<'_>) -> Result<(), Diagnostic> {
    let count = args.values.len();
    if count >= function.least && function.most.is_none_or(|most| count <= most) {
        return Ok(());
    }
    let plural = if count == 1 { "" } else { "s" };
    let wrong = Diagnostic::error(
        Code::BadFunctionCall,
        format!(
            "`{}` was called with {count} argument{plural}",
            function.name
        ),
    );
    Err(wrong
        .label(args.span, "wrong number of arguments")
        .hint(format!("usage: `{}({})`", function.name, function.usage)))
}

fn unknown(name: &str, span: Span) -> Diagnostic {
    let error = Diagnostic::error(
        Code::UnknownFunction,
        format!("there is no function `{name}`"),
    )
    .label(span, "called here");
    let hint = match name {
        "timestamp" | "plantimestamp" => {
            Some("a plan does not depend on the clock; pass the time in as a variable".to_owned())
        }
        "uuid" | "bcrypt" => {
            Some("a plan has no random values; pass one in as a variable".to_owned())
        }
        "list" => Some("write `[a, b]`".to_owned()),
        "map" => Some("write `{ key = value }`".to_owned()),
        _ => {
            let names: Vec<_> = function_names().into_iter().map(|(name, _)| name).collect();
            text::nearest(name, names).map(|near| format!("did you mean `{near}`?"))
        }
    };
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

fn about_secrets(name: &str, span: Span) -> Diagnostic {
    let error = Diagnostic::error(
        Code::SecretLiteral,
        format!("`{name}` cannot be used: a secret is never a value in a spec"),
    );
    let error = error.label(span, "");
    if name == "sensitive" {
        error.hint("declare a variable with `sensitive = true` and give its value to `apply`")
    } else {
        error.hint("pass what is not secret as a variable or an export of its own")
    }
}
