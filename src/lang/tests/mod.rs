//! Tables of source text against values, errors and residuals.

mod errors;
mod parse;
mod partial;
mod values;

use std::collections::BTreeMap;

use drplan_api::Address;
use drplan_api::Json;
use drplan_api::SecretRef;
use drplan_api::Shape;
use serde_json::json;

use super::Expr;
use super::FileId;
use super::Key;
use super::Node;
use super::Part;
use super::Residual;
use super::Scope;
use super::Span;
use super::Value;
use super::eval;
use super::json_to_value;
use super::parse_expression;
use super::value_to_json;
use crate::diag::Code;
use crate::diag::Diagnostic;

/// A scope with `var.*`, `step.*` (exports, known only if told so), `var.password` and files.
struct World {
    known: bool,
    opens: bool,
}

fn variables() -> Json {
    json!({
        "name": "shop", "count": 3, "zero": 0, "list": ["a", "b", "c"], "empty": [], "nothing": null,
        "ports": {"web": 80, "tls": 443}, "yes": true, "number_text": "5",
        "hosts": [{"n": "x", "p": [1, 2]}, {"n": "y", "p": [3]}],
    })
}

fn exports() -> Json {
    json!({
        "host": "db.example", "port": 5432, "ready": true, "ids": ["i1", "i2"], "none": null,
        "tags": {"a": "1", "b": "2"}, "nested": [{"n": "x"}, {"n": "y"}], "index": 1, "empty": [],
    })
}

impl Scope for World {
    fn resolve(&self, parts: &[Part], span: Span) -> Result<(Value, usize), Diagnostic> {
        let name = |at: usize| match parts.get(at) {
            Some(Part::Attr(name, _)) => name.as_str(),
            _ => "",
        };
        let address = Address::new("command.x");
        match (name(0), name(1)) {
            ("var", "password") if self.opens => Ok((Value::string("hunter2"), 2)),
            ("var", "password") => Ok((hole(Node::Secret(password()), true, None, span), 2)),
            ("var", name) => match variables().get(name) {
                Some(value) => Ok((json_to_value(value), 2)),
                None => Err(unknown(name, span)),
            },
            ("step", _) if self.known => Ok((json_to_value(&exports()), 1)),
            ("step", _) => {
                let node = Node::Out {
                    address: address.clone(),
                    path: vec![],
                };
                Ok((hole(node, false, Some(address), span), 1))
            }
            (name, _) => Err(unknown(name, span)),
        }
    }

    fn out(&self, _: &Address, path: &[Key]) -> Option<Value> {
        (self.opens && path.is_empty()).then(|| json_to_value(&exports()))
    }

    fn secret(&self, _: &SecretRef) -> Option<Value> {
        self.opens.then(|| Value::string("hunter2"))
    }

    fn file(&self, path: &str) -> Result<String, String> {
        match path {
            "hello.txt" => Ok("hello\n".to_owned()),
            "t.tpl" => Ok("%{ for n in names ~}\n- ${n}\n%{ endfor ~}\nend $${x}\n".to_owned()),
            "bad.tpl" => Ok("one\ntwo ${missing}\n".to_owned()),
            _ => Err("no such file".to_owned()),
        }
    }
}

fn password() -> SecretRef {
    SecretRef::Variable("password".to_owned())
}

fn unknown(name: &str, span: Span) -> Diagnostic {
    Diagnostic::error(Code::UnknownReference, format!("nothing is named `{name}`")).label(span, "")
}

fn hole(node: Node, secret: bool, after: Option<Address>, span: Span) -> Value {
    Value::Hole(Residual {
        expr: Expr::new(node, span).into(),
        secret,
        after: after.into_iter().collect(),
        shape: Shape::Any,
    })
}

fn parsed(source: &str) -> Expr {
    match parse_expression(FileId(0), source) {
        Ok(expr) => expr,
        Err(error) => panic!("{source}: {error} {:?}", error.labels),
    }
}

/// Evaluates with everything known.
fn known(source: &str) -> Result<Value, Diagnostic> {
    let world = World {
        known: true,
        opens: true,
    };
    eval(&parsed(source), &world)
}

/// Evaluates with exports and secrets unknown, as a plan does.
fn planned(source: &str) -> Result<Value, Diagnostic> {
    let world = World {
        known: false,
        opens: false,
    };
    eval(&parsed(source), &world)
}

fn shown(value: &Value) -> String {
    value_to_json(value, &mut |_| json!("<hole>")).to_string()
}

/// Puts a value with holes into an expression again, as a plan file holds it, and evaluates that.
fn finished(value: &Value) -> Result<Value, Diagnostic> {
    let world = World {
        known: false,
        opens: true,
    };
    match value {
        Value::Hole(residual) => {
            let stored = serde_json::to_string(&residual).expect("JSON");
            let read: Residual = serde_json::from_str(&stored).expect("a residual");
            assert_eq!(&read, residual);
            eval(&read.expr, &world)
        }
        Value::List(list) => list
            .iter()
            .map(finished)
            .collect::<Result<_, _>>()
            .map(Value::List),
        Value::Map(map) => {
            let entries = map.iter().map(|(k, v)| Ok((k.clone(), finished(v)?)));
            entries
                .collect::<Result<BTreeMap<_, _>, Diagnostic>>()
                .map(Value::Map)
        }
        known => Ok(known.clone()),
    }
}
