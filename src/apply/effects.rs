//! What a run knows of the effects of its steps: from its journal, and as it goes on.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use drplan_api::Address;

use super::event::Event;
use super::journal::Line;

/// Behind every record that was there when the session began.
pub(super) const NOW: u64 = u64::MAX;

/// The effects of which something was begun, by step and number.
#[derive(Default)]
pub(super) struct Effects {
    known: BTreeMap<(Address, usize), Known>,
    /// Steps of which a program was waited for in this session: what it did is not older than that.
    waited_for: BTreeSet<Address>,
}

/// What is known of one effect.
#[derive(Default)]
struct Known {
    /// Its request may have left: what is found of it, the run has done itself.
    has_left: bool,
    /// The run has not begun it and has waited for it: how it ended is its own answer.
    is_adopted: bool,
    /// Its end was seen.
    is_over: bool,
    /// The record that says last that it was begun.
    begun_at: u64,
}

impl Effects {
    /// Reads what the run did before it goes on.
    pub(super) fn of<'a>(lines: impl IntoIterator<Item = &'a Line>) -> Self {
        let mut out = Self::default();
        for line in lines {
            out.take(&line.record, line.seq);
        }
        out
    }

    /// Keeps what a record says; [`NOW`] stands for the number of one of this session.
    pub(super) fn take(&mut self, record: &Event, seq: u64) {
        match record {
            Event::EffectStarted {
                address, effect, ..
            } => {
                let known = self.known(address, *effect);
                known.has_left = true;
                known.is_over = false;
                known.begun_at = seq;
            }
            Event::EffectAdopted { address, effect } => {
                let known = self.known(address, *effect);
                known.is_adopted = true;
                known.is_over = false;
                known.begun_at = seq;
            }
            Event::EffectFinished {
                address, effect, ..
            } => self.known(address, *effect).is_over = true,
            // What failed may go on all the same: its time-out passed, or nobody could be asked any more.
            Event::StepEnded {
                address, outcome, ..
            } if outcome.is_good() => {
                let of_step = (address.clone(), 0)..=(address.clone(), usize::MAX);
                let of_step = self.known.range_mut(of_step);
                of_step.for_each(|(_, known)| known.is_over = true);
            }
            _ => {}
        }
    }

    /// Whether the request of an effect may have left, in an earlier turn of the step or before the run was resumed.
    pub(super) fn has_left(&self, address: &Address, effect: usize) -> bool {
        let known = self.known.get(&(address.clone(), effect));
        known.is_some_and(|known| known.has_left)
    }

    /// Whether the run has waited for an effect that it had not begun.
    pub(super) fn is_adopted(&self, address: &Address, effect: usize) -> bool {
        let known = self.known.get(&(address.clone(), effect));
        known.is_some_and(|known| known.is_adopted)
    }

    /// Effects of a step whose requests may have left, or that were waited for, and whose end nobody has seen.
    pub(super) fn open(&self, address: &Address) -> Vec<usize> {
        let all = self.of_step(address);
        all.filter(|(_, known)| !known.is_over)
            .map(|(effect, _)| effect)
            .collect()
    }

    /// The record by which something of a step was begun last: 0 if nothing was.
    pub(super) fn begun_at(&self, address: &Address) -> u64 {
        if self.waited_for.contains(address) {
            return NOW;
        }
        let begun = self.of_step(address).map(|(_, known)| known.begun_at);
        begun.max().unwrap_or_default()
    }

    /// A program of a step is waited for, whichever run began it.
    pub(super) fn wait_for(&mut self, address: &Address) {
        self.waited_for.insert(address.clone());
    }

    fn known(&mut self, address: &Address, effect: usize) -> &mut Known {
        self.known.entry((address.clone(), effect)).or_default()
    }

    fn of_step(&self, address: &Address) -> impl Iterator<Item = (usize, &Known)> {
        let of_step = (address.clone(), 0)..=(address.clone(), usize::MAX);
        self.known
            .range(of_step)
            .map(|((_, effect), known)| (*effect, known))
    }
}
