//! The report of a run as plain data: the one thing that all renderers render, and the JSON itself.

use std::collections::BTreeMap;

use drplan_api::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

/// The version of the report's format: minor is additive, major is refused by readers.
pub const FORMAT: &str = "drplan-report/1.0";

/// Everything that plan and journal of a run say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// `drplan-report/1.0`.
    pub format: String,
    /// The run's id.
    pub run: String,
    /// The recovery.
    pub recovery: String,
    /// The version of drplan that ran it.
    pub tool: String,
    /// How it ended.
    pub verdict: Verdict,
    /// The verdict in one sentence.
    pub headline: String,
    /// The exit code; a run that was killed has none.
    pub exit_code: Option<u8>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; a run that was killed has none.
    pub ended_at: Option<Timestamp>,
    /// When the last record was written.
    pub last_at: Timestamp,
    /// From the beginning to the last record, in milliseconds.
    pub took_ms: u64,
    /// When the disaster happened, if it was said.
    pub incident_at: Option<Timestamp>,
    /// The time that the recovery may take, against what it took.
    pub rto: Option<Rto>,
    /// The recovery points that steps restore from, and what was lost.
    pub points: Vec<UsedPoint>,
    /// The figures.
    pub counts: Counts,
    /// Everything that was to be done and is not, and why: nothing is left out silently.
    pub not_done: Vec<NotDone>,
    /// Where the run went another way than the plan.
    pub deviations: Vec<Deviation>,
    /// What was done and does not stand in the plan: none, or drplan has a bug.
    pub outside_the_plan: Vec<Outside>,
    /// What explains the time: the chain of steps that each waited for the one before it last.
    pub course: Vec<Leg>,
    /// Who was asked, and who answered.
    pub approvals: Vec<Approval>,
    /// What was done and cannot be undone.
    pub irreversible: Vec<Irreversible>,
    /// How traffic was moved, and how it is moved back.
    pub cutovers: Vec<Cutover>,
    /// The domains that a person declared lost: nothing in them was read or written.
    pub lost: Vec<String>,
    /// The addresses whose foreign data a person allowed to be overwritten.
    pub accepted: Vec<String>,
    /// What the plan warned of.
    pub warnings: Vec<String>,
    /// Whom to call.
    pub contacts: BTreeMap<String, String>,
    /// Every step but barriers, in the order of the plan.
    pub steps: Vec<StepReport>,
    /// The barriers between stages, for drawing the order.
    pub barriers: Vec<Barrier>,
    /// What the journal's chain ends with.
    pub chain: Chain,
    /// The command by which a person goes on, if something is left to do and it is known.
    pub next: Option<String>,
    /// The folder that it is meant for, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_in: Option<String>,
}

impl Report {
    /// Says how a person goes on: by which command, and in which folder; empty if there is none.
    #[must_use]
    pub fn going_on(self, next: &str, folder: &str) -> Self {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let next = some(next);
        let next_in = next.as_ref().and_then(|_| some(folder));
        Self {
            next,
            next_in,
            ..self
        }
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every step is done and proven, or was already true.
    Recovered,
    /// Everything critical is; best-effort steps are missing.
    RecoveredWithout,
    /// Something critical is missing.
    NotRecovered,
    /// The journal has no end: the run was killed, or it still goes on.
    Interrupted,
    /// It was played in the rehearsal world; nothing was recovered.
    Rehearsed,
    /// The change of DNS of an earlier run was taken back.
    TakenBack,
    /// What the recovery had paused was set going again.
    Released,
}

/// The longest that the recovery may take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rto {
    /// The objective, in seconds.
    pub limit_s: u64,
    /// What this run took by the clock, in milliseconds.
    pub took_ms: u64,
    /// From the incident to the end of this run, in milliseconds, if the incident's time was said.
    pub since_incident_ms: Option<u64>,
    /// Whether it was kept; nothing while the recovery is not over and the time has not run out.
    pub met: Option<bool>,
}

/// A recovery point that a step restores from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UsedPoint {
    /// The data source.
    pub address: String,
    /// What it is a point of.
    pub of: String,
    /// The backup's name.
    pub id: String,
    /// The instant.
    pub at: Timestamp,
    /// How much time is lost, in seconds.
    pub loss_s: u64,
    /// The recovery's objective, in seconds.
    pub limit_s: Option<u64>,
    /// Whether the objective was kept; nothing without one.
    pub met: Option<bool>,
    /// Why the backup is incomplete, if it is.
    pub incomplete: Option<String>,
}

/// The figures. Every step but barriers counts once in the first group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// All steps.
    pub steps: u64,
    /// Done and proven by this run.
    pub done: u64,
    /// Came true before their turn.
    pub already_true: u64,
    /// Nothing to do by plan.
    pub nothing_to_do: u64,
    /// Guards with nothing to guard.
    pub idle: u64,
    /// Checks that only warned.
    pub warned: u64,
    /// Failed.
    pub failed: u64,
    /// Checks that do not hold.
    pub refuted: u64,
    /// Refused because the world had moved.
    pub moved: u64,
    /// Blocked by another step.
    pub blocked: u64,
    /// Waiting for a person.
    pub waiting: u64,
    /// Left at a safe point.
    pub stopped: u64,
    /// Left out by a person.
    pub skipped: u64,
    /// Begun and without an end.
    pub running: u64,
    /// Not begun.
    pub not_started: u64,
    /// Done in a world of the process only.
    pub simulated: u64,
    /// Steps that are not done: failed, refuted, moved, blocked, waiting, stopped, left out, running, not begun.
    pub not_done: u64,
    /// Requests that changed the world.
    pub effects: u64,
    /// Effects that an earlier run had done.
    pub found: u64,
    /// Attempts that failed and were made again.
    pub retries: u64,
    /// Facts that were read as proof.
    pub evidence: u64,
    /// Things that were done outside of the plan.
    pub outside_the_plan: u64,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Done and proven.
    Done,
    /// Came true before its turn.
    AlreadyTrue,
    /// Nothing to do by plan.
    NothingToDo,
    /// A guard with nothing to guard.
    Idle,
    /// A check that only warned.
    Warned,
    /// Failed.
    Failed,
    /// A check that does not hold.
    Refuted,
    /// Refused because the world had moved.
    Moved,
    /// Blocked by another step.
    Blocked,
    /// Waiting for a person.
    Waiting,
    /// Left at a safe point.
    Stopped,
    /// Left out by a person.
    Skipped,
    /// Begun and without an end.
    Running,
    /// Not begun.
    NotStarted,
}

impl End {
    /// Whether what the step is for holds.
    pub fn is_good(self) -> bool {
        matches!(
            self,
            Self::Done | Self::AlreadyTrue | Self::NothingToDo | Self::Idle | Self::Warned
        )
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::AlreadyTrue => "already true",
            Self::NothingToDo => "nothing to do",
            Self::Idle => "not needed",
            Self::Warned => "warning",
            Self::Failed => "FAILED",
            Self::Refuted => "CHECK FAILED",
            Self::Moved => "MOVED",
            Self::Blocked => "blocked",
            Self::Waiting => "waiting for a person",
            Self::Stopped => "stopped",
            Self::Skipped => "SKIPPED",
            Self::Running => "begun, no end",
            Self::NotStarted => "not started",
        }
    }
}

/// A step that is not done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NotDone {
    /// Which.
    pub address: String,
    /// How it ended.
    pub end: End,
    /// Why.
    pub because: String,
    /// Whether its failure is tolerated.
    pub best_effort: bool,
    /// How many steps it blocks.
    pub blocks: u64,
}

/// A step that went another way than the plan showed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Deviation {
    /// Which.
    pub address: String,
    /// What the plan showed.
    pub planned: String,
    /// What came of it.
    pub actual: String,
}

/// Something that was done and does not stand in the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outside {
    /// Which step did it.
    pub address: String,
    /// What it did.
    pub did: String,
}

/// One step of the chain that explains the time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Leg {
    /// Which.
    pub address: String,
    /// Between the end of the one before it and its first turn, in milliseconds, without the time between sessions.
    pub queued_ms: u64,
    /// From its first turn to its last, in milliseconds, without the time between sessions: attempts that failed, and
    /// what was waited for before it was tried again.
    #[serde(default)]
    pub failed_ms: u64,
    /// How much of the time from the end of the one before it to its own end lies between the last record of a session
    /// and the next session, in milliseconds.
    #[serde(default)]
    pub between_sessions_ms: u64,
    /// From its last turn to its end, in milliseconds, without the time between sessions.
    pub ran_ms: u64,
    /// Whether it waited for an answer of a person.
    pub asked: bool,
}

/// A question to a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Approval {
    /// The gate.
    pub address: String,
    /// What was asked last.
    pub ask: String,
    /// When first, in these words.
    pub asked_at: Timestamp,
    /// When it was answered in these words; nothing if nobody did.
    pub answered_at: Option<Timestamp>,
    /// How it was answered: `--approve` or the terminal.
    pub how: Option<String>,
    /// Whether the answer was no.
    #[serde(default)]
    pub refused: bool,
    /// The answers to other words, and those that a later one has replaced, in order.
    #[serde(default)]
    pub earlier: Vec<Answer>,
    /// What it guards.
    pub guards: Vec<String>,
}

/// An answer of a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// When it was given.
    pub at: Timestamp,
    /// How: `--approve` or the terminal.
    pub how: String,
    /// To which words.
    pub ask: String,
    /// Whether it was a no.
    pub refused: bool,
}

/// Something that cannot be undone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Irreversible {
    /// Which step.
    pub address: String,
    /// Why.
    pub text: String,
}

/// A step that moved traffic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cutover {
    /// Which step.
    pub address: String,
    /// What it changed.
    pub object: String,
    /// What it means for those who come, and the command by which a person takes it back.
    pub text: String,
    /// The command by which drplan takes it back, if the journal holds how.
    pub revert: Option<String>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepReport {
    /// Its address.
    pub address: String,
    /// Its stage.
    pub stage: Option<String>,
    /// Its kind.
    pub kind: String,
    /// Where it is declared: `FILE:LINE`.
    pub at: Option<String>,
    /// The earliest turn that it can have.
    pub wave: usize,
    /// What the plan showed: an action, or `ask`, `check`, `read`, `nothing`, `conflict`, `blocked`.
    pub planned: String,
    /// Why the plan showed that.
    pub planned_because: String,
    /// The action that was begun.
    pub acted: Option<String>,
    /// How it ended.
    pub end: End,
    /// Why.
    pub because: Option<String>,
    /// Whether its failure is tolerated.
    pub best_effort: bool,
    /// When its turn came.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// From the beginning of the run until all that it waits for had ended, in milliseconds.
    pub waited_ms: Option<u64>,
    /// From then until its turn came, in milliseconds, without the time between sessions.
    pub queued_ms: Option<u64>,
    /// From its turn to its end, in milliseconds; also where the run was resumed between them.
    pub ran_ms: Option<u64>,
    /// How much of that lies between the last record of a session and the next session, in milliseconds.
    #[serde(default)]
    pub between_sessions_ms: u64,
    /// Its time-out, in seconds.
    pub timeout_s: u64,
    /// The step that it waited for last.
    pub waited_for: Option<String>,
    /// The steps and barriers that it waits for.
    pub waits_for: Vec<String>,
    /// Requests that changed the world, in order.
    pub effects: Vec<EffectReport>,
    /// Attempts that failed and were made again.
    pub retries: Vec<Retry>,
    /// What was read to prove it.
    pub evidence: Vec<Fact>,
}

/// One effect of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EffectReport {
    /// The verb, if it is known.
    pub verb: Option<String>,
    /// The object, if it is known.
    pub object: Option<String>,
    /// How often a request left.
    pub attempts: u64,
    /// How it ended.
    pub state: EffectState,
}

/// How an effect ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EffectState {
    /// This run did it.
    Done,
    /// An earlier run, or an attempt whose answer was lost, had done it.
    Found,
    /// It was begun, and nobody heard of its end.
    Open,
}

/// An attempt that failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Retry {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub because: String,
    /// How long the pause after it was, in milliseconds.
    pub in_ms: u64,
}

/// One fact that was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Fact {
    /// What is claimed.
    pub claim: String,
    /// Where it was read.
    pub source: String,
    /// Whether it holds.
    pub holds: bool,
}

/// A barrier between stages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Barrier {
    /// Its address.
    pub address: String,
    /// Its wave.
    pub wave: usize,
    /// What it waits for.
    pub waits_for: Vec<String>,
}

/// What the journal's chain ends with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Chain {
    /// How many records there are.
    pub records: u64,
    /// The chain of the last record.
    pub head: String,
    /// The digest of the plan.
    pub plan: String,
    /// Whether the journal's first record names this plan.
    pub plan_fits: bool,
    /// Whether a last line was begun and not finished.
    pub torn: bool,
}
