//! Which words of a question a person has been shown.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use drplan_api::Address;

use super::talk;
use crate::plan::Do;
use crate::plan::Plan;
use crate::plan::Sure;

/// In which words each question was shown or asked first, in all the plans of one command: `--approve` is a yes to
/// these. Nothing once it was shown or asked in other ones.
#[derive(Clone, Default)]
pub(super) struct Shown(Arc<Mutex<BTreeMap<Address, Option<String>>>>);

impl Shown {
    /// Notes the words of a plan that a person sees.
    pub(super) fn note(&self, plan: &Plan) {
        for step in &plan.steps {
            match (&step.what, &step.sure) {
                (Do::Gate { .. }, Sure::Unknown { .. }) => self.is_open_again(&step.address),
                (Do::Gate { ask }, _) => {
                    self.is_as_first(&step.address, ask);
                }
                _ => {}
            }
        }
    }

    /// The answers that still count; says which do not.
    pub(super) fn counting(&self, approved: &[String]) -> Vec<String> {
        let (count, others) = approved.iter().cloned().partition(|gate| {
            let address = Address::new(gate);
            self.words().get(&address).is_none_or(Option::is_some)
        });
        let others: Vec<String> = others;
        others.iter().for_each(|gate| no_answer(gate));
        count
    }

    fn words(&self) -> MutexGuard<'_, BTreeMap<Address, Option<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Words that were known and are not any more may become other ones.
    fn is_open_again(&self, address: &Address) {
        let mut shown = self.words();
        if let Some(first) = shown.get_mut(address) {
            *first = None;
        }
    }

    /// Whether a question was always in these words.
    pub(super) fn is_as_first(&self, address: &Address, ask: &str) -> bool {
        let mut shown = self.words();
        let first = shown.entry(address.clone());
        let first = first.or_insert_with(|| Some(ask.to_owned()));
        let is_same = first.as_deref() == Some(ask);
        if !is_same {
            *first = None;
        }
        is_same
    }
}

/// Says that an answer of the command line does not count.
pub(super) fn no_answer(gate: &str) {
    talk(&format!(
        "{gate}: `--approve` is no answer to this question: its words are not those of the first plan"
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_until_a_question_was_in_other_words_and_never_after_that() {
        let shown = Shown::default();
        let gate = Address::new("approval.go");
        let given = ["approval.go".to_owned()];
        assert_eq!(shown.counting(&given), given);
        for (ask, counts) in [
            ("to 1?", true),
            ("to 1?", true),
            ("to 2?", false),
            ("to 1?", false),
        ] {
            assert_eq!(shown.is_as_first(&gate, ask), counts, "{ask}");
            assert_eq!(shown.counting(&given).len(), usize::from(counts), "{ask}");
        }
        // What was never shown is asked first, and what is not known any more is asked anew.
        for is_known_first in [false, true] {
            let shown = Shown::default();
            if is_known_first {
                shown.is_as_first(&gate, "to 1?");
            }
            shown.is_open_again(&gate);
            assert_eq!(shown.counting(&given).is_empty(), is_known_first);
        }
    }
}
