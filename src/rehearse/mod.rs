//! Rehearsing: the same spec, providers and requests against a world in this process.
//!
//! The world itself is `drplan-sandbox`. Here a spec's folder becomes a stage that may be written to,
//! the world file becomes data, failures that were asked for are put in front of kinds, and what
//! happened is kept for the report.

mod began;
mod compare;
mod failing;
mod file;
mod objective;
mod report;
mod scene;
mod stage;
mod timeline;
mod turnstile;

pub use began::Began;
pub use compare::Difference;
pub use compare::Differs;
pub use failing::Failures;
pub(crate) use file::FILE;
pub(crate) use file::schema;
pub use objective::Loss;
pub use objective::LossVerdict;
pub use objective::Newer;
pub use objective::Time;
pub use objective::TimeVerdict;
pub use report::Report;
pub use scene::Planned;
pub use scene::Scene;
pub use scene::Script;
pub use stage::Stage;
pub use stage::StageError;
pub(crate) use stage::write_private;
pub use timeline::Entry;
pub use timeline::Timeline;
pub use turnstile::Turnstile;
