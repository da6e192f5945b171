//! What steps export, for all that still runs.
//!
//! Each step has a place of its own, and what it makes goes there once, when it ends. Whoever holds the
//! exports sees what comes later, and nothing is ever copied: the cost of an end does not grow with the
//! plan.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use drplan_api::Address;

use crate::graph::with_secrets;
use crate::lang::FileId;
use crate::lang::Span;
use crate::lang::Value;
use crate::plan::Do;
use crate::plan::Plan;

const NOWHERE: Span = Span {
    file: FileId(u32::MAX),
    start: 0,
    end: 0,
};

/// Exports of steps that are done.
#[derive(Default)]
pub struct Outs(BTreeMap<Address, Place>);

/// What one step exports.
#[derive(Default)]
struct Place {
    /// While planning, as of a step with nothing to do.
    known: Option<Value>,
    /// When it ended; newer than what was known.
    made: OnceLock<Value>,
}

impl Outs {
    /// Makes a place for each step, with what is known while planning.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        let places = plan.steps.iter().map(|step| {
            let is_known = step.what == Do::Nothing;
            let known = is_known.then(|| with_secrets(&step.outputs, NOWHERE));
            let made = OnceLock::new();
            (step.address.clone(), Place { known, made })
        });
        Self(places.collect())
    }

    /// What a step exports; `None` until it is known.
    #[must_use]
    pub fn get(&self, address: &Address) -> Option<&Value> {
        let place = self.0.get(address)?;
        place.made.get().or(place.known.as_ref())
    }

    /// Takes what a step made. A step ends well once; what came first stays.
    pub(crate) fn made(&self, address: &Address, outputs: &drplan_api::Json) {
        if let Some(place) = self.0.get(address) {
            place.made.get_or_init(|| with_secrets(outputs, NOWHERE));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tests::memory::Case;

    #[tokio::test]
    async fn an_end_moves_nothing_of_what_other_steps_made_and_all_who_hold_the_exports_see_it() {
        let spec = "resource \"thing\" \"many\" {\n  count = 50\n  value = count.index\n}\n";
        let plan = Case::new(spec).plan().await;
        let outs = std::sync::Arc::new(Outs::of(&plan));
        let held = std::sync::Arc::clone(&outs);
        let mut before: Vec<*const Value> = Vec::new();
        for step in plan.steps.iter().filter(|s| s.is_action()) {
            assert!(held.get(&step.address).is_none());
            outs.made(&step.address, &json!({ "value": 1 }));
            before.extend(held.get(&step.address).map(std::ptr::from_ref));
        }
        let acting = plan.steps.iter().filter(|s| s.is_action());
        let after = acting.filter_map(|s| held.get(&s.address).map(std::ptr::from_ref));
        assert_eq!(before, after.collect::<Vec<_>>());
        assert_eq!(before.len(), 50);
    }
}
