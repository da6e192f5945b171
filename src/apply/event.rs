//! What happens while a plan is applied, as data: the one source of journal, terminal and JSON stream.

use std::collections::BTreeMap;

use drplan_api::Action;
use drplan_api::Address;
use drplan_api::Evidence;
use drplan_api::Json;
use serde::Deserialize;
use serde::Serialize;

use crate::plan::Expected;

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Done and proven.
    Done,
    /// Already true when its turn came.
    AlreadyTrue,
    /// A guard, when nothing that it guards had anything to do any more.
    NotNeeded,
    /// Nothing to do by plan.
    Passed,
    /// It failed.
    Failed {
        /// Why.
        because: String,
    },
    /// An assertion does not hold.
    Refuted {
        /// Its message.
        because: String,
        /// Whether that is only a warning.
        warning: bool,
    },
    /// The world is not what the plan rests on.
    Moved {
        /// What moved.
        because: String,
    },
    /// What it waits for did not end well.
    Blocked {
        /// The step at the root.
        by: Address,
    },
    /// A person has not answered.
    Waiting {
        /// What is asked.
        ask: String,
        /// How somebody said no; nothing if nobody answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refused: Option<String>,
    },
    /// The run stopped while it ran, at a safe point.
    Stopped,
    /// A person left it out.
    Skipped {
        /// The reason that was given.
        because: String,
    },
}

impl Outcome {
    /// Whether what waits for the step may go on.
    pub fn is_good(&self) -> bool {
        matches!(
            self,
            Self::Done
                | Self::AlreadyTrue
                | Self::NotNeeded
                | Self::Passed
                | Self::Refuted { warning: true, .. }
                | Self::Skipped { .. }
        )
    }

    /// The word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::AlreadyTrue => "already true",
            Self::NotNeeded => "not needed",
            Self::Passed => "nothing to do",
            Self::Failed { .. } => "FAILED",
            Self::Refuted { warning: false, .. } => "CHECK FAILED",
            Self::Refuted { warning: true, .. } => "warning",
            Self::Moved { .. } => "MOVED",
            Self::Blocked { .. } => "blocked",
            Self::Waiting {
                refused: Some(_), ..
            } => "refused by a person",
            Self::Waiting { refused: None, .. } => "waiting for a person",
            Self::Stopped => "stopped",
            Self::Skipped { .. } => "SKIPPED",
        }
    }

    /// Why, if there is a reason.
    pub fn because(&self) -> Option<String> {
        match self {
            Self::Failed { because }
            | Self::Refuted { because, .. }
            | Self::Moved { because }
            | Self::Skipped { because } => Some(because.clone()),
            Self::Blocked { by } => Some(format!("by `{by}`")),
            Self::Waiting {
                ask,
                refused: Some(how),
            } => Some(format!("the answer was no, through {how}: {ask}")),
            Self::Waiting { ask, refused: None } => Some(ask.clone()),
            _ => None,
        }
    }
}

/// Steps that a person took on, with the reasons: kept, so that a run that goes on leaves them alone too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Left out. What depends on them goes on; the run is no pass.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub skip: BTreeMap<Address, String>,
    /// Done by hand. They are proven, never begun.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_hand: BTreeMap<Address, String>,
}

impl Taken {
    /// Whether a person took nothing on.
    pub fn is_empty(&self) -> bool {
        self.skip.is_empty() && self.by_hand.is_empty()
    }

    /// Whether a person took a step on.
    pub(super) fn has(&self, address: &Address) -> bool {
        self.skip.contains_key(address) || self.by_hand.contains_key(address)
    }

    /// What a person has done instead of the run.
    pub(crate) fn by_hand_alone(&self) -> Self {
        Self {
            skip: BTreeMap::new(),
            by_hand: self.by_hand.clone(),
        }
    }

    /// Adds what was taken on before; what is said now of the same step holds.
    pub(crate) fn and_before(&mut self, before: Self) {
        let Self { skip, by_hand } = before;
        for (address, why) in skip {
            if !self.by_hand.contains_key(&address) {
                self.skip.entry(address).or_insert(why);
            }
        }
        for (address, why) in by_hand {
            if !self.skip.contains_key(&address) {
                self.by_hand.entry(address).or_insert(why);
            }
        }
    }
}

/// One event. Journal records are the ones that are not progress.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The run began.
    RunStarted {
        /// Its id.
        run: String,
        /// The recovery.
        recovery: String,
        /// The digest of the plan, as it seals the plan file.
        plan: String,
        /// The version of drplan.
        tool: String,
        /// How many steps act.
        steps: usize,
        /// What a person took on.
        #[serde(default, skip_serializing_if = "Taken::is_empty")]
        taken: Taken,
    },
    /// A run that had ended, or died, goes on with the same plan.
    RunResumed {
        /// Its id.
        run: String,
        /// Who resumed it.
        by: String,
        /// The version of drplan.
        tool: String,
        /// How many steps act.
        steps: usize,
        /// What a person took on, then or before.
        #[serde(default, skip_serializing_if = "Taken::is_empty")]
        taken: Taken,
    },
    /// Nothing new is begun until the run goes on.
    RunPaused {
        /// Who wished it, or what failed.
        because: String,
    },
    /// A paused run goes on; what failed before the pause is tried again.
    RunWentOn {
        /// Who wished it.
        by: String,
        /// The steps that are tried again.
        again: Vec<Address>,
    },
    /// A step's turn came.
    StepStarted {
        /// Which.
        address: Address,
        /// What it will do; `None` for checks and gates.
        action: Option<Action>,
    },
    /// A request that changes the world is about to leave.
    EffectStarted {
        /// Which step.
        address: Address,
        /// Which of its effects.
        effect: usize,
        /// Which attempt.
        attempt: u32,
        /// The verb.
        verb: String,
        /// The object.
        object: String,
        /// How to take it back, if that is possible: kept before it leaves, since a step that is decided
        /// late has none in the plan.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        inverse: Option<Json>,
    },
    /// What another run or somebody else has begun goes on, and this run waits for it.
    EffectAdopted {
        /// Which step.
        address: Address,
        /// Which of its effects.
        effect: usize,
    },
    /// It ended well.
    EffectFinished {
        /// Which step.
        address: Address,
        /// Which of its effects.
        effect: usize,
        /// Whether it was there although this run had not begun it.
        found: bool,
    },
    /// How far it is. Not kept in the journal.
    Progress {
        /// Which step.
        address: Address,
        /// Which of its effects.
        effect: usize,
        /// What is done.
        done: u64,
        /// Of how much.
        of: Option<u64>,
        /// What it does or waits for.
        note: String,
    },
    /// How long the run will still take, as far as anybody knows. Not kept in the journal.
    Outlook {
        /// In milliseconds, without what people take to answer; `None` if a step has no time.
        left_ms: Option<u64>,
        /// How many steps have no time.
        unknown: usize,
    },
    /// A step takes longer than in nine of ten cases. Not kept in the journal.
    Slow {
        /// Which.
        address: Address,
        /// What it takes otherwise.
        expected: Expected,
    },
    /// An attempt failed and is tried again.
    Retry {
        /// Which step.
        address: Address,
        /// What failed.
        because: String,
        /// In how many milliseconds.
        in_ms: u64,
    },
    /// A person is asked.
    GateOpened {
        /// Which gate.
        address: Address,
        /// What.
        ask: String,
    },
    /// A person answered.
    GatePassed {
        /// Which gate.
        address: Address,
        /// How: `--approve` or the terminal.
        how: String,
    },
    /// A step ended.
    StepEnded {
        /// Which.
        address: Address,
        /// How.
        #[serde(flatten)]
        outcome: Outcome,
        /// What was read to prove it.
        evidence: Vec<Evidence>,
        /// Its exports, secrets as references.
        outputs: Json,
        /// How long it took.
        elapsed_ms: u64,
    },
    /// The run ended.
    RunEnded {
        /// The exit code.
        exit_code: u8,
    },
}

impl Event {
    /// The step that it is about; `None` if it is about the whole run.
    pub fn address(&self) -> Option<&Address> {
        match self {
            Self::RunStarted { .. }
            | Self::RunResumed { .. }
            | Self::RunPaused { .. }
            | Self::RunWentOn { .. }
            | Self::Outlook { .. }
            | Self::RunEnded { .. } => None,
            Self::StepStarted { address, .. }
            | Self::EffectStarted { address, .. }
            | Self::EffectAdopted { address, .. }
            | Self::EffectFinished { address, .. }
            | Self::Progress { address, .. }
            | Self::Slow { address, .. }
            | Self::Retry { address, .. }
            | Self::GateOpened { address, .. }
            | Self::GatePassed { address, .. }
            | Self::StepEnded { address, .. } => Some(address),
        }
    }

    /// Whether it is kept in the journal.
    pub fn is_record(&self) -> bool {
        !matches!(
            self,
            Self::Progress { .. } | Self::Outlook { .. } | Self::Slow { .. }
        )
    }
}

/// Who hears of events while they happen. Must not block for long.
pub trait Sink: Send + Sync {
    /// Hears one event; `seq` counts from 1 within a run.
    fn hear(&self, seq: u64, event: &Event);
}
