//! The one retry layer: by kind of error, with jitter, within bounds.

use std::time::Duration;

use drplan_api::ErrorKind;
use drplan_api::ProviderError;

/// How often one request is tried.
pub(crate) const ATTEMPTS_MAX: u32 = 12;

/// The first pause.
const PAUSE_MS_FIRST: u64 = 250;

/// The longest pause, except where the other side asks for more.
const PAUSE_MS_MAX: u64 = 15_000;

/// How long to wait before attempt `next` (from 2), or `None` if trying again changes nothing.
/// `random` is any number; it spreads the pauses of many steps over half of their length.
pub(crate) fn pause(error: &ProviderError, next: u32, random: u64) -> Option<Duration> {
    if next > ATTEMPTS_MAX || !error.is_transient() {
        return None;
    }
    let doubled = PAUSE_MS_FIRST << (next - 2).min(10);
    let base = doubled.min(PAUSE_MS_MAX);
    let jittered = base / 2 + random % (base / 2 + 1);
    let asked = match error.kind {
        ErrorKind::Throttled { after_ms } => after_ms.unwrap_or(0),
        _ => 0,
    };
    Some(Duration::from_millis(jittered.max(asked)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_by_itself_is_tried_again_and_a_wish_to_slow_down_is_kept() {
        let error = |kind| ProviderError::new(kind, "x", "y");
        assert_eq!(pause(&error(ErrorKind::Denied), 2, 0), None);
        assert_eq!(
            pause(&error(ErrorKind::Unreachable), ATTEMPTS_MAX + 1, 0),
            None
        );
        let first = pause(&error(ErrorKind::Unreachable), 2, u64::MAX).expect("a pause");
        assert!(first <= Duration::from_millis(PAUSE_MS_FIRST));
        let slow = pause(
            &error(ErrorKind::Throttled {
                after_ms: Some(60_000),
            }),
            2,
            1,
        );
        assert_eq!(slow, Some(Duration::from_secs(60)));
    }
}
