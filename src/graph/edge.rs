//! Edges and why they exist.

use drplan_api::Address;
use serde::Deserialize;
use serde::Serialize;

use crate::lang::Span;

/// Why one step waits for another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum EdgeWhy {
    /// An expression refers to it.
    Reference {
        /// Where.
        span: Span,
    },
    /// `depends_on` names it.
    DependsOn {
        /// Where.
        span: Span,
    },
    /// The connection that it uses is made of it.
    Provider {
        /// Which connection.
        conn: String,
    },
    /// It gives what the other needs.
    Needs {
        /// What.
        what: String,
        /// Why it is needed.
        because: String,
    },
    /// It ends what the other leaves behind.
    Ends {
        /// What the other does.
        because: String,
    },
    /// Stages are joined by barriers.
    Stage,
    /// Every cutover waits for all checks that do not themselves depend on one.
    Cutover,
    /// A guard goes before what it guards, and after what that waits for.
    Guard,
}

/// `after` waits for `before`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// What must be done first.
    pub before: Address,
    /// What waits.
    pub after: Address,
    /// Why.
    pub why: EdgeWhy,
}
