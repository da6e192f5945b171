//! What a kind decides about one resource, as data.

use serde::Deserialize;
use serde::Serialize;

use crate::Json;
use crate::Timestamp;

/// What a step does to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Makes something that is not there.
    Create,
    /// Changes something in place.
    Update,
    /// Brings something back from a backup.
    Restore,
    /// Runs a program or a check of the user's.
    Run,
    /// Deletes what drplan itself made.
    Delete,
}

impl Action {
    /// Returns the symbol in front of a step.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Create => "+",
            Self::Update => "~",
            Self::Restore => "+",
            Self::Run => ">",
            Self::Delete => "-",
        }
    }

    /// Returns the verb for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Restore => "restore",
            Self::Run => "run",
            Self::Delete => "delete",
        }
    }
}

/// Why something was decided, in a fragment for people: "namespace `shop` is missing".
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Because(pub String);

impl<T: Into<String>> From<T> for Because {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl std::fmt::Display for Because {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

/// How bad a step can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HazardLevel {
    /// Adds something; nothing that existed is touched.
    None,
    /// Changes something that can be changed back.
    Reversible,
    /// Cannot be undone.
    Irreversible,
}

/// How bad a step is and, if it is, why: "clients that resolved the new address stay there".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hazard {
    /// How bad.
    pub level: HazardLevel,
    /// Why, and how it would be undone where that is possible; empty for none.
    pub text: String,
}

impl Hazard {
    /// Nothing that existed is touched.
    pub fn none() -> Self {
        Self {
            level: HazardLevel::None,
            text: String::new(),
        }
    }

    /// Can be changed back; says how.
    pub fn reversible(how: impl Into<String>) -> Self {
        Self {
            level: HazardLevel::Reversible,
            text: how.into(),
        }
    }

    /// Cannot be undone; says why.
    pub fn irreversible(why: impl Into<String>) -> Self {
        Self {
            level: HazardLevel::Irreversible,
            text: why.into(),
        }
    }
}

/// One difference between what is and what shall be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Where: a path such as `spec.replicas`, or the name of an object.
    pub path: String,
    /// What is there now; `None` if nothing is. Never a secret.
    pub before: Option<Json>,
    /// What shall be there; `None` if nothing. Never a secret; may be a hole.
    pub after: Option<Json>,
    /// Whether the values are hidden because they are secret.
    pub sensitive: bool,
    /// A unified text diff, for long values and whole objects.
    pub text: Option<String>,
}

/// One request that changes the world. The audit compares these with what servers recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// The verb of the system: `create`, `patch`, `CHANGE`, `exec`, `sql`; `wait` and `get` change
    /// nothing.
    pub verb: String,
    /// The object: for Kubernetes `GROUP/RESOURCE NAMESPACE/NAME` (core group: `RESOURCE NAMESPACE/NAME`).
    pub object: String,
    /// Why doing it twice is harmless.
    pub repeat: Repeat,
    /// How to take it back, if that is possible.
    pub inverse: Option<Json>,
}

impl Effect {
    /// Whether it only waits or asks: nothing in the world is changed by it.
    pub fn only_reads(&self) -> bool {
        matches!(self.verb.as_str(), "wait" | "get")
    }
}

/// Why a second try of an effect is harmless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    /// Created under a name that is fixed in the plan.
    Named,
    /// Compare and swap against what was seen.
    Cas,
    /// Sets the same fields to the same values.
    Converge,
    /// Prepared aside and swapped in at the end.
    Staged,
}

/// One object of a resource that holds many, for the full form of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectLine {
    /// Its name: `v1/ConfigMap shop/settings`, or a table.
    pub name: String,
    /// Its class: the `label` of one of the counts of the [`Breakdown`].
    pub class: String,
    /// What is to be said about it; empty if nothing.
    pub note: String,
    /// A unified text diff between the backup and live, if it differs. Never shows a secret.
    pub diff: Option<String>,
}

/// What a resource that holds many objects consists of: counts for the summary, objects for the full
/// form. Counts are in display order and add up to the number of objects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breakdown {
    /// One sentence for the summary: "214 objects in the backup: 190 alive, 12 made again by
    /// controllers, 12 missing".
    pub headline: String,
    /// Class and number, in display order.
    pub counts: Vec<(String, u64)>,
    /// Every object that deserves a line.
    pub objects: Vec<ObjectLine>,
}

/// An instant that a data source can bring back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryPoint {
    /// What it is a point of: "namespaces shop, web", "database shop".
    pub of: String,
    /// The backup's own name.
    pub id: String,
    /// The instant: everything after it is lost.
    pub at: Timestamp,
    /// Whether its own tool calls it complete; if not, why not.
    pub incomplete: Option<String>,
    /// Why it cannot be taken, if it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unusable: Option<String>,
    /// Its size in bytes, if known.
    pub bytes: Option<u64>,
}

/// What to do, in full.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal<Op> {
    /// What the step does.
    pub action: Action,
    /// Why.
    pub because: Because,
    /// What changes.
    pub diff: Vec<Change>,
    /// How bad it is.
    pub hazard: Hazard,
    /// The payload for [`crate::Acts`]; everything that acting needs except secrets.
    pub op: Op,
    /// The requests that will change the world, in order. `begin`, `probe` and `poll` are called with
    /// the index of one of these.
    pub effects: Vec<Effect>,
    /// That part of the live state on which the decision rests. If it is another one when the step's
    /// turn comes, the step has *moved* and does not run. Of a JSON object each entry is bound apart, and
    /// one that is gone by then came true by itself, which is no reason to refuse the rest. Never a
    /// secret; nothing volatile.
    pub binding: Json,
}

/// The decision about one resource.
#[derive(Clone, Debug, PartialEq)]
pub enum Planned<Op> {
    /// Already true, or only read.
    Nothing(Because),
    /// Something must be done.
    Step(Box<Proposal<Op>>),
    /// A person must answer before what is guarded may run.
    Gate {
        /// What the person is asked.
        ask: String,
        /// Why.
        because: Because,
    },
    /// Something that did not come from this recovery is in the way.
    Conflict(Because, Vec<Change>),
    /// It cannot be told or done; says what is missing.
    Blocked(Because),
}

impl<Op> Planned<Op> {
    /// Converts the payload of a step.
    ///
    /// # Errors
    ///
    /// Returns the error of `f`.
    pub fn try_map<T, E>(self, f: impl FnOnce(Op) -> Result<T, E>) -> Result<Planned<T>, E> {
        Ok(match self {
            Self::Nothing(because) => Planned::Nothing(because),
            Self::Gate { ask, because } => Planned::Gate { ask, because },
            Self::Conflict(because, changes) => Planned::Conflict(because, changes),
            Self::Blocked(because) => Planned::Blocked(because),
            Self::Step(p) => {
                let p = *p;
                Planned::Step(Box::new(Proposal {
                    action: p.action,
                    because: p.because,
                    diff: p.diff,
                    hazard: p.hazard,
                    op: f(p.op)?,
                    effects: p.effects,
                    binding: p.binding,
                }))
            }
        })
    }
}
