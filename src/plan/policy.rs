//! What a plan may not do, said by whoever asked for it. It is bound into the plan, and held against it
//! again whenever it is read.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::Serialize;

/// Something that can be forbidden.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Forbidden {
    /// Deleting anything.
    Delete,
    /// Changing what exists in place.
    Update,
    /// Overwriting foreign data, as was accepted.
    Overwrite,
    /// What cannot be undone.
    Irreversible,
    /// Moving traffic.
    Dns,
    /// Running programs of the spec.
    Run,
}

impl Forbidden {
    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Update => "update",
            Self::Overwrite => "overwrite",
            Self::Irreversible => "irreversible",
            Self::Dns => "dns",
            Self::Run => "run",
        }
    }
}

/// The limits of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// What no step may do.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub forbid: BTreeSet<Forbidden>,
    /// How many steps may change the world.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_changes: Option<u64>,
}

impl Policy {
    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
