//! The plan: what will be done, in which order, why, and what it rests on.

mod canonical;
mod check;
mod decide;
mod file;
mod notice;
mod reason;
mod step;
mod summary;

pub(crate) use canonical::canonical;
pub use check::check;
pub use decide::Options;
pub use decide::plan;
pub use file::PlanFileError;
pub use file::encode;
pub use file::parse;
pub use file::read;
pub use file::seal;
pub use file::write;
pub use step::Declared;
pub use step::Do;
pub use step::Finding;
pub use step::Head;
pub use step::Hypothesis;
pub use step::Plan;
pub use step::PlanEdge;
pub use step::Point;
pub use step::RunStorePin;
pub use step::Step;
pub use step::Sure;
pub use step::TargetPin;
pub use step::Where;
pub use summary::Summary;
