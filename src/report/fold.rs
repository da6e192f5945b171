//! Folds the records of a journal into what happened to each step. Pure. A record that cannot follow
//! the ones before it is an error, not a guess.

use std::collections::BTreeMap;

use drplan_api::Action;
use drplan_api::Address;
use drplan_api::Evidence;
use drplan_api::Json;
use drplan_api::Timestamp;

use crate::apply::Event;
use crate::apply::Line;
use crate::apply::Outcome;
use crate::plan::Plan;

/// Why a journal does not tell the story of a run.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Illegal {
    /// It is empty.
    #[error("the journal holds no record: the run ended before it began")]
    Empty,
    /// Its first record is another one.
    #[error("record {seq}: the run has not begun")]
    NotBegun {
        /// The number of the record.
        seq: u64,
    },
    /// A second beginning.
    #[error("record {seq}: the run has begun already")]
    BegunTwice {
        /// The number of the record.
        seq: u64,
    },
    /// Something after the end of the run.
    #[error("record {seq}: the run has ended already")]
    AfterTheEnd {
        /// The number of the record.
        seq: u64,
    },
    /// A step that the plan does not have.
    #[error("record {seq}: the plan has no step `{address}`")]
    Unknown {
        /// The number of the record.
        seq: u64,
        /// Which.
        address: Address,
    },
    /// Something that cannot happen to the step now.
    #[error("record {seq}: `{address}` {why}")]
    Step {
        /// The number of the record.
        seq: u64,
        /// Which.
        address: Address,
        /// What does not fit.
        why: &'static str,
    },
}

/// What happened in a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Its id.
    pub id: String,
    /// The digest of the plan that it says it applies.
    pub seal: String,
    /// The version of drplan.
    pub tool: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended, and with which exit code; a killed run has no end.
    pub ended: Option<(Timestamp, u8)>,
    /// When the last record was written.
    pub last_at: Timestamp,
    /// How far the clock went back from one record to the next at most, in milliseconds.
    pub set_back_ms: u64,
    /// From the beginning to the last record, in milliseconds: only forward, where the clock went back.
    pub took_ms: u64,
    /// From the last record of each session to the beginning of the next.
    pub gaps: Vec<(Timestamp, Timestamp)>,
    /// What happened to each step of the plan, in its order.
    pub tracks: Vec<Track>,
}

/// What happened to one step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Track {
    /// When its turn came first, of those since it last ended.
    pub started_at: Option<Timestamp>,
    /// When its turn came in the process that ended it.
    pub turn_at: Option<Timestamp>,
    /// The action with which it began.
    pub action: Option<Action>,
    /// What was asked last, and since when in these words; for gates.
    pub asked: Option<(Timestamp, String)>,
    /// Every answer, in order.
    pub answers: Vec<AnswerTrack>,
    /// How many of the answers were to other words, or to an earlier asking.
    answers_before: usize,
    /// Its effects, by number.
    pub effects: BTreeMap<usize, EffectTrack>,
    /// Attempts that failed and were made again, by the run itself or once it was resumed.
    pub retries: Vec<RetryTrack>,
    /// How it ended, and when.
    pub ended: Option<(Timestamp, Outcome)>,
    /// What was read to prove it.
    pub evidence: Vec<Evidence>,
    /// How long it ran in the process that ended it, in milliseconds, on a clock that nobody sets.
    pub elapsed_ms: u64,
    /// When its turn came first, since it last ended well.
    pub first_at: Option<Timestamp>,
    /// How it failed for good, if nobody has tried it since.
    failure: Option<(Timestamp, String)>,
    /// Whether its turn may come once more: the run was resumed, or went on behind a pause.
    again: bool,
    /// Whether something is waited for that another run began.
    is_adopted: bool,
    /// Whether something of it was left to itself by an earlier session.
    pub is_left: bool,
    /// What it was when it had ended well, before its turn came once more.
    before: Option<Box<Self>>,
}

/// One answer of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerTrack {
    /// When.
    pub at: Timestamp,
    /// How.
    pub how: String,
    /// To which words.
    pub ask: String,
    /// Whether it was a yes.
    pub is_yes: bool,
}

/// What happened to one effect.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EffectTrack {
    /// The verb and the object of each request that left, in order.
    pub begun: Vec<(Timestamp, String, String)>,
    /// How to take it back.
    pub inverse: Option<Json>,
    /// When it ended well, and whether it was there although the run had not begun it.
    pub finished: Option<(Timestamp, bool)>,
}

/// One attempt that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryTrack {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub because: String,
    /// How long the pause after it was, in milliseconds.
    pub in_ms: u64,
}

/// Folds the lines of a journal over the plan that it belongs to.
///
/// # Errors
///
/// If a record cannot follow the ones before it.
pub fn fold(plan: &Plan, lines: &[Line]) -> Result<Run, Illegal> {
    let (first, rest) = lines.split_first().ok_or(Illegal::Empty)?;
    let Event::RunStarted {
        run,
        plan: seal,
        tool,
        ..
    } = &first.record
    else {
        return Err(Illegal::NotBegun { seq: first.seq });
    };
    let indexes: BTreeMap<&Address, usize> = plan
        .steps
        .iter()
        .enumerate()
        .map(|(i, step)| (&step.address, i))
        .collect();
    let mut out = Run {
        id: run.clone(),
        seal: seal.clone(),
        tool: tool.clone(),
        started_at: first.at,
        ended: None,
        last_at: first.at,
        set_back_ms: 0,
        took_ms: 0,
        gaps: Vec::new(),
        tracks: vec![Track::default(); plan.steps.len()],
    };
    for line in rest {
        let seq = line.seq;
        let resumed = matches!(line.record, Event::RunResumed { .. });
        if out.ended.is_some() && !resumed {
            return Err(Illegal::AfterTheEnd { seq });
        }
        match &line.record {
            Event::RunStarted { .. } => return Err(Illegal::BegunTwice { seq }),
            Event::RunResumed { .. } => {
                out.ended = None;
                out.gaps.push((out.last_at, line.at));
                out.tracks.iter_mut().for_each(Track::goes_on);
            }
            Event::RunWentOn { again, .. } => {
                let named = again.iter().filter_map(|address| indexes.get(address));
                named.for_each(|&i| out.tracks[i].again = true);
            }
            Event::RunEnded { exit_code } => out.ended = Some((line.at, *exit_code)),
            other => {
                if let Some(address) = other.address() {
                    let i = indexes.get(address).ok_or_else(|| Illegal::Unknown {
                        seq,
                        address: address.clone(),
                    })?;
                    out.tracks[*i]
                        .take(line.at, other)
                        .map_err(|why| Illegal::Step {
                            seq,
                            address: address.clone(),
                            why,
                        })?;
                }
            }
        }
        let forward_ms = line.at.duration_since(out.last_at).as_millis();
        out.took_ms += u64::try_from(forward_ms).unwrap_or_default();
        // Another machine, which goes on, has another clock.
        if !resumed {
            let back_ms = u64::try_from(-forward_ms).unwrap_or_default();
            out.set_back_ms = out.set_back_ms.max(back_ms);
        }
        out.last_at = line.at;
    }
    Ok(out)
}

impl Run {
    /// How much of a time lies between two sessions, in milliseconds.
    pub fn between_sessions_ms(&self, from: Timestamp, to: Timestamp) -> u64 {
        let within = |&(end, next): &(Timestamp, Timestamp)| {
            let ms = next.min(to).duration_since(end.max(from)).as_millis();
            u64::try_from(ms).unwrap_or_default()
        };
        self.gaps.iter().map(within).sum()
    }
}

impl Track {
    /// When something happened to it first; nothing if it ended without a turn.
    pub fn began_at(&self) -> Option<Timestamp> {
        let asked_at = self.asked.as_ref().map(|(at, _)| *at);
        self.turn_at.and(self.started_at.or(asked_at))
    }

    /// The last answer to the words in which it was asked last.
    pub fn answer(&self) -> Option<&AnswerTrack> {
        self.answers.get(self.answers_before..)?.last()
    }

    /// The answers to other words, and those that a later one has replaced.
    pub fn earlier_answers(&self) -> &[AnswerTrack] {
        let last = usize::from(self.answer().is_some());
        &self.answers[..self.answers.len().saturating_sub(last)]
    }

    fn answered(&mut self, at: Timestamp, how: &str, is_yes: bool) {
        if let Some((_, ask)) = &self.asked {
            self.answers.push(AnswerTrack {
                at,
                how: how.to_owned(),
                ask: ask.clone(),
                is_yes,
            });
        }
    }

    fn take(&mut self, at: Timestamp, event: &Event) -> Result<(), &'static str> {
        if self.again {
            self.reopen(at, matches!(event, Event::StepStarted { .. }));
        }
        if self.ended.is_some() {
            return Err("has ended already");
        }
        let begun = self.turn_at.is_some();
        match event {
            Event::StepStarted { action, .. } => {
                if begun {
                    return Err("has begun already");
                }
                self.first_at.get_or_insert(at);
                self.started_at.get_or_insert(at);
                self.turn_at = Some(at);
                self.action = *action;
            }
            Event::GateOpened { ask, .. } => {
                if begun {
                    return Err("has begun already");
                }
                if self.asked.as_ref().is_none_or(|(_, asked)| asked != ask) {
                    self.asked = Some((at, ask.clone()));
                    self.answers_before = self.answers.len();
                }
                self.first_at.get_or_insert(at);
                self.turn_at = Some(at);
            }
            Event::GatePassed { how, .. } => {
                if self.asked.is_none() {
                    return Err("was answered and never asked");
                }
                self.answered(at, how, true);
            }
            Event::StepEnded {
                outcome,
                evidence,
                elapsed_ms,
                ..
            } => {
                if let Outcome::Waiting {
                    refused: Some(how), ..
                } = outcome
                {
                    self.answered(at, how, false);
                }
                if self.is_found_again(outcome)
                    && let Some(before) = self.before.take()
                {
                    self.is_as_before(*before, evidence);
                    return Ok(());
                }
                self.ended = Some((at, outcome.clone()));
                self.evidence.clone_from(evidence);
                self.elapsed_ms = *elapsed_ms;
            }
            Event::EffectStarted { .. }
            | Event::EffectAdopted { .. }
            | Event::EffectFinished { .. }
            | Event::Retry { .. } => {
                if self.turn_at.is_none() {
                    return Err("has not begun");
                }
                return self.take_effect(at, event);
            }
            Event::RunStarted { .. }
            | Event::RunResumed { .. }
            | Event::RunPaused { .. }
            | Event::RunWentOn { .. }
            | Event::RunEnded { .. }
            | Event::Outlook { .. }
            | Event::Slow { .. }
            | Event::Progress { .. } => {}
        }
        Ok(())
    }

    /// Whether an end only says that what held before holds still, and nothing was done for it since.
    fn is_found_again(&self, outcome: &Outcome) -> bool {
        let holds = |outcome: &Outcome| {
            matches!(
                outcome,
                Outcome::Done | Outcome::AlreadyTrue | Outcome::NotNeeded | Outcome::Passed
            )
        };
        let Some(before) = &self.before else {
            return false;
        };
        let acted = self.effects.values().any(|e| e.finished.is_some());
        // It was asked in other words.
        let is_asked_anew = self.asked.is_some();
        let ended = before.ended.as_ref();
        ended.is_some_and(|(_, ended)| {
            let was_needed = *ended != Outcome::NotNeeded;
            let is_same = ended == outcome || was_needed && holds(ended) && holds(outcome);
            !acted && !is_asked_anew && is_same
        })
    }

    /// What the run finds as it left it ended then, as then, but for what it tried since and what proves
    /// it now; where nothing does, as for a guard that is needed no more, what proved it then.
    fn is_as_before(&mut self, before: Self, evidence: &[Evidence]) {
        let mut effects = std::mem::take(&mut self.effects);
        for (number, effect) in &mut effects {
            effect.finished = before.effects.get(number).and_then(|e| e.finished);
        }
        *self = Self {
            effects,
            retries: std::mem::take(&mut self.retries),
            evidence: match evidence {
                [] => before.evidence.clone(),
                now => now.to_vec(),
            },
            ..before
        };
    }

    /// The run goes on. What was blocked by something else has not come up yet.
    fn goes_on(&mut self) {
        self.again = true;
        if matches!(self.ended, Some((_, Outcome::Blocked { .. }))) {
            self.ended = None;
        }
    }

    /// Forgets how it ended before, and keeps what it did, and what failed and is tried again. What was
    /// left without an end of its own goes on: it began when it began first.
    fn reopen(&mut self, at: Timestamp, is_tried: bool) {
        self.again = false;
        self.is_left = match &self.ended {
            None if self.turn_at.is_none() => self.is_left,
            Some((_, Outcome::Blocked { .. })) => self.is_left,
            None | Some((_, Outcome::Stopped)) => {
                let mut effects = self.effects.values();
                self.is_adopted || effects.any(|e| !e.begun.is_empty() && e.finished.is_none())
            }
            Some(_) => false,
        };
        let goes_on = match &self.ended {
            None => true,
            Some((_, outcome)) => matches!(
                outcome,
                Outcome::Stopped | Outcome::Waiting { .. } | Outcome::Blocked { .. }
            ),
        };
        match &self.ended {
            Some((_, outcome)) if outcome.is_good() => {
                self.before = Some(Box::new(self.clone()));
                self.first_at = None;
            }
            // What blocks it in between is no attempt.
            Some((failed_at, Outcome::Failed { because })) => {
                self.failure = Some((*failed_at, because.clone()));
            }
            _ => {}
        }
        if is_tried && let Some((failed_at, because)) = self.failure.take() {
            let pause_ms = at.duration_since(failed_at).as_millis();
            self.retries.push(RetryTrack {
                at: failed_at,
                because,
                in_ms: u64::try_from(pause_ms).unwrap_or_default(),
            });
        }
        if !goes_on {
            self.started_at = None;
            self.asked = None;
        }
        self.turn_at = None;
        self.ended = None;
        self.elapsed_ms = 0;
        self.evidence.clear();
        for effect in self.effects.values_mut() {
            effect.finished = None;
        }
    }

    fn take_effect(&mut self, at: Timestamp, event: &Event) -> Result<(), &'static str> {
        match event {
            Event::EffectStarted {
                effect,
                verb,
                object,
                inverse,
                ..
            } => {
                let track = self.effects.entry(*effect).or_default();
                if track.finished.is_some() {
                    return Err("begins an effect that has ended already");
                }
                track.begun.push((at, verb.clone(), object.clone()));
                track.inverse.clone_from(inverse);
            }
            Event::EffectFinished { effect, found, .. } => {
                let track = self.effects.entry(*effect).or_default();
                if track.finished.is_some() {
                    return Err("ends an effect twice");
                }
                track.finished = Some((at, *found));
                self.is_adopted = false;
            }
            Event::EffectAdopted { .. } => self.is_adopted = true,
            Event::Retry { because, in_ms, .. } => self.retries.push(RetryTrack {
                at,
                because: because.clone(),
                in_ms: *in_ms,
            }),
            _ => {}
        }
        Ok(())
    }
}
