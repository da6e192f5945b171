//! Quantities: numbers with a suffix, such as `500m` or `1Gi`.

/// Binary suffixes, greatest first, as powers of 1024.
const BINARY: &[(&str, u32)] = &[
    ("Ei", 6),
    ("Pi", 5),
    ("Ti", 4),
    ("Gi", 3),
    ("Mi", 2),
    ("Ki", 1),
];

/// Decimal suffixes, greatest first, as powers of ten.
const DECIMAL: &[(&str, i32)] = &[
    ("E", 18),
    ("P", 15),
    ("T", 12),
    ("G", 9),
    ("M", 6),
    ("k", 3),
    ("", 0),
    ("m", -3),
    ("u", -6),
    ("n", -9),
];

/// How a quantity is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Binary,
    Decimal,
    Exponent,
}

/// The canonical form of a quantity, or `None` if it is none (or greater than any real one).
pub(crate) fn canonical(text: &str) -> Option<String> {
    let (nanos, form) = nanos(text)?;
    let (sign, nanos) = if nanos < 0 {
        ("-", -nanos)
    } else {
        ("", nanos)
    };
    Some(format!("{sign}{}", written(nanos, form)))
}

/// Compares two quantities; `None` if one of them is none.
pub(crate) fn compare(left: &str, right: &str) -> Option<std::cmp::Ordering> {
    Some(nanos(left)?.0.cmp(&nanos(right)?.0))
}

fn written(nanos: i128, form: Form) -> String {
    const ONE: i128 = 1_000_000_000;
    if nanos == 0 {
        return "0".to_owned();
    }
    // Below 1024 or with a fraction, a binary quantity is written as a decimal one.
    if form == Form::Binary && nanos % ONE == 0 && nanos / ONE >= 1024 {
        let whole = nanos / ONE;
        for (suffix, power) in BINARY {
            let unit = 1024_i128.pow(*power);
            if whole % unit == 0 {
                return format!("{}{suffix}", whole / unit);
            }
        }
        return whole.to_string();
    }
    for (suffix, power) in DECIMAL {
        let Ok(exponent) = u32::try_from(power + 9) else {
            continue;
        };
        let unit = 10_i128.pow(exponent);
        if nanos % unit == 0 {
            let count = nanos / unit;
            return match form {
                Form::Exponent if *power != 0 => format!("{count}e{power}"),
                _ => format!("{count}{suffix}"),
            };
        }
    }
    // One nano is the smallest unit, so that something always divides.
    nanos.to_string()
}

/// A quantity in units of 10⁻⁹, rounded up.
fn nanos(text: &str) -> Option<(i128, Form)> {
    let (negative, text) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let digits: i128 = format!("0{whole}{fraction}").parse().ok()?;
    let (form, scaled) = match BINARY.iter().find(|(name, _)| *name == suffix) {
        Some((_, power)) => (Form::Binary, digits.checked_mul(1024_i128.pow(*power))?),
        None => (
            if is_exponent(suffix) {
                Form::Exponent
            } else {
                Form::Decimal
            },
            digits,
        ),
    };
    let power = match form {
        Form::Binary => 0,
        Form::Exponent => suffix[1..].parse::<i32>().ok()?,
        Form::Decimal => DECIMAL.iter().find(|(name, _)| *name == suffix)?.1,
    };
    let shift = power + 9 - i32::try_from(fraction.len()).ok()?;
    let value = match u32::try_from(shift) {
        Ok(shift) => scaled.checked_mul(10_i128.checked_pow(shift)?)?,
        Err(_) => {
            let unit = 10_i128.checked_pow(shift.unsigned_abs())?;
            (scaled + unit - 1) / unit
        }
    };
    Some((if negative { -value } else { value }, form))
}

fn is_exponent(suffix: &str) -> bool {
    suffix.len() > 1 && suffix.starts_with(['e', 'E']) && suffix[1..].parse::<i32>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_written_in_their_canonical_form() {
        for (given, wanted) in [
            ("1000m", "1"),
            ("0.5", "500m"),
            ("1024Mi", "1Gi"),
            ("1536Mi", "1536Mi"),
            ("1.5Gi", "1536Mi"),
            ("1000", "1k"),
            ("1024", "1024"),
            ("2000Ki", "2000Ki"),
            ("512", "512"),
            ("0", "0"),
            ("0Gi", "0"),
            ("100M", "100M"),
            ("1e3", "1e3"),
            ("-1000m", "-1"),
            ("1000Gi", "1000Gi"),
        ] {
            assert_eq!(canonical(given).as_deref(), Some(wanted), "{given}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for given in ["", "abc", "1X", "1.2.3", ".", "Gi", "--1"] {
            assert_eq!(canonical(given), None, "{given}");
        }
    }
}
