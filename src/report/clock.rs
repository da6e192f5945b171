//! What the clock of a machine did while a run went on, as far as its journal shows. Pure.

use std::time::Duration;

use super::fold::Run;
use crate::lang::format_duration;
use crate::plan::Plan;

/// By how much the clock may go back from one record to the next without a word: records of steps that
/// run at once are not in order to the millisecond.
const BACK_MS_MAX: u64 = 2_000;

/// By how much more time may pass on the clock than a step measured. A record waits for a store that does
/// not answer for a minute.
const AHEAD_MS_MAX: u64 = 120_000;

/// Whether the clock was set back, so that times do not tell how long something took.
pub(super) fn was_set_back(run: &Run) -> bool {
    run.set_back_ms > BACK_MS_MAX
}

/// Says what is wrong with the times of a run.
pub(super) fn warnings(plan: &Plan, run: &Run) -> Vec<String> {
    let back = was_set_back(run).then(|| {
        format!(
            "the clock of the machine was set back by {} during the run: what ran across that took at least as \
             long as is said here, and perhaps longer",
            whole_seconds(run.set_back_ms)
        )
    });
    let ahead = plan
        .steps
        .iter()
        .zip(&run.tracks)
        .filter_map(|(step, track)| {
            let (from, (to, _)) = (track.turn_at?, track.ended.as_ref()?);
            let passed_ms = u64::try_from(to.duration_since(from).as_millis()).ok()?;
            let ahead_ms = passed_ms.saturating_sub(track.elapsed_ms);
            // What was judged at once measures nothing.
            let is_off = track.elapsed_ms > 0 && ahead_ms > AHEAD_MS_MAX;
            is_off.then_some((ahead_ms, &step.address, track.elapsed_ms))
        });
    let ahead = ahead.max().map(|(ahead_ms, address, elapsed_ms)| {
        format!(
            "while `{address}` ran, {} more passed on the clock than the {} that it measured: the clock was set, \
             or the machine slept; times here are those of the clock",
            whole_seconds(ahead_ms),
            whole_seconds(elapsed_ms)
        )
    });
    back.into_iter().chain(ahead).collect()
}

fn whole_seconds(ms: u64) -> String {
    format_duration(Duration::from_secs(ms / 1000))
}
