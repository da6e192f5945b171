//! The language: text to blocks and expressions, expressions to values.
//!
//! `parse` splits a file into blocks and arguments itself, so that every mistake is found and one
//! does not hide the next; expressions are read by `hcl-edit` and lowered to [`Expr`], the one type
//! for source expressions and residual ones. [`eval`] is a partial evaluator: what is known is
//! computed, what hangs on something unknown or secret becomes a hole with a residual expression.
//!
//! The language knows no kinds, no resources and no files: what a name means is the business of a
//! [`Scope`].

mod access;
mod block;
mod eval;
mod expr;
mod functions;
mod iterate;
mod json;
mod lower;
mod number;
mod operate;
mod parse;
mod residual;
mod scan;
mod span;
mod syntax;
mod template;
#[cfg(test)]
mod tests;
mod text;
mod units;
mod value;

pub use block::Attr;
pub use block::Block;
pub use drplan_api::parse_duration;
pub use eval::Scope;
pub use eval::eval;
pub use expr::Expr;
pub use expr::Key;
pub use expr::Node;
pub use expr::Op;
pub use expr::Part;
pub use expr::Step;
pub use expr::Unary;
pub(crate) use expr::each_out;
pub(crate) use expr::each_secret;
pub use expr::references;
pub use functions::function_names;
pub use json::json_to_value;
pub use json::value_to_json;
pub use parse::parse_body;
pub use parse::parse_expression;
pub use parse::parse_file;
pub use parse::parse_values_file;
pub use span::FileId;
pub use span::Span;
pub use text::show;
pub use units::format_duration;
pub use value::Residual;
pub use value::Value;
