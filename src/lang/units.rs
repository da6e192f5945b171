//! Durations as people read them.

use std::time::Duration;

/// Writes a duration for people with its two largest units: `1h 30m`, `45s`, `0s`.
pub fn format_duration(duration: Duration) -> String {
    let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if ms < 1000 && ms > 0 {
        return format!("{ms}ms");
    }
    let seconds = ms / 1000;
    let units = [
        (seconds / 86_400, "d"),
        (seconds / 3600 % 24, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
    ];
    let largest = units.iter().position(|(count, _)| *count > 0).unwrap_or(3);
    let shown = units[largest..].iter().take(2);
    let shown: Vec<_> = shown
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count}{unit}"))
        .collect();
    if shown.is_empty() {
        "0s".to_owned()
    } else {
        shown.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use drplan_api::parse_duration;

    use super::*;

    #[test]
    fn durations_are_read_and_written_as_people_do() {
        let table = [
            ("90s", Some((90_000, "1m 30s"))),
            ("10m", Some((600_000, "10m"))),
            ("1h30m", Some((5_400_000, "1h 30m"))),
            ("1h 30m", Some((5_400_000, "1h 30m"))),
            ("500ms", Some((500, "500ms"))),
            ("2d1h1m", Some((176_460_000, "2d 1h"))),
            ("0s", Some((0, "0s"))),
            ("45", None),
            ("", None),
            ("1.5h", None),
            ("10m1h", None),
            ("-1s", None),
            ("99999999999999999999h", None),
            ("1y", None),
        ];
        for (text, expected) in table {
            let parsed = parse_duration(text);
            let got = parsed.map(|d| (d.as_millis(), format_duration(d)));
            let expected = expected.map(|(ms, text)| (ms, text.to_owned()));
            assert_eq!(got, expected, "{text}");
        }
    }
}
