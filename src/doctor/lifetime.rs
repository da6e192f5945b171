//! Whether credentials outlast a recovery.

use drplan_api::ConnId;
use drplan_api::Timestamp;

use super::Item;
use super::State;
use crate::plan::Plan;
use crate::render::style;

/// How long a recovery is taken to last where nothing tells, in seconds.
const LASTS_S_DEFAULT: i64 = 24 * 60 * 60;
/// From how little on somebody should see to it on a quiet day, in seconds.
const SOON_S: i64 = 14 * 24 * 60 * 60;

/// How long the recovery may last, in seconds: what was promised or what is expected, whichever is longer.
pub fn lasts_s(plan: &Plan) -> i64 {
    let promised = plan.head.rto_s;
    let expected = plan
        .forecast
        .as_ref()
        .map(|forecast| forecast.p90_ms / 1000);
    let longest = promised.max(expected);
    longest.map_or(LASTS_S_DEFAULT, |s| i64::try_from(s).unwrap_or(i64::MAX))
}

/// Judges when the credentials of a connection end.
pub fn lifetime(conn: &ConnId, ends: Timestamp, now: Timestamp, lasts_s: i64) -> Item {
    let left_s = ends.as_second() - now.as_second();
    let at = style::time(ends);
    if left_s <= lasts_s {
        let found = format!(
            "its credentials end at {at}, and a recovery may last {} from now",
            style::span(u64::try_from(lasts_s).unwrap_or_default())
        );
        return Item::new(conn.as_str(), State::Bad, found).hint(
            "renew them, or let a plugin do that: a recovery that loses them stops in the middle",
        );
    }
    let found = format!("its credentials are good until {at}");
    if left_s <= SOON_S {
        return Item::new(conn.as_str(), State::Warning, found).hint("renew them before that");
    }
    Item::new(conn.as_str(), State::Good, found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_must_outlast_the_recovery_and_should_outlast_a_fortnight() {
        let now = Timestamp::UNIX_EPOCH;
        let conn = ConnId::new("kubernetes.b");
        for (left_s, state) in [
            (-1, State::Bad),
            (3_600, State::Bad),
            (3_601, State::Warning),
            (SOON_S + 1, State::Good),
        ] {
            let ends = Timestamp::from_second(left_s).expect("a time");
            let item = lifetime(&conn, ends, now, 3_600);
            assert_eq!(item.state, state, "{}", item.found);
        }
    }
}
