//! The plan as data. Immutable, ordered, serialisable, without secrets.

use std::collections::BTreeMap;
use std::sync::Arc;

use drplan_api::Action;
use drplan_api::Address;
use drplan_api::Breakdown;
use drplan_api::Change;
use drplan_api::ConnId;
use drplan_api::Effect;
use drplan_api::Hazard;
use drplan_api::HazardLevel;
use drplan_api::Json;
use drplan_api::RawWant;
use drplan_api::Stage;
use drplan_api::TargetId;
use drplan_api::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use super::forecast::Expected;
use super::forecast::Forecast;
use super::policy::Policy;
use super::select::Partial;
use crate::graph::EdgeWhy;
use crate::lang::Expr;

/// The version of the plan file's format: major is refused if unknown, minor is additive.
pub(super) const FORMAT: &str = "drplan-plan/1.1";

/// What stands before the reason of a step that overwrites what others have, as a person accepted.
pub(crate) const OVERWRITES: &str = "whatever others have there is overwritten, as was accepted: ";

/// A whole plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What the plan was made of.
    pub head: Head,
    /// Connections, with holes where arguments are not known.
    pub targets: Vec<TargetPin>,
    /// Residual expressions; a hole `{"$hole": {"expr": n}}` anywhere in the plan names one.
    pub exprs: Vec<Arc<Expr>>,
    /// Steps in a stable topological order.
    pub steps: Vec<Step>,
    /// Which step waits for which, and why; each pair may stand several times.
    pub edges: Vec<PlanEdge>,
    /// The recovery points that the plan rests on.
    pub points: Vec<Point>,
    /// Warnings.
    pub findings: Vec<Finding>,
    /// How long it will take; `None` if nothing is left to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<Forecast>,
    /// Outputs, with holes.
    pub outputs: BTreeMap<String, Json>,
}

/// What a plan was made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// `drplan-plan/MAJOR.MINOR`.
    pub format: String,
    /// The version of drplan.
    pub tool: String,
    /// The name of the recovery.
    pub recovery: String,
    /// When the world was read.
    pub observed_at: Timestamp,
    /// The zero of all ages, if given.
    pub incident_at: Option<Timestamp>,
    /// Domains that a person declared lost.
    pub lost: Vec<String>,
    /// Who declared them lost, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<Declared>,
    /// The disaster that the plan is about, if it has not happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hypothesis: Option<Hypothesis>,
    /// That the plan is a part of the recovery, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<Partial>,
    /// What the plan may not do.
    #[serde(default, skip_serializing_if = "Policy::is_empty")]
    pub policy: Policy,
    /// Recovery points that a person chose, by data source.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub points: BTreeMap<Address, String>,
    /// Addresses whose foreign data may be overwritten.
    pub accept: Vec<String>,
    /// Steps that are done again though they are true, as a person asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redo: Vec<Address>,
    /// The most data that may be lost, in seconds.
    pub rpo_s: Option<u64>,
    /// The longest that the recovery may take, in seconds.
    pub rto_s: Option<u64>,
    /// Digests of the spec's files.
    pub spec: BTreeMap<String, String>,
    /// Digests of other files that were read.
    pub files: BTreeMap<String, String>,
    /// Digests of variables; sensitive ones are only named, in `secrets`.
    pub variables: BTreeMap<String, String>,
    /// How variables got values that do not stand in the spec or beside it.
    #[serde(default, skip_serializing_if = "Given::is_empty")]
    pub given: Given,
    /// Sensitive variables that apply must be given.
    pub secrets: Vec<String>,
    /// Payload versions by kind.
    pub kinds: BTreeMap<String, u32>,
    /// Whom to call, from the spec.
    pub contacts: BTreeMap<String, String>,
    /// Where runs are kept; `None` for beside the spec.
    #[serde(default)]
    pub run_store: Option<RunStorePin>,
    /// The run whose change of DNS it takes back, if it is there for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverts: Option<String>,
    /// Whether it is there to end what the recovery left behind, such as paused objects.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub releases: bool,
}

/// How variables got their values: whoever plans anew gives them the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// Files of values, as they were named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// Plain variables with their values: `NAME=VALUE`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// Variables whose values are not told here: secrets, and what the environment gave.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<String>,
}

impl Given {
    /// Whether nothing was given.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.values.is_empty() && self.others.is_empty()
    }
}

/// Where runs, journals and the lock are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStorePin {
    /// The connection; one of the plan's targets.
    pub conn: ConnId,
    /// The bucket.
    pub bucket: String,
    /// What all keys begin with.
    pub prefix: String,
}

/// Who said that something is lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declared {
    /// The name of the user, as the environment gives it; empty if it gives none.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// A disaster that has not happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hypothesis {
    /// The scenario of the spec, if it is one.
    pub scenario: Option<String>,
    /// The domains that are assumed lost.
    pub assumed: Vec<String>,
}

/// One connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetPin {
    /// Its name.
    pub conn: ConnId,
    /// Its arguments, with holes.
    pub config: Json,
    /// Who answered, if anybody did.
    pub identity: Option<TargetId>,
    /// The steps that make it.
    pub made_by: Vec<Address>,
    /// Steps whose exports, known when planned, stand in its arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub made_with: Vec<Address>,
    /// The domain that was declared lost, if it lies in one.
    pub lost: Option<String>,
}

/// Where something stands in the spec.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Where {
    /// The file, relative to the folder of the spec.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
}

/// How sure a decision is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "sure", rename_all = "snake_case")]
pub enum Sure {
    /// Made from what is there now.
    Exact,
    /// Made against an empty world, because the target is not there yet.
    Approximate {
        /// The steps that make the target.
        by: Vec<Address>,
    },
    /// Not made yet: arguments are not known.
    Unknown {
        /// The steps that they come from.
        until: Vec<Address>,
    },
}

/// What happens at a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Do {
    /// Already true, or read while planning.
    Nothing,
    /// Joins stages.
    Barrier,
    /// A data source that is read when its turn comes.
    Read,
    /// An action.
    Act {
        /// Which.
        action: Action,
        /// The payload.
        op: Json,
        /// The requests that change the world.
        effects: Vec<Effect>,
        /// The live state that the decision rests on.
        binding: Json,
    },
    /// Decided when its turn comes, within an envelope.
    Late {
        /// The actions that it may turn out to be.
        actions: Vec<Action>,
        /// The worst hazard that it may have.
        hazard_max: HazardLevel,
    },
    /// A person must answer.
    Gate {
        /// What is asked.
        ask: String,
    },
    /// Assertions.
    Check {
        /// Condition and message, with holes.
        asserts: Vec<(Json, Json)>,
        /// Whether a failure is only a warning.
        warning: bool,
    },
    /// Something foreign is in the way.
    Conflict,
    /// It cannot be told or done.
    Blocked {
        /// Whether something could not be read, which makes the plan incomplete.
        unreadable: bool,
    },
    /// A guard with nothing to guard.
    Idle,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its address.
    pub address: Address,
    /// Where it is declared.
    pub at: Option<Where>,
    /// Its kind; `check` or `barrier` for those.
    pub kind: String,
    /// The effective stage.
    pub stage: Option<Stage>,
    /// The earliest wave that it can run in.
    pub wave: usize,
    /// What happens.
    pub what: Do,
    /// Why.
    pub because: String,
    /// What changes.
    pub diff: Vec<Change>,
    /// How bad it is.
    pub hazard: Hazard,
    /// How sure the decision is.
    pub sure: Sure,
    /// What a resource of many objects consists of.
    pub breakdown: Option<Breakdown>,
    /// Warnings.
    pub warnings: Vec<String>,
    /// The commands by which a person does the same.
    pub manual: Vec<String>,
    /// The arguments, with holes; `None` for checks and barriers.
    pub want: Option<RawWant>,
    /// The exports that are known, with secret references.
    pub outputs: Json,
    /// How long it will take, if anybody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Expected>,
    /// The time-out, in seconds.
    pub timeout_s: u64,
    /// Whether its failure is tolerated.
    pub best_effort: bool,
    /// What it guards.
    pub guards: Vec<Address>,
    /// Whether it moves traffic.
    pub cutover: bool,
    /// What it leaves behind until another step, or a person, ends that; as a fragment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaves: Option<String>,
}

impl Step {
    /// Whether the step changes the world or asks a person: what makes a plan not empty.
    pub fn is_action(&self) -> bool {
        match &self.what {
            Do::Act { .. } | Do::Gate { .. } | Do::Conflict | Do::Blocked { .. } => true,
            Do::Late { actions, .. } => !actions.is_empty(),
            Do::Nothing | Do::Barrier | Do::Read | Do::Check { .. } | Do::Idle => false,
        }
    }

    /// Whether it changes what can be seen there now.
    pub(super) fn changes_what_is_there(&self) -> bool {
        let touches = self.sure == Sure::Exact && self.hazard.level != HazardLevel::None;
        touches && matches!(self.what, Do::Act { .. })
    }

    /// The action that is shown for it, if it has one.
    pub fn action(&self) -> Option<Action> {
        match &self.what {
            Do::Act { action, .. } => Some(*action),
            Do::Late { actions, .. } => actions.first().copied(),
            _ => None,
        }
    }
}

/// `after` waits for `before`; both are indexes of steps.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PlanEdge {
    /// What must be done first.
    pub before: usize,
    /// What waits.
    pub after: usize,
    /// Why.
    pub why: EdgeWhy,
}

/// A recovery point: the one that the plan rests on, or one that it could have taken instead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The data source.
    pub address: Address,
    /// What it is a point of.
    pub of: String,
    /// The backup's name.
    pub id: String,
    /// The instant.
    pub at: Timestamp,
    /// How much time is lost, in seconds: from the point to the incident, or to now.
    pub loss_s: u64,
    /// Why it is incomplete, if it is.
    pub incomplete: Option<String>,
    /// Its size in bytes, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Whether the loss is more than the objective allows.
    pub violates_rpo: bool,
    /// Why it cannot be taken, if it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unusable: Option<String>,
    /// Whether the plan takes it; the others are only known.
    #[serde(default)]
    pub chosen: bool,
    /// Whether some step restores from it.
    pub used: bool,
}

/// A warning of the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Its stable code.
    pub code: String,
    /// `warning` or `note`.
    pub severity: String,
    /// Which step it is about.
    pub address: Option<String>,
    /// What it says.
    pub message: String,
    /// Where it stands.
    pub at: Option<Where>,
    /// What to do.
    pub hints: Vec<String>,
}

impl Plan {
    /// Whether foreign data at a step was given up with `--accept`.
    pub fn has_accepted(&self, address: &Address) -> bool {
        self.head.accept.iter().any(|a| a == address.as_str())
    }

    /// Whether a step changes what is there now, whosever it is, since a person accepted that.
    pub fn overwrites(&self, step: &Step) -> bool {
        step.changes_what_is_there() && self.has_accepted(&step.address)
    }

    /// The indexes of the steps that each step waits for.
    pub fn before(&self) -> Vec<Vec<usize>> {
        let mut out = vec![Vec::new(); self.steps.len()];
        for edge in &self.edges {
            let list: &mut Vec<usize> = &mut out[edge.after];
            if list.last() != Some(&edge.before) {
                list.push(edge.before);
            }
        }
        for list in &mut out {
            list.sort_unstable();
            list.dedup();
        }
        out
    }

    /// Whether nothing is left to do.
    pub fn is_empty(&self) -> bool {
        !self.steps.iter().any(Step::is_action)
    }

    /// Finds a step. Cost: linear; use an index for many.
    pub fn step(&self, address: &str) -> Option<&Step> {
        self.steps.iter().find(|s| s.address.as_str() == address)
    }
}
