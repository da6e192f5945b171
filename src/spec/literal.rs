//! Values that need no scope.

use drplan_api::Json;

use crate::diag::Code;
use crate::diag::Diagnostic;
use crate::lang::Expr;
use crate::lang::Part;
use crate::lang::Scope;
use crate::lang::Span;
use crate::lang::Value;

/// The value of an expression that needs no scope; `None` if it does.
pub(crate) fn literal(expr: &Expr) -> Option<Value> {
    struct Nothing;
    impl Scope for Nothing {
        fn resolve(&self, _: &[Part], span: Span) -> Result<(Value, usize), Diagnostic> {
            Err(
                Diagnostic::error(Code::UnknownReference, "no reference is possible here")
                    .label(span, ""),
            )
        }
        fn file(&self, _: &str) -> Result<String, String> {
            Err("files cannot be read here".to_owned())
        }
    }
    match crate::lang::eval(expr, &Nothing) {
        Ok(Value::Hole(_)) | Err(_) => None,
        Ok(value) => Some(value),
    }
}

/// The JSON of a value without holes.
pub(super) fn plain_json(value: &Value) -> Json {
    crate::lang::value_to_json(value, &mut |_| Json::Null)
}
