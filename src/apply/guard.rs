//! Guards whose turn has come and who may not be needed any more.

use std::sync::Arc;
use std::time::Duration;

use drplan_api::Registry;
use tokio::time::Instant;

use super::shared::Shared;
use super::step::Turn;
use crate::outs::Outs;
use crate::plan::Do;

/// How long a guard may look at one of the steps that it guards.
const GUARDED_LOOK_TIMEOUT: Duration = Duration::from_secs(30);

/// Whether a guard's turn has come and all that it guards has come true without it, as when the same
/// plan is applied again. Whatever cannot be told now still wants its guard.
pub(super) async fn nothing_to_guard(
    shared: &Shared,
    registry: &Registry,
    i: usize,
    outs: &Arc<Outs>,
) -> bool {
    let guards = &shared.plan.steps[i].guards;
    for address in guards {
        let Some(step) = shared.step(address) else {
            return false;
        };
        match step.what {
            Do::Nothing | Do::Idle => continue,
            Do::Act { .. } | Do::Late { .. } => {}
            _ => return false,
        }
        let Some(kind) = registry.get_resource(&step.kind).cloned() else {
            return false;
        };
        let deadline = Instant::now() + GUARDED_LOOK_TIMEOUT;
        let turn = Turn {
            shared,
            step,
            kind,
            outs: Arc::clone(outs),
            deadline,
        };
        if !matches!(
            tokio::time::timeout(GUARDED_LOOK_TIMEOUT, turn.is_true()).await,
            Ok(true)
        ) {
            return false;
        }
    }
    !guards.is_empty()
}
