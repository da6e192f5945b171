//! What a plan may not do, said by whoever asked for it. It is bound into the plan, and held against it
//! again whenever it is read.

use std::collections::BTreeSet;

use drplan_api::Action;
use drplan_api::Change;
use drplan_api::Effect;
use drplan_api::HazardLevel;
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

/// What is held against a limit: what a plan shows of a step, or what the step turns out to do.
pub(crate) struct Deed<'a> {
    /// What it does, or each that it may turn out to do.
    pub(crate) actions: &'a [Action],
    /// Whether it is known which.
    pub(crate) sure: bool,
    /// The requests.
    pub(crate) effects: &'a [Effect],
    /// What changes.
    pub(crate) diff: &'a [Change],
    /// How bad it is at most.
    pub(crate) worst: HazardLevel,
    /// Whether traffic moves.
    pub(crate) cutover: bool,
    /// Whether foreign data was given up.
    pub(crate) accepted: bool,
}

/// The effects by which something goes that was there before: what a step makes for itself and removes
/// again does not count.
pub(super) fn deletions(effects: &[Effect]) -> impl Iterator<Item = &Effect> {
    let mut made = BTreeSet::new();
    effects.iter().filter(move |effect| match &*effect.verb {
        "create" => {
            made.insert(&effect.object);
            false
        }
        "delete" | "drop" => !made.contains(&effect.object),
        _ => false,
    })
}

impl Deed<'_> {
    fn takes(&self, action: Action) -> bool {
        self.actions.contains(&action)
    }

    /// Whether anything changes. Of what is decided late, nothing is known but that it may.
    pub(crate) fn changes(&self) -> bool {
        match self.sure {
            true => !self.effects.iter().all(Effect::only_reads),
            false => !self.actions.is_empty(),
        }
    }

    /// Whether something goes that was there before.
    fn deletes(&self) -> bool {
        self.takes(Action::Delete) || deletions(self.effects).next().is_some()
    }

    /// Whether something that is there becomes another. A restore that brings some things back and sets
    /// others back is called after the former.
    fn updates(&self) -> bool {
        let restores = self.takes(Action::Restore) || self.takes(Action::Create);
        let in_place = |change: &Change| change.before.is_some() && change.after.is_some();
        self.takes(Action::Update) || (restores && self.diff.iter().any(in_place))
    }
}

impl Forbidden {
    /// How a deed does what is forbidden, as a fragment; `None` if it does not.
    pub(crate) fn done_by(self, deed: &Deed<'_>) -> Option<&'static str> {
        let (does, sure, unsure) = match self {
            Self::Delete => (deed.deletes(), "deletes", "may delete"),
            Self::Update => (
                deed.updates(),
                "changes what exists",
                "may change what exists",
            ),
            Self::Overwrite => (
                deed.accepted,
                "overwrites foreign data",
                "may overwrite foreign data",
            ),
            Self::Irreversible => (
                deed.worst == HazardLevel::Irreversible,
                "cannot be undone",
                "may turn out to be beyond undoing",
            ),
            Self::Dns => (deed.cutover, "moves traffic", "may move traffic"),
            Self::Run => (
                deed.takes(Action::Run) && deed.changes(),
                "runs a program",
                "may run a program",
            ),
        };
        does.then_some(if deed.sure { sure } else { unsure })
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
