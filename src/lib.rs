//! drplan plans, applies and proves disaster recoveries.
//!
//! The pipeline, each arrow one function whose signature tells the truth:
//!
//! ```text
//! files -spec::Source::load-> Source -spec::parse-> Module -spec::check-> diagnostics
//! (Module, Facts) -graph::Expander-> Expanded, or asks;  observe::Observer answers asks into Facts
//! Expanded -graph::build-> Graph;  (Graph, Facts) -plan::plan-> Plan -plan::check-> broken rules
//! Plan -apply::apply-> Journal;  (Plan, Journal) -report::report-> Report
//! Plan, Report -render-> text, JSON, Markdown, JUnit, HTML, DOT, Mermaid
//! ```
//!
//! | module | what it is | touches the world |
//! |---|---|---|
//! | [`lang`] | text to expressions to values, known or holes | no |
//! | [`diag`] | mistakes with code, place and way out | no |
//! | [`spec`] | files to a checked module | reads the spec's folder |
//! | [`graph`] | expansion in rounds, edges with reasons, order | reads files that the spec names |
//! | [`observe`] | answers to asks | reads through providers |
//! | [`snapshot`] | the facts as a file, and answers from it | the snapshot |
//! | [`sealed`] | files of canonical JSON with a digest | those files |
//! | [`signature`] | who vouches for a digest | reads keys |
//! | [`plan`] | the decision, the checker, the plan file | the plan file |
//! | [`bind`] | fills holes with exports and, at the effect, secrets | no |
//! | [`rights`] | what a plan and its apply must be allowed | no |
//! | [`doctor`] | what stands in the way of a recovery | no |
//! | [`outs`] | what steps export | no |
//! | [`secrets`] | opens and scrubs secrets | reads files and variables |
//! | [`apply`] | order, waiting, retries, journal | the only writer |
//! | [`store`] | where runs, journals and locks are kept | a folder or a bucket |
//! | [`report`] | what happened, folded from the journal | no |
//! | [`eyes`] | looks with the connections of another plan | reads through providers |
//! | [`release`] | plans to end what a recovery left behind | reads through providers |
//! | [`revert`] | plans to take back what a run changed | reads through providers |
//! | [`render`] | all formatting for people and machines | no |
//! | [`registry`] | the one table of providers | no |
//! | `rehearse` | a spec in a world of this process | copies the spec's folder |
//! | [`cli`] | arguments, questions, exit codes | terminal |
//!
//! Files that drplan reads: `*.dr.hcl`, `drplan.drvars.hcl`, `*.auto.drvars.hcl`, plan files, and what
//! the spec names. Files that it writes: plan files, snapshots, and `.drplan/` beside the spec (`lock`,
//! `runs/RUN/{plan.json,journal.jsonl,frontier.json}`, `work/STEP/`).

pub mod apply;
pub mod bind;
pub mod cli;
pub mod diag;
pub mod doctor;
pub mod eyes;
pub mod graph;
pub mod lang;
pub mod observe;
pub mod outs;
pub(crate) mod patience;
pub mod plan;
pub(crate) mod private;
pub mod registry;
#[cfg(feature = "rehearse")]
pub mod rehearse;
pub mod release;
pub mod render;
pub mod report;
pub(crate) mod retry;
pub mod revert;
pub mod rights;
pub mod schema;
pub mod sealed;
pub mod secrets;
pub mod signature;
pub mod snapshot;
pub mod spec;
pub mod store;
#[cfg(test)]
mod tests;

pub(crate) use spec::load::names as spec_names;
pub(crate) use spec::load::read as spec_read;
pub(crate) use spec::load::tree_digest as spec_tree_digest;
