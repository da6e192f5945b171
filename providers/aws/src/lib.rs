//! What the connections to AWS services share: the common arguments of their `provider` blocks, where
//! credentials come from, and the HTTP client.
//!
//! It knows no service. Values of arguments never appear in errors: they may be secrets.

mod args;
mod http;
mod policy;

pub use args::Args;
pub use args::Keys;
pub use args::arguments;
pub use args::check;
pub use args::invalid;
pub use args::load;
pub use policy::policy;
