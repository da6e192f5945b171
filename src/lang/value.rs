//! The one type of values: known, or a hole with the residual expression that will fill it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use bigdecimal::BigDecimal;
use drplan_api::Address;
use drplan_api::Shape;
use serde::Deserialize;
use serde::Serialize;

use super::Expr;

/// A value of the language.
///
/// There is no known secret: whatever is sensitive is a [`Value::Hole`] whose residual expression
/// starts at a reference to the secret. So no function, template or error message can ever hold one
/// while planning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// Nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// An exact decimal number.
    Number(BigDecimal),
    /// Text.
    String(Arc<str>),
    /// A list, tuple or set.
    List(Vec<Self>),
    /// A map or object; ordered by key, as iteration is.
    Map(BTreeMap<String, Self>),
    /// Not known now, or secret.
    Hole(Residual),
}

/// An expression that could not be finished now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Residual {
    /// What is left to evaluate.
    pub expr: Arc<Expr>,
    /// Whether the result is a secret.
    pub secret: bool,
    /// The resources that must be done first; empty for a plain secret.
    pub after: BTreeSet<Address>,
    /// What is known of the result; only while planning.
    #[serde(skip)]
    pub shape: Shape,
}
