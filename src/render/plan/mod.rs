//! A plan as text: the summary that fits one screen, and the full form.

mod full;
mod steps;
mod summary;
mod time;

pub use full::full;
pub use summary::summary;
