//! The arena of residual expressions: equal ones are kept once.

use std::collections::HashMap;
use std::sync::Arc;

use drplan_api::Hole;
use drplan_api::Json;

use crate::lang::Expr;
use crate::lang::Residual;
use crate::lang::Value;
use crate::lang::value_to_json;

/// Residual expressions by index; holes in arguments name the index.
#[derive(Clone, Debug, Default)]
pub struct Exprs {
    list: Vec<Arc<Expr>>,
    known: HashMap<String, usize>,
    /// The addresses of those in the list, which stay where they are as long as the list holds them.
    held: HashMap<usize, usize>,
}

impl Exprs {
    /// Returns the JSON of a value; what is not known becomes a hole.
    pub fn to_json(&mut self, value: &Value) -> Json {
        value_to_json(value, &mut |residual| self.hole(residual))
    }

    fn hole(&mut self, residual: &Residual) -> Json {
        let expr = self.index(&residual.expr);
        let hole = Hole {
            expr,
            secret: residual.secret,
            after: residual.after.iter().cloned().collect(),
        };
        serde_json::json!({ "$hole": hole })
    }

    fn index(&mut self, expr: &Arc<Expr>) -> usize {
        if let Some(index) = self.held.get(&Arc::as_ptr(expr).addr()) {
            return *index;
        }
        let key = serde_json::to_string(&**expr).unwrap_or_default();
        *self.known.entry(key).or_insert_with(|| {
            let index = self.list.len();
            self.held.insert(Arc::as_ptr(expr).addr(), index);
            self.list.push(Arc::clone(expr));
            index
        })
    }

    /// Returns all expressions so far in order of index.
    pub(crate) fn list(&self) -> &[Arc<Expr>] {
        &self.list
    }

    /// Returns all expressions in order of index.
    pub fn into_list(self) -> Vec<Arc<Expr>> {
        self.list
    }
}
