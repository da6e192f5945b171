//! Which backups of a bucket are looked into, by their names alone.

use std::collections::BTreeSet;

use drplan_api::ErrorKind;
use drplan_api::Timestamp;

use super::Found;
use super::Spec;
use super::failed;
use crate::bucket::Place;
use crate::nearest::nearest;

/// How many backups of a schedule are looked into, newest first.
const SCHEDULED_MAX: usize = 30;
/// How many backups are looked into where their names do not tell their age.
const CANDIDATES_MAX: usize = 200;

/// `YYYYMMDDhhmmss`.
const TIME_DIGITS: usize = 14;

/// Lists them, those that are looked into first in front.
pub(super) fn candidates(
    spec: &Spec,
    before: Option<Timestamp>,
    place: &Place,
    names: &[String],
) -> Found<Vec<String>> {
    if names.is_empty() {
        return Err(failed(ErrorKind::NotFound, place)
            .because(format!(
                "there is no backup under `{}`",
                place.folder("backups")
            ))
            .hint("check `prefix`: it is the folder that holds `backups/`"));
    }
    if let Some(name) = &spec.name {
        return match names.contains(name) {
            true => Ok(vec![name.clone()]),
            false => Err(failed(ErrorKind::NotFound, place)
                .because(format!("there is no backup `{name}`"))
                .hint(nearest("backup", name, names.iter().map(String::as_str)))),
        };
    }
    let (prefix, max) = match (&spec.schedule, &spec.name_prefix) {
        (Some(schedule), _) => (format!("{schedule}-"), SCHEDULED_MAX),
        (None, Some(prefix)) => (prefix.clone(), CANDIDATES_MAX),
        (None, None) => (String::new(), CANDIDATES_MAX),
    };
    let is_meant = |name: &&String| match &spec.schedule {
        Some(schedule) => stem(name) == schedule,
        None => name.starts_with(&prefix),
    };
    let mut chosen: Vec<(Option<Timestamp>, &String)> = names
        .iter()
        .filter(is_meant)
        .map(|name| (time_in(name), name))
        .collect();
    let (are_there, is_later) = (!chosen.is_empty(), |at| before.is_some_and(|b| at > b));
    chosen.retain(|(at, _)| !at.is_some_and(is_later));
    // Names without a time may be of any age, so they are looked into first.
    chosen.sort_by(|(a, name), (b, other)| {
        let timed = a.is_some().cmp(&b.is_some());
        timed.then_with(|| b.cmp(a)).then_with(|| other.cmp(name))
    });
    chosen.truncate(max);
    if !chosen.is_empty() {
        return Ok(chosen.into_iter().map(|(_, name)| name.clone()).collect());
    }
    if are_there {
        return Err(failed(ErrorKind::NotFound, place)
            .because("every backup that is asked for began after `before`, by the time in its name")
            .hint("choose a later `before`, another `schedule` or a `name`"));
    }
    let stems: BTreeSet<&str> = names.iter().map(|name| stem(name)).collect();
    let asked = prefix.trim_end_matches('-');
    Err(failed(ErrorKind::NotFound, place)
        .because(format!("no backup's name begins with `{prefix}`"))
        .hint(nearest("name", asked, stems.into_iter())))
}

/// The name of a backup without the time at its end.
fn stem(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((stem, time)) if time.bytes().all(|b| b.is_ascii_digit()) => stem,
        _ => name,
    }
}

/// The time that Velero puts at the end of the names of a schedule's backups, `20260131030000`.
pub(super) fn time_in(name: &str) -> Option<Timestamp> {
    let digits = name.rsplit('-').next()?;
    if digits.len() != TIME_DIGITS || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (day, time) = digits.split_at(8);
    let (year, month, day) = (&day[..4], &day[4..6], &day[6..]);
    let (hour, minute, second) = (&time[..2], &time[2..4], &time[4..]);
    let time = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    time.parse().ok()
}

#[cfg(test)]
mod tests {
    use drplan_api::Json;
    use serde_json::json;

    use super::*;

    fn names() -> Vec<String> {
        [
            "infra-daily-20260101030000",
            "infra-daily-20260102030000",
            "manual",
        ]
        .map(str::to_owned)
        .to_vec()
    }

    fn spec(json: Json) -> Spec {
        let mut json = json;
        json["bucket"] = "b".into();
        serde_json::from_value(json).expect("arguments")
    }

    #[test]
    fn candidates_of_a_schedule_come_newest_first() {
        let place = Place::new("b", None);
        let found = candidates(
            &spec(json!({"schedule": "infra-daily"})),
            None,
            &place,
            &names(),
        );
        assert_eq!(found.expect("candidates")[0], "infra-daily-20260102030000");
    }

    #[test]
    fn candidates_are_of_their_schedule_in_time_and_those_without_a_time_come_first() {
        let place = Place::new("b", None);
        let all = [
            "infra-1",
            "infra-2",
            "infra-20260101030000",
            "infra-20260102030000",
            "infra-20261399030000",
            "infra-daily-20260103030000",
        ];
        let all = all.map(str::to_owned);
        for (args, before, expected) in [
            (json!({"schedule": "infra"}), None, vec![4, 1, 0, 3, 2]),
            (
                json!({"schedule": "infra"}),
                Some("2026-01-02T02:00:00Z"),
                vec![4, 1, 0, 2],
            ),
            (json!({"schedule": "infra-daily"}), None, vec![5]),
            (
                json!({"name_prefix": "infra-"}),
                None,
                vec![4, 1, 0, 5, 3, 2],
            ),
            (
                json!({"name_prefix": "infra-"}),
                Some("2025-01-01T00:00:00Z"),
                vec![4, 1, 0],
            ),
        ] {
            let bound = before.map(|b| b.parse().expect("a time"));
            let found = candidates(&spec(args.clone()), bound, &place, &all).expect("candidates");
            let expected: Vec<&String> = expected.into_iter().map(|i| &all[i]).collect();
            assert_eq!(
                found.iter().collect::<Vec<_>>(),
                expected,
                "{args} {before:?}"
            );
        }
    }

    #[test]
    fn many_later_backups_do_not_hide_the_one_before_the_incident() {
        let place = Place::new("b", None);
        let hours = (1..=2).flat_map(|d| (0..24).map(move |h| (d, h)));
        let all: Vec<String> = hours
            .map(|(day, hour)| format!("infra-202601{day:02}{hour:02}0000"))
            .collect();
        let before = "2026-01-01T05:30:00Z".parse().ok();
        let args = spec(json!({"schedule": "infra"}));
        let found = candidates(&args, before, &place, &all).expect("candidates");
        assert_eq!(found[0], "infra-20260101050000");
        let before = "2025-01-01T00:00:00Z".parse().ok();
        let error = candidates(&args, before, &place, &all).expect_err("an error");
        assert!(error.hint.expect("a hint").contains("`before`"));
    }

    #[test]
    fn a_name_that_does_not_exist_is_answered_with_the_nearest_ones() {
        let place = Place::new("b", None);
        for (args, near) in [
            (json!({"name": "manuel"}), "`manual`"),
            (json!({"schedule": "infra-dayly"}), "`infra-daily`"),
        ] {
            let error = candidates(&spec(args), None, &place, &names()).expect_err("an error");
            assert_eq!(error.kind, ErrorKind::NotFound);
            assert!(
                error.hint.as_ref().expect("a hint").contains(near),
                "{error:?}"
            );
        }
        let error = candidates(&spec(json!({})), None, &place, &[]).expect_err("an error");
        assert!(error.hint.expect("a hint").contains("`prefix`"));
    }
}
