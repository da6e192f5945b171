//! What a write to a Kubernetes object means: field ownership, merges and schemas.
//!
//! Pure functions over JSON values. The embedded API server asks them what an object is
//! ([`TypeInfo`]), whether it may be ([`validate`], [`check_update`]), what it becomes ([`prune`],
//! [`default`]) and who owns which of its fields ([`owners`]). Nothing here knows of storage,
//! requests, rights or time: whoever calls says what time it is.

mod crd;
mod defaults;
mod error;
mod formats;
mod normal;
mod operations;
mod prune;
mod quantity;
mod schema;
mod strategy;
mod structural;
mod types;
mod update;
mod validation;

pub mod owners;
pub mod patch;

pub use crd::from_crd;
pub use defaults::default;
pub use error::FieldError;
pub use error::PatchError;
pub use error::invalid_status;
pub use patch::json_patch;
pub use patch::merge_patch;
pub use patch::strategic_merge;
pub use prune::prune;
pub use schema::Schema;
pub use strategy::prepare_create;
pub use strategy::prepare_update;
pub use types::Scale;
pub use types::TypeInfo;
pub use types::body;
pub use types::builtins;
pub use update::check_update;
pub use validation::decode_error;
pub use validation::finalizers_of_spec;
pub use validation::validate;
