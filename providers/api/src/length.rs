//! Lengths of time as people write them: the one way in which arguments are read.

use std::time::Duration;

/// The longest duration that can be written, in seconds (ten years).
const SECONDS_MAX: u64 = 10 * 366 * 86_400;

/// Parses `90s`, `10m`, `1h30m`, `500ms`, `2d`; units must fall. `None` if it is none of these.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total_ms: u64 = 0;
    let mut before = u64::MAX;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let count: u64 = rest[..digits].parse().ok()?;
        let letters = &rest[digits..];
        let end = letters
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(letters.len());
        let unit = unit_ms(&letters[..end])?;
        if unit >= before {
            return None;
        }
        before = unit;
        total_ms = total_ms.checked_add(count.checked_mul(unit)?)?;
        rest = letters[end..].trim_start();
    }
    (total_ms <= SECONDS_MAX * 1000).then(|| Duration::from_millis(total_ms))
}

fn unit_ms(name: &str) -> Option<u64> {
    Some(match name {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    })
}

/// Reads a length of time above zero.
pub fn length(text: &str) -> Option<Duration> {
    parse_duration(text).filter(|length| !length.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_take_what_the_language_takes_but_no_zero() {
        for (text, seconds) in [
            ("2d", Some(172_800)),
            ("1d12h", Some(129_600)),
            ("1h 30m", Some(5400)),
            ("90s", Some(90)),
            ("0s", None),
            ("PT5M", None),
            ("-5m", None),
            ("soon", None),
        ] {
            assert_eq!(length(text).map(|l| l.as_secs()), seconds, "{text}");
        }
        assert_eq!(length("500ms"), Some(Duration::from_millis(500)));
    }
}
