//! What somebody at another terminal wishes of a run.

use drplan_api::Timestamp;
use serde::Deserialize;
use serde::Serialize;

/// Whether a run shall begin anything new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// Whether nothing new shall be begun.
    pub pause: bool,
    /// Who wishes it.
    pub by: String,
    /// When it was wished.
    pub at: Timestamp,
}
