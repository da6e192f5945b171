//! The only place that formats for people or machines. Holds no logic: whatever text says, JSON says
//! too, and both say only what the plan or the run holds.

#[cfg(feature = "rehearse")]
pub mod began;
pub mod doctor;
pub mod evidence;
pub mod graph;
pub mod json;
mod markdown;
mod patient;
pub mod permissions;
pub mod plan;
pub mod points;
#[cfg(feature = "rehearse")]
pub mod rehearsal;
pub mod report;
pub mod run;
pub mod status;
pub mod style;
pub mod why;
