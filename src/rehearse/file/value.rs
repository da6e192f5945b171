//! Reads values of a world file, and says what must stand there instead of what does.

use drplan_api::Json;
use drplan_api::Timestamp;
use drplan_sandbox::route53::RecordType;
use drplan_sandbox::world::host_and_port;
use serde_json::json;

use super::shape::Kind;
use crate::diag::Code;
use crate::diag::Diagnostic;
use crate::diag::Diagnostics;
use crate::lang::Expr;
use crate::lang::Node;
use crate::lang::Span;
use crate::lang::Value;
use crate::lang::parse_duration;
use crate::spec::literal;
use crate::spec::nearest;

/// What a program may write to a file.
const CONTENTS: &[&str] = &["kubeconfig", "postgres", "text"];

/// Reads a value; `of` says in words whose it is.
pub(super) fn read(kind: Kind, of: &str, expr: &Expr, diags: &mut Diagnostics) -> Option<Json> {
    match kind {
        Kind::Texts | Kind::Servers => list(of, expr, diags),
        Kind::Map => {
            let mut value = |of: &str, expr: &Expr, diags: &mut Diagnostics| {
                Some(json!(text(of, expr, diags)?))
            };
            map(of, expr, diags, &mut value)
        }
        Kind::Files => map(of, expr, diags, &mut content),
        Kind::Flag => match plain(expr, diags)? {
            Value::Bool(flag) => Some(json!(flag)),
            other => wrong(of, "`true` or `false`", &other, expr.span, diags),
        },
        Kind::Number(min, max) => number(of, (min, max), expr, diags),
        _ => formed(kind, of, expr, diags),
    }
}

/// The elements of a list with their places.
pub(super) fn elements(expr: &Expr) -> Vec<&Expr> {
    match &expr.node {
        Node::Tuple(list) => list.iter().collect(),
        _ => Vec::new(),
    }
}

/// The entries of an object with their names.
pub(super) fn entries(expr: &Expr) -> Vec<(String, &Expr, &Expr)> {
    let Node::Object(pairs) = &expr.node else {
        return Vec::new();
    };
    let named = |(key, value)| Some((word(key)?, key, value));
    pairs
        .iter()
        .map(|(key, value)| (key, value))
        .filter_map(named)
        .collect()
}

/// The text of an expression that is one.
pub(super) fn word(expr: &Expr) -> Option<String> {
    match literal(expr)? {
        Value::String(text) => Some(text.to_string()),
        _ => None,
    }
}

fn plain(expr: &Expr, diags: &mut Diagnostics) -> Option<Value> {
    let value = literal(expr);
    if value.is_none() {
        diags.push(
            Diagnostic::error(Code::WrongType, "this must be a plain value")
                .label(expr.span, "nothing can be referred to in a world file"),
        );
    }
    value
}

fn text(of: &str, expr: &Expr, diags: &mut Diagnostics) -> Option<String> {
    match plain(expr, diags)? {
        Value::String(text) => Some(text.to_string()),
        other => wrong(of, "text", &other, expr.span, diags),
    }
}

fn list(of: &str, expr: &Expr, diags: &mut Diagnostics) -> Option<Json> {
    if let Node::Tuple(list) = &expr.node {
        let of = format!("each of {of}");
        let read: Vec<Option<String>> = list.iter().map(|e| text(&of, e, diags)).collect();
        return read
            .into_iter()
            .collect::<Option<Vec<_>>>()
            .map(|l| json!(l));
    }
    let value = plain(expr, diags)?;
    wrong(of, "a list, such as `[\"…\"]`", &value, expr.span, diags)
}

type Reading<'a> = &'a mut dyn FnMut(&str, &Expr, &mut Diagnostics) -> Option<Json>;

fn map(of: &str, expr: &Expr, diags: &mut Diagnostics, value: Reading<'_>) -> Option<Json> {
    let Node::Object(pairs) = &expr.node else {
        let value = plain(expr, diags)?;
        return wrong(
            of,
            "an object, such as `{ name = \"…\" }`",
            &value,
            expr.span,
            diags,
        );
    };
    let mut out = serde_json::Map::new();
    for (key, entry) in pairs {
        let Some(name) = text(&format!("each name in {of}"), key, diags) else {
            continue;
        };
        if let Some(read) = value(&format!("`{name}` in {of}"), entry, diags) {
            out.insert(name, read);
        }
    }
    Some(Json::Object(out))
}

/// What a program writes to one file.
fn content(of: &str, expr: &Expr, diags: &mut Diagnostics) -> Option<Json> {
    let hint =
        "write `{ kubeconfig = \"CLUSTER\" }`, `{ postgres = \"NAME\" }` or `{ text = \"…\" }`";
    let Node::Object(pairs) = &expr.node else {
        diags.push(
            Diagnostic::error(
                Code::WrongType,
                format!("{of} does not say what is written"),
            )
            .label(expr.span, "an object must stand here")
            .hint(hint),
        );
        return None;
    };
    let [(key, value)] = pairs.as_slice() else {
        diags.push(
            Diagnostic::error(Code::WrongType, format!("{of} must say one thing"))
                .label(expr.span, format!("this says {}", pairs.len()))
                .hint(hint),
        );
        return None;
    };
    let name = text(of, key, diags)?;
    if !CONTENTS.contains(&name.as_str()) {
        let d = Diagnostic::error(
            Code::UnknownArgument,
            format!("unknown argument `{name}` of {of}"),
        )
        .label(key.span, "not known here");
        diags.push(match nearest(&name, CONTENTS.iter().copied()) {
            Some(near) => d.hint(format!("did you mean `{near}`?")),
            None => d.hint(hint),
        });
        return None;
    }
    let value = text(&format!("`{name}` of {of}"), value, diags)?;
    Some(json!({ name: value }))
}

fn number(of: &str, (min, max): (i64, i64), expr: &Expr, diags: &mut Diagnostics) -> Option<Json> {
    let wanted = format!("a whole number from {min} to {max}");
    let value = plain(expr, diags)?;
    let Value::Number(number) = &value else {
        return wrong(of, &wanted, &value, expr.span, diags);
    };
    let whole: Option<i64> = number.normalized().to_string().parse().ok();
    let fitting = whole.filter(|n| (min..=max).contains(n));
    if fitting.is_none() {
        diags.push(misfit(
            of,
            &wanted,
            &number.normalized().to_string(),
            expr.span,
        ));
    }
    fitting.map(|n| json!(n))
}

/// Text of a form.
fn formed(kind: Kind, of: &str, expr: &Expr, diags: &mut Diagnostics) -> Option<Json> {
    let text = text(of, expr, diags)?;
    let (read, wanted) = match kind {
        Kind::Time => (
            text.parse::<Timestamp>().is_ok().then(|| text.clone()),
            "a time such as \"2026-11-21T03:10:00Z\"",
        ),
        Kind::Length => (
            parse_duration(&text).map(|length| format!("{}ms", length.as_millis())),
            "a length of time such as \"90s\", \"15m\" or \"1h30m\"",
        ),
        Kind::Url => (
            host_and_port(&text).map(|_| text.clone()),
            "a URL such as \"https://b.example:6443\"",
        ),
        Kind::Place => (
            host_and_port(&format!("postgres://{text}")).map(|_| text.clone()),
            "a place such as \"db.example:5432\"",
        ),
        Kind::Version => (
            is_version(&text).then(|| text.clone()),
            "a version such as \"17\" or \"17.6\"",
        ),
        Kind::RecordType => (
            RecordType::parse(&text).map(|_| text.clone()),
            "a type of records such as \"A\" or \"CNAME\"",
        ),
        Kind::Service => (
            (text.split('/').filter(|part| !part.is_empty()).count() == 3).then(|| text.clone()),
            "a Service as \"CLUSTER/NAMESPACE/SERVICE\"",
        ),
        _ => (Some(text.clone()), ""),
    };
    if read.is_none() {
        diags.push(misfit(of, wanted, &format!("\"{text}\""), expr.span));
    }
    read.map(Json::String)
}

fn is_version(text: &str) -> bool {
    let (major, minor) = text.split_once('.').unwrap_or((text, "0"));
    major.parse::<u32>().is_ok() && minor.parse::<u32>().is_ok()
}

fn misfit(of: &str, wanted: &str, found: &str, span: Span) -> Diagnostic {
    Diagnostic::error(Code::WrongType, format!("{of} must be {wanted}"))
        .label(span, format!("{found} is not"))
}

fn wrong<T>(
    of: &str,
    wanted: &str,
    found: &Value,
    span: Span,
    diags: &mut Diagnostics,
) -> Option<T> {
    let mut d = Diagnostic::error(Code::WrongType, format!("{of} must be {wanted}"))
        .label(span, format!("this is {}", what(found)));
    let quoted = match found {
        Value::Number(n) => Some(n.normalized().to_string()),
        Value::Bool(b) => Some(b.to_string()),
        _ => None,
    };
    if let Some(quoted) = quoted.filter(|_| wanted == "text") {
        d = d.hint(format!("write `\"{quoted}\"`"));
    }
    diags.push(d);
    None
}

fn what(value: &Value) -> &'static str {
    match value {
        Value::Null | Value::Hole(_) => "nothing",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::List(_) => "a list",
        Value::Map(_) => "an object",
    }
}

/// Something stands at two places.
pub(super) fn twice(what: &str, again: Span, first: Span) -> Diagnostic {
    Diagnostic::error(Code::DuplicateName, format!("{what} stands twice"))
        .label(again, "again here")
        .label(first, "first here")
        .hint("rename or remove one of them")
}
