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

#[cfg(feature = "rehearse")]
use self::summary::Rest;
#[cfg(feature = "rehearse")]
use super::rehearsal::Detail;
#[cfg(feature = "rehearse")]
use super::style::Style;
#[cfg(feature = "rehearse")]
use crate::plan::Plan;

/// The plan of a rehearsal: what helps where something could not be read is another.
#[cfg(feature = "rehearse")]
pub fn rehearsed(plan: &Plan, style: Style, detail: Detail) -> String {
    let summary = |rest| summary::with_cure(plan, style, says::STAND_IN, rest);
    match detail {
        Detail::Brief => summary(Rest::Elsewhere),
        Detail::Full => full::each(plan, style) + &summary(Rest::Above),
    }
}
