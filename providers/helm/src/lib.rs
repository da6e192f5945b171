//! Helm releases, written by the real `helm` and read from its release Secrets.
//!
//! One kind, [`HelmRelease`]. What is installed is told by the labels of the newest release Secret
//! (`owner=helm,name=…`): Helm's own `status` and `version`, and the marks that drplan hands to
//! `helm upgrade --labels`. The most telling one is the hash of the chart and values that were
//! wanted, together with the revision that it was given to: Helm copies labels from revision to
//! revision, so a release that somebody upgraded by hand still carries our hash, with an old revision.
//! The data of a release Secret holds values, hence secrets; no decision reads it. Only the proof
//! opens it, to read which objects the release consists of.
//!
//! The crate knows nothing about chart repositories: `helm` downloads. It does not template, and it
//! does not compare a chart with live objects; that an object of a deployed release was deleted by
//! hand is found by the proof of an action, not at plan.

mod act;
mod decide;
mod host;
mod payload;
mod prove;
mod release;
mod spec;
mod tool;

pub use decide::HelmRelease;
pub use release::Release;
pub use spec::Chart;
pub use spec::Existing;
pub use spec::Op;
pub use spec::Spec;
pub use spec::ValuesFile;
