//! From text to a checked module: loading, parsing, and holding every argument against the schemas.

pub(crate) mod check;
pub(crate) mod load;
mod module;
pub(crate) mod variables;

pub use check::check;
pub use check::nearest;
pub use load::LoadError;
pub use load::Source;
pub use module::CheckBlock;
pub use module::Module;
pub use module::Ordering;
pub use module::ProviderBlock;
pub use module::Recovery;
pub use module::ResourceBlock;
pub(crate) use module::literal;
pub use module::parse;
pub use variables::GivenVariables;
pub use variables::Variable;
pub use variables::bind;
