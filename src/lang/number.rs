//! Exact decimal numbers, with bounds on their size.

use bigdecimal::BigDecimal;
use bigdecimal::ToPrimitive;
use bigdecimal::Zero;

use super::Value;

/// The most digits that a number may have.
pub(super) const DIGITS_MAX: u64 = 400;
/// How far from one a number may be, in powers of ten.
const EXPONENT_MAX: i64 = 400;
/// The significant digits that a division keeps if it does not end before.
const QUOTIENT_DIGITS: u64 = 100;

/// Parses a decimal number; `None` if it is none or too large.
pub(super) fn parse(text: &str) -> Option<BigDecimal> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let digits = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
    let plain = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.ends_with(|c: char| c.is_ascii_digit())
        && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let small = digits.len() as u64 <= DIGITS_MAX && exponent.abs() <= EXPONENT_MAX;
    if !plain || !small {
        return None;
    }
    bounded(text.parse().ok()?)
}

/// Returns the number if it is within the bounds, without trailing zeros.
pub(super) fn bounded(number: BigDecimal) -> Option<BigDecimal> {
    let number = if number.fractional_digit_count() == 0 {
        number
    } else {
        number.normalized()
    };
    let scale = number.fractional_digit_count().abs();
    let fits = number.digits() <= DIGITS_MAX && scale <= EXPONENT_MAX;
    fits.then_some(number)
}

/// Divides; `None` if the divisor is zero.
pub(super) fn divide(a: &BigDecimal, b: &BigDecimal) -> Option<BigDecimal> {
    if b.is_zero() {
        return None;
    }
    Some((a / b).with_prec(QUOTIENT_DIGITS).normalized())
}

/// Returns the remainder of a division that truncates; `None` if the divisor is zero.
pub(super) fn remainder(a: &BigDecimal, b: &BigDecimal) -> Option<BigDecimal> {
    if b.is_zero() {
        return None;
    }
    Some((a % b).normalized())
}

/// Writes a number as a plain decimal.
pub(super) fn format(number: &BigDecimal) -> String {
    number.normalized().to_plain_string()
}

/// Returns the number as an integer, if it is one and fits.
pub(super) fn to_integer(number: &BigDecimal) -> Option<i64> {
    if number.is_integer() {
        number.to_i64()
    } else {
        None
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number.into())
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::Number((number as u64).into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number.into())
    }
}
