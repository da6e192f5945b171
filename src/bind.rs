//! Fills holes: the same evaluator as while planning, with exports of steps that are done and, only
//! at the effect, secrets.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use drplan_api::Address;
use drplan_api::ErrorKind;
use drplan_api::Hole;
use drplan_api::Json;
use drplan_api::Opener;
use drplan_api::ProviderError;
use drplan_api::SecretRef;
use drplan_api::is_hole;
use serde_json::json;

use crate::diag::Code;
use crate::diag::Diagnostic;
use crate::lang::Expr;
use crate::lang::Key;
use crate::lang::Node;
use crate::lang::Part;
use crate::lang::Scope;
use crate::lang::Span;
use crate::lang::Value;
use crate::lang::eval;
use crate::lang::value_to_json;
use crate::outs::Outs;
use crate::secrets::Secrets;

impl Filled<'_> {
    /// Opens the secrets that an export refers to, where this may open any.
    fn opened(&self, value: &Value) -> Value {
        match value {
            Value::Hole(hole) => match &hole.expr.node {
                Node::Secret(reference) => self.secret(reference).unwrap_or_else(|| value.clone()),
                _ => value.clone(),
            },
            Value::List(list) => Value::List(list.iter().map(|v| self.opened(v)).collect()),
            Value::Map(map) => Value::Map(
                map.iter()
                    .map(|(k, v)| (k.clone(), self.opened(v)))
                    .collect(),
            ),
            other => other.clone(),
        }
    }
}

struct Filled<'a> {
    outs: Option<&'a Outs>,
    secrets: Option<&'a Secrets>,
    failed: Mutex<Option<ProviderError>>,
}

impl Scope for Filled<'_> {
    fn resolve(&self, _: &[Part], span: Span) -> Result<(Value, usize), Diagnostic> {
        Err(Diagnostic::error(Code::UnknownReference, "a plan holds no names").label(span, "here"))
    }

    fn out(&self, address: &Address, path: &[Key]) -> Option<Value> {
        let mut value = self.outs?.get(address)?;
        for key in path {
            value = match (value, key) {
                (Value::Map(map), Key::Attr(name)) => map.get(name)?,
                (Value::List(list), Key::Index(i)) => list.get(*i)?,
                _ => return None,
            };
        }
        Some(self.opened(value))
    }

    fn secret(&self, secret: &SecretRef) -> Option<Value> {
        match self.secrets?.open(secret) {
            Ok(text) => Some(Value::String(text.into())),
            Err(error) => {
                self.failed
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .get_or_insert(error);
                None
            }
        }
    }

    fn file(&self, _: &str) -> Result<String, String> {
        Err("apply opens no files of the spec".to_owned())
    }
}

fn evaluate(
    hole: &Hole,
    exprs: &[Arc<Expr>],
    outs: Option<&Outs>,
    secrets: Option<&Secrets>,
) -> Result<Option<Json>, ProviderError> {
    let expr = exprs.get(hole.expr).ok_or_else(|| {
        ProviderError::new(ErrorKind::Bug, "fill a hole", "the plan")
            .because("its expression is missing")
    })?;
    let scope = Filled {
        outs,
        secrets,
        failed: Mutex::default(),
    };
    let value = eval(expr, &scope).map_err(|d| {
        ProviderError::new(
            ErrorKind::Invalid,
            "evaluate an expression of the plan",
            "the plan",
        )
        .because(d.message)
    })?;
    let mut open = false;
    let json = value_to_json(&value, &mut |_| {
        open = true;
        Json::Null
    });
    if let Some(error) = scope
        .failed
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
    {
        return Err(error);
    }
    Ok((!open).then_some(json))
}

fn walk(
    json: &Json,
    on_hole: &mut dyn FnMut(&Hole) -> Result<Json, ProviderError>,
) -> Result<Json, ProviderError> {
    if let Some(hole) = is_hole(json) {
        return on_hole(&hole);
    }
    Ok(match json {
        Json::Object(map) => Json::Object(
            map.iter()
                .map(|(k, v)| Ok((k.clone(), walk(v, on_hole)?)))
                .collect::<Result<_, ProviderError>>()?,
        ),
        Json::Array(list) => Json::Array(
            list.iter()
                .map(|v| walk(v, on_hole))
                .collect::<Result<_, _>>()?,
        ),
        scalar => scalar.clone(),
    })
}

/// Fills what is known now; a hole that only a secret can fill stays one.
///
/// # Errors
///
/// If an expression fails, or needs a step that has not ended.
pub fn settle(json: &Json, exprs: &[Arc<Expr>], outs: &Outs) -> Result<Json, ProviderError> {
    walk(
        json,
        &mut |hole| match evaluate(hole, exprs, Some(outs), None)? {
            Some(value) => Ok(value),
            None => {
                // What is left must be secrets alone: everything that the hole waited for has ended.
                let known = hole.after.iter().all(|a| outs.get(a).is_some());
                if !known {
                    return Err(not_given(hole));
                }
                Ok(json!({ "$hole": Hole { expr: hole.expr, secret: true, after: Vec::new() } }))
            }
        },
    )
}

/// Fills everything, secrets included. The result must not be logged or kept.
///
/// # Errors
///
/// If a secret cannot be opened or an expression fails.
pub fn fill(
    json: &Json,
    exprs: &[Arc<Expr>],
    outs: Option<&Outs>,
    secrets: &Secrets,
) -> Result<Json, ProviderError> {
    walk(json, &mut |hole| {
        let value = evaluate(hole, exprs, outs, Some(secrets))?.ok_or_else(|| not_given(hole))?;
        if let (true, Json::String(text)) = (hole.secret, &value) {
            secrets.remember(text);
        }
        Ok(value)
    })
}

/// What others were to give is not there.
fn not_given(hole: &Hole) -> ProviderError {
    let names: Vec<String> = hole.after.iter().map(|a| format!("`{a}`")).collect();
    ProviderError::new(ErrorKind::Invalid, "fill in what others give", "the plan")
        .because(format!("what {} gives is not known", names.join(" or ")))
        .hint("a step that was left out with `--skip` gives nothing: do it, or leave out what needs it too")
}

/// Opens holes for one step.
pub struct StepOpener {
    /// The plan, for its expressions.
    pub plan: Arc<crate::plan::Plan>,
    /// Exports of what the step waited for, and of others.
    pub outs: Arc<Outs>,
    /// Where secrets are opened.
    pub secrets: Arc<Secrets>,
}

impl Opener for StepOpener {
    fn open(&self, hole: &Hole) -> Result<Json, ProviderError> {
        fill(
            &json!({ "$hole": hole }),
            &self.plan.exprs,
            Some(&self.outs),
            &self.secrets,
        )
    }
}
