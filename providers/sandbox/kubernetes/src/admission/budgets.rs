//! Which disruption budget an eviction would violate.

use serde_json::Value;

use crate::label_selector::LabelSelector;
use crate::object;
use crate::state::State;
use crate::store::ResourceId;

/// A budget that has nothing left.
#[derive(Debug)]
pub(crate) struct Budget {
    pub(crate) name: String,
    pub(crate) desired: i64,
    pub(crate) current: i64,
}

/// The first budget that does not allow the pod to go.
pub(crate) fn blocking(state: &State, pod: &Value) -> Option<Budget> {
    let id = ResourceId::new("policy", "poddisruptionbudgets");
    let ready = crate::condition::has_condition(pod, "Ready");
    let space = object::namespace(pod);
    state.store.list(&id, Some(space)).find_map(|budget| {
        let budget = budget.json();
        let selector = LabelSelector::from_json(&budget["spec"]["selector"])?;
        let number = |field: &str| budget["status"][field].as_i64().unwrap_or(0);
        let blocks =
            ready && selector.matches(object::labels(pod)) && number("disruptionsAllowed") <= 0;
        blocks.then(|| Budget {
            name: object::name(budget).to_owned(),
            desired: number("desiredHealthy"),
            current: number("currentHealthy"),
        })
    })
}
