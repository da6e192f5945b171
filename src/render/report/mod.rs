//! The report of a run, in every form. All forms say what `outline` says; JSON is the report itself.

mod html;
mod junit;
mod markdown;
mod outline;
mod text;

pub use html::html;
pub use junit::junit;
pub use markdown::markdown;
pub use text::text;

use crate::report::Report;

/// JSON: the report itself.
///
/// # Errors
///
/// Never for a report that this program made.
pub fn json(report: &Report) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(report)? + "\n")
}
