//! Cron schedules as Kubernetes reads them.

use std::time::Duration;

use cronexpr::Crontab;
use cronexpr::FallbackTimezoneOption;
use cronexpr::ParseOptions;
use cronexpr::parse_crontab_with;
use jiff::Timestamp;

use crate::object::later;

/// More missed times than that are counted by the distance between two of them.
const COUNTED: i128 = 100;

/// When something happens again and again.
#[derive(Debug)]
pub struct Schedule(Kind);

#[derive(Debug)]
enum Kind {
    Table(Box<Crontab>),
    Every(Duration),
}

impl Schedule {
    /// Reads the five fields, `@daily` and its like, or `@every 1h30m`; in UTC if no time zone is
    /// given. `None` if the schedule or the zone is not valid.
    #[must_use]
    pub fn parse(written: &str, time_zone: Option<&str>) -> Option<Self> {
        if let Some(every) = written.strip_prefix("@every ") {
            return duration(every.trim()).map(|every| Self(Kind::Every(every)));
        }
        let fields = match written.trim() {
            "@yearly" | "@annually" => "0 0 1 1 *".to_owned(),
            "@monthly" => "0 0 1 * *".to_owned(),
            "@weekly" => "0 0 * * 0".to_owned(),
            "@daily" | "@midnight" => "0 0 * * *".to_owned(),
            "@hourly" => "0 * * * *".to_owned(),
            fields => fields.replace('?', "*"),
        };
        if fields.split_whitespace().count() != 5 {
            return None;
        }
        let mut options = ParseOptions::default();
        options.fallback_timezone_option = FallbackTimezoneOption::UTC;
        let zone = time_zone.unwrap_or("UTC");
        let table = parse_crontab_with(&format!("{fields} {zone}"), options);
        table.ok().map(|table| Self(Kind::Table(Box::new(table))))
    }

    /// The first time after that one; `None` if there is none for years.
    #[must_use]
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        match &self.0 {
            Kind::Table(table) => {
                let next = table.find_next(cronexpr::MakeTimestamp(after)).ok()?;
                Some(next.timestamp())
            }
            Kind::Every(every) => {
                let whole = Timestamp::from_second(after.as_second()).ok()?;
                Some(later(whole, *every))
            }
        }
    }

    /// The last time that is after `since` and not after `now`.
    #[must_use]
    pub fn last(&self, since: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let first = self.next(since).filter(|at| *at <= now)?;
        let Some(second) = self.next(first).filter(|at| *at <= now) else {
            return Some(first);
        };
        // After a long sleep most missed times are passed over, as Kubernetes does.
        let distance = second.duration_since(first).as_nanos().max(1);
        let missed = now.duration_since(first).as_nanos() / distance;
        let mut last = second;
        if missed > COUNTED {
            let skipped = u64::try_from((missed - 2) * distance / 1_000_000_000).unwrap_or(0);
            let near = later(first, Duration::from_secs(skipped));
            last = self.next(near).filter(|at| *at <= now).unwrap_or(second);
        }
        let bound = COUNTED * 2;
        for _ in 0..bound {
            match self.next(last).filter(|at| *at <= now) {
                Some(next) => last = next,
                None => break,
            }
        }
        Some(last)
    }
}

/// A duration such as `1h30m`.
fn duration(written: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = written;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let count: u64 = rest.get(..digits)?.parse().ok()?;
        let unit = rest.get(digits..)?;
        let length = unit
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(unit.len());
        let one = match unit.get(..length)? {
            "h" => 3_600,
            "m" => 60,
            "s" => 1,
            _ => return None,
        };
        total += Duration::from_secs(count.checked_mul(one)?);
        rest = unit.get(length..)?;
    }
    (total >= Duration::from_secs(1)).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn schedules_fire_in_their_time_zone() {
        let table = [
            (
                "0 3 * * *",
                None,
                "2026-01-01T00:00:00Z",
                "2026-01-01T03:00:00Z",
            ),
            (
                "0 3 * * *",
                Some("America/Vancouver"),
                "2026-01-01T00:00:00Z",
                "2026-01-01T11:00:00Z",
            ),
            (
                "0 3 * * *",
                Some("America/Vancouver"),
                "2026-07-01T11:00:00Z",
                "2026-07-02T10:00:00Z",
            ),
            (
                "@daily",
                None,
                "2026-01-01T00:00:00Z",
                "2026-01-02T00:00:00Z",
            ),
            (
                "*/15 * * * ?",
                None,
                "2026-01-01T00:07:30Z",
                "2026-01-01T00:15:00Z",
            ),
            (
                "@every 1h30m",
                None,
                "2026-01-01T00:00:00Z",
                "2026-01-01T01:30:00Z",
            ),
            (
                "0 0 1 * MON",
                None,
                "2026-01-02T00:00:00Z",
                "2026-01-05T00:00:00Z",
            ),
        ];
        for (written, zone, after, expected) in table {
            let schedule = Schedule::parse(written, zone).expect("a schedule");
            assert_eq!(schedule.next(at(after)), Some(at(expected)), "{written}");
        }
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for written in ["", "every day", "61 * * * *", "@every soon", "* * * * * *"] {
            assert!(Schedule::parse(written, None).is_none(), "{written}");
        }
        assert!(Schedule::parse("* * * * *", Some("Mars/Olympus")).is_none());
    }

    #[test]
    fn the_last_missed_time_is_found_after_years() {
        let schedule = Schedule::parse("*/5 * * * *", None).expect("a schedule");
        let now = at("2026-11-20T16:12:42Z");
        let last = schedule.last(at("2021-01-01T00:00:00Z"), now);
        assert_eq!(last, Some(at("2026-11-20T16:10:00Z")));
        assert_eq!(schedule.last(at("2026-11-20T16:10:00Z"), now), None);
    }
}
