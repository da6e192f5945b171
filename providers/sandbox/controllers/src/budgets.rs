//! PodDisruptionBudgets: how many pods may go at present.
//!
//! What a budget expects is counted from the pods that are there, not from the scale of what made
//! them.

use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;

use crate::Ask;
use crate::Controller;
use crate::Turn;
use crate::children::Kind;
use crate::children::PODS;
use crate::condition;
use crate::condition::Condition;
use crate::condition::Times;
use crate::object::Round;
use crate::object::is_deleting;
use crate::object::share;
use crate::object::status_write;
use crate::selector;
use crate::template::is_active;
use crate::template::is_ready;

const BUDGETS: Kind = ("policy", "PodDisruptionBudget");

/// Keeps the status of budgets.
#[derive(Debug)]
pub(crate) struct Budgets;

impl Controller for Budgets {
    fn name(&self) -> &'static str {
        "budgets"
    }

    fn watches(&self) -> &'static [Kind] {
        &[BUDGETS, PODS]
    }

    fn user(&self) -> &'static str {
        "system:serviceaccount:kube-system:disruption-controller"
    }

    fn turn(&self, ask: Ask<'_>) -> Turn {
        let mut turn = Turn::default();
        let spaces = ask
            .changed
            .iter()
            .filter_map(|key| key.namespace.as_deref());
        for space in spaces.collect::<BTreeSet<_>>() {
            let budgets = ask.view.list_in(BUDGETS.0, BUDGETS.1, space);
            if budgets.is_empty() {
                continue;
            }
            let pods = ask.view.list_in(PODS.0, PODS.1, space);
            let pods: Vec<_> = pods.into_iter().filter(|pod| is_active(pod)).collect();
            for budget in budgets.iter().filter(|budget| !is_deleting(budget)) {
                let pods = pods.iter().map(AsRef::as_ref);
                turn.writes
                    .extend(status_write(budget, status(ask, budget, pods)));
            }
        }
        turn
    }
}

fn status<'p>(ask: Ask<'_>, budget: &Value, pods: impl Iterator<Item = &'p Value>) -> Value {
    let spec = &budget["spec"];
    let covered = pods.filter(|pod| {
        let labels = &pod["metadata"]["labels"];
        selector::matches(&spec["selector"], labels)
    });
    let covered: Vec<_> = covered.collect();
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let expected = count(covered.len());
    let healthy = count(covered.iter().filter(|pod| is_ready(pod)).count());
    let desired = if spec["maxUnavailable"].is_null() {
        share(&spec["minAvailable"], "1", expected, Round::Up)
    } else {
        (expected - share(&spec["maxUnavailable"], "0", expected, Round::Up)).max(0)
    };
    let allowed = (healthy - desired).max(0);
    let mut status = match &budget["status"] {
        Value::Object(_) => budget["status"].clone(),
        _ => json!({}),
    };
    status["currentHealthy"] = healthy.into();
    status["desiredHealthy"] = desired.into();
    status["disruptionsAllowed"] = allowed.into();
    status["expectedPods"] = expected.into();
    status["observedGeneration"] = budget["metadata"]["generation"].clone();
    let condition = Condition {
        kind: "DisruptionAllowed",
        status: condition::word(allowed > 0),
        reason: if allowed > 0 {
            "SufficientPods"
        } else {
            "InsufficientPods"
        },
        message: "",
    };
    condition::set(&mut status, &condition, Times::Observed, ask.now);
    for condition in status["conditions"].as_array_mut().into_iter().flatten() {
        condition["observedGeneration"] = budget["metadata"]["generation"].clone();
    }
    status
}
