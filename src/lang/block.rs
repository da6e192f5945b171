//! Blocks and their arguments, as they stand in a file.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use super::Expr;
use super::Span;

/// One block of a spec: `resource "kind" "name" { … }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// Its type: `resource`.
    pub kind: String,
    /// Where the type stands.
    pub kind_span: Span,
    /// Its labels, each with its place (quotes included).
    pub labels: Vec<(String, Span)>,
    /// Its arguments, by name.
    pub attrs: BTreeMap<String, Attr>,
    /// The blocks in it, in order.
    pub blocks: Vec<Self>,
    /// The header: type and labels.
    pub span: Span,
}

impl Block {
    /// Returns the text of a label.
    pub fn label(&self, at: usize) -> Option<&str> {
        self.labels.get(at).map(|(text, _)| text.as_str())
    }

    /// Lists the blocks of one type in it.
    pub fn nested<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Self> {
        self.blocks.iter().filter(move |block| block.kind == kind)
    }
}

/// One argument: `name = expression`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attr {
    /// Where its name stands.
    pub name_span: Span,
    /// Its value.
    pub expr: Expr,
    /// The whole of it, name and value.
    pub span: Span,
}
