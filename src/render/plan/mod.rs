//! A plan as text: the summary that fits one screen, the full form, and Markdown for a pull request.

mod details;
mod full;
mod markdown;
mod page;
mod says;
mod steps;
mod summary;
mod time;

pub use full::full;
pub(crate) use markdown::BYTES_MAX;
pub(crate) use markdown::BYTES_MIN;
pub use markdown::markdown;
pub use summary::summary;
