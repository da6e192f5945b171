//! Diagnostics: what is wrong with a spec, where, and the way out.
//!
//! Mistakes of authors are collected, not thrown: stages return what they could make together with
//! [`Diagnostics`]. This module knows nothing about the language; it knows files, spans and text.

mod code;
mod diagnostic;
mod json;
mod render;
mod sources;
#[cfg(test)]
mod tests;

pub use code::Code;
pub use diagnostic::Diagnostic;
pub use diagnostic::Diagnostics;
pub use diagnostic::Label;
pub use diagnostic::Severity;
pub use json::to_json;
pub use render::render;
pub use sources::Sources;
