//! Which disruption budget an eviction would violate.
//!
//! Computed from the pods there are: nobody here keeps the budgets' statuses.

use serde_json::Value;

use crate::condition::has_condition;
use crate::label_selector::LabelSelector;
use crate::object;
use crate::state::State;
use crate::store::ResourceId;

/// A budget that has nothing left.
#[derive(Debug)]
pub(crate) struct Budget {
    pub(crate) name: String,
    pub(crate) desired: u64,
    pub(crate) current: u64,
}

/// The first budget that does not allow the pod to go.
pub(crate) fn blocking(state: &State, pod: &Value) -> Option<Budget> {
    // A pod that is not healthy costs no budget anything.
    if !has_condition(pod, "Ready") {
        return None;
    }
    let id = ResourceId::new("policy", "poddisruptionbudgets");
    let mut budgets = state.store.list(&id, Some(object::namespace(pod)));
    budgets.find_map(|budget| exhausted(state, budget.json(), pod))
}

fn exhausted(state: &State, budget: &Value, pod: &Value) -> Option<Budget> {
    let selector = LabelSelector::from_json(&budget["spec"]["selector"])?;
    if !selector.matches(object::labels(pod)) {
        return None;
    }
    let pods = ResourceId::new("", "pods");
    let (mut expected, mut current) = (0, 0);
    for other in state.store.list(&pods, Some(object::namespace(pod))) {
        let other = other.json();
        if selector.matches(object::labels(other)) {
            expected += 1;
            current += u64::from(has_condition(other, "Ready") && !object::is_ending(other));
        }
    }
    let spec = &budget["spec"];
    let desired = match spec.get("maxUnavailable").filter(|max| !max.is_null()) {
        Some(max) => expected - of(max, expected).min(expected),
        None => of(
            spec.get("minAvailable").unwrap_or(&Value::from(1)),
            expected,
        ),
    };
    (current <= desired).then(|| Budget {
        name: object::name(budget).to_owned(),
        desired,
        current,
    })
}

/// A number, or a share of all, rounded up.
fn of(amount: &Value, all: u64) -> u64 {
    let percent = amount.as_str().and_then(|text| text.strip_suffix('%'));
    match percent.and_then(|percent| percent.parse::<u64>().ok()) {
        Some(percent) => (all * percent).div_ceil(100),
        None => amount.as_u64().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_rounded_up() {
        assert_eq!(of(&Value::from("34%"), 3), 2);
        assert_eq!(of(&Value::from(2), 3), 2);
    }
}
