//! From text to a checked module: loading, parsing, and holding every argument against the schemas.

mod blocks;
pub(crate) mod check;
mod connection;
mod literal;
pub(crate) mod load;
mod module;
mod read;
pub(crate) mod variables;

pub use check::check;
pub use check::nearest;
pub(crate) use connection::connection_named;
pub(crate) use connection::unknown_connection;
pub(crate) use literal::literal;
pub use load::LoadError;
pub use load::Source;
pub use load::digest_of;
pub use module::CheckBlock;
pub use module::Module;
pub use module::Ordering;
pub use module::ProviderBlock;
pub use module::Recovery;
pub use module::ResourceBlock;
pub use module::RunStoreBlock;
pub use module::Scenario;
pub use read::parse;
pub(crate) use variables::Given;
pub use variables::GivenVariables;
pub use variables::Surroundings;
pub use variables::Variable;
pub use variables::bind;
pub(crate) use variables::secret_text;
pub(crate) use variables::values_of;
