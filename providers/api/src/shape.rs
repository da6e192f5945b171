//! What is known of an export before its value is.

use std::collections::BTreeMap;
use std::sync::Arc;

/// What is known of a value that is not known itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// Nothing.
    #[default]
    Any,
    /// It is text, so nothing inside of it can be referred to.
    Text,
    /// It is a map with exactly these fields.
    Fields(Arc<BTreeMap<String, Self>>),
}

impl Shape {
    /// Makes the shape of a map.
    pub fn fields(fields: impl IntoIterator<Item = (impl Into<String>, Self)>) -> Self {
        let fields = fields.into_iter().map(|(name, shape)| (name.into(), shape));
        Self::Fields(Arc::new(fields.collect()))
    }

    /// Returns the shape of a field; [`Shape::Any`] if nothing is known of it.
    pub fn field(&self, name: &str) -> Self {
        match self {
            Self::Fields(fields) => fields.get(name).cloned().unwrap_or_default(),
            Self::Any | Self::Text => Self::Any,
        }
    }
}
