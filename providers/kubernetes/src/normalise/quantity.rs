//! Quantities of Kubernetes, read and compared by value.

use drplan_api::Json;

/// Digits behind the point that are kept: `n`, the smallest suffix, is a billionth.
const FRACTION_DIGITS: u32 = 9;
/// The most digits in front of and behind the point; more is no quantity that Kubernetes accepts.
const DIGITS_MAX: usize = 18;

/// Tells whether two values are the same quantity.
pub(super) fn equal(a: &Json, b: &Json) -> bool {
    match (nanos(a), nanos(b)) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

/// The value in billionths; `None` for what is no quantity.
pub(crate) fn nanos(json: &Json) -> Option<i128> {
    match json {
        Json::String(text) => parse(text),
        Json::Number(number) => parse(&number.to_string()),
        _ => None,
    }
}

fn parse(text: &str) -> Option<i128> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.len() + fraction.len() == 0 || whole.len() > DIGITS_MAX {
        return None;
    }
    let places = FRACTION_DIGITS as usize;
    let fraction: String = fraction.chars().take(places).collect();
    let digits = format!("{whole}{fraction:0<places$}");
    let value: i128 = digits.parse().ok()?;
    let (times, divided) = scale(suffix)?;
    value.checked_mul(times).map(|v| sign * v / divided)
}

fn scale(suffix: &str) -> Option<(i128, i128)> {
    let thousand = |n: u32| 1000_i128.pow(n);
    let kibi = |n: u32| 1024_i128.pow(n);
    Some(match suffix {
        "" => (1, 1),
        "n" => (1, thousand(3)),
        "u" => (1, thousand(2)),
        "m" => (1, thousand(1)),
        "k" => (thousand(1), 1),
        "M" => (thousand(2), 1),
        "G" => (thousand(3), 1),
        "T" => (thousand(4), 1),
        "P" => (thousand(5), 1),
        "E" => (thousand(6), 1),
        "Ki" => (kibi(1), 1),
        "Mi" => (kibi(2), 1),
        "Gi" => (kibi(3), 1),
        "Ti" => (kibi(4), 1),
        "Pi" => (kibi(5), 1),
        "Ei" => (kibi(6), 1),
        _ => {
            let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            let power = 10_i128.checked_pow(exponent.unsigned_abs())?;
            if exponent < 0 { (1, power) } else { (power, 1) }
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quantities_are_equal_by_value() {
        let same = [
            (json!("1"), json!("1000m")),
            (json!(1), json!("1")),
            (json!(0.5), json!("500m")),
            (json!("1Gi"), json!("1024Mi")),
            (json!("1e3"), json!("1k")),
        ];
        for (a, b) in same {
            assert!(equal(&a, &b), "{a} {b}");
        }
        let other = [
            (json!("1"), json!("2")),
            (json!("1G"), json!("1Gi")),
            (json!("x"), json!("x")),
            (json!("99999999999999999999999999"), json!("1")),
        ];
        for (a, b) in other {
            assert!(!equal(&a, &b), "{a} {b}");
        }
    }
}
