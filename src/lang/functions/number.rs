//! Functions of numbers.

use std::cmp::Ordering;

use bigdecimal::BigDecimal;
use bigdecimal::Num;
use bigdecimal::RoundingMode;
use bigdecimal::ToPrimitive;
use bigdecimal::Zero;
use bigdecimal::num_bigint::BigInt;

use super::Function;
use super::args::Args;
use super::args::Fault;
use super::between;
use super::exact;
use crate::lang::Value;
use crate::lang::number;

pub(super) const TABLE: &[Function] = &[
    exact("abs", "number", 1, |a| {
        Ok(Value::Number(a.number(0)?.abs()))
    }),
    exact("ceil", "number", 1, |a| round(a, RoundingMode::Ceiling)),
    exact("floor", "number", 1, |a| round(a, RoundingMode::Floor)),
    exact("log", "number, base", 2, log),
    between("max", "number, …", 1, None, |a| {
        pick(a, Ordering::Greater)
    }),
    between("min", "number, …", 1, None, |a| pick(a, Ordering::Less)),
    exact("parseint", "text, base", 2, parseint),
    exact("pow", "number, exponent", 2, pow),
    exact("signum", "number", 1, |a| {
        Ok(Value::from(match a.number(0)?.cmp(&BigDecimal::zero()) {
            Ordering::Less => -1_i64,
            Ordering::Equal => 0,
            Ordering::Greater => 1,
        }))
    }),
    exact("sum", "list", 1, sum),
];

fn limited(number: BigDecimal) -> Result<Value, Fault> {
    let too_long = || {
        Fault::limit(format!(
            "the result has more than {} digits",
            number::DIGITS_MAX
        ))
    };
    number::bounded(number)
        .map(Value::Number)
        .ok_or_else(too_long)
}

fn round(args: &Args<'_>, mode: RoundingMode) -> Result<Value, Fault> {
    limited(args.number(0)?.with_scale_round(0, mode))
}

fn pick(args: &Args<'_>, wanted: Ordering) -> Result<Value, Fault> {
    let mut best = args.number(0)?;
    for at in 1..args.len() {
        let next = args.number(at)?;
        if next.cmp(&best) == wanted {
            best = next;
        }
    }
    Ok(Value::Number(best))
}

fn parseint(args: &Args<'_>) -> Result<Value, Fault> {
    let text = args.text(0)?;
    let base = args.integer(1)?;
    let base = u32::try_from(base)
        .ok()
        .filter(|base| (2..=36).contains(base));
    let Some(base) = base else {
        return Err(Fault::arg(1, "the base is between 2 and 36"));
    };
    if text.len() as u64 > number::DIGITS_MAX {
        return Err(Fault::limit("the text is too long for a number"));
    }
    match BigInt::from_str_radix(&text, base) {
        Ok(number) => limited(BigDecimal::from(number)),
        Err(_) => Err(Fault::arg(
            0,
            format!("{} is not a whole number in base {base}", args.shown(0)),
        )),
    }
}

fn pow(args: &Args<'_>) -> Result<Value, Fault> {
    let (base, exponent) = (args.number(0)?, args.number(1)?);
    if let Some(exponent) = number::to_integer(&exponent) {
        let too_large = || Fault::limit("the result is too large");
        if exponent < 0 && base.is_zero() {
            return Err(Fault::call("division by zero"));
        }
        let digits = base.digits().saturating_mul(exponent.unsigned_abs());
        let one_digit = base.digits() == 1 && exponent.unsigned_abs() <= number::DIGITS_MAX;
        if digits > number::DIGITS_MAX * 4 && !one_digit {
            return Err(too_large());
        }
        let mut result = BigDecimal::from(1);
        for _ in 0..exponent.unsigned_abs() {
            result *= &base;
        }
        if exponent < 0 {
            result = number::divide(&BigDecimal::from(1), &result).ok_or_else(too_large)?;
        }
        return limited(result);
    }
    by_float(&base, &exponent, f64::powf)
}

fn log(args: &Args<'_>) -> Result<Value, Fault> {
    by_float(&args.number(0)?, &args.number(1)?, |number, base| {
        number.ln() / base.ln()
    })
}

fn by_float(a: &BigDecimal, b: &BigDecimal, run: fn(f64, f64) -> f64) -> Result<Value, Fault> {
    let floats = a.to_f64().zip(b.to_f64());
    let result = floats.map(|(a, b)| run(a, b));
    let parsed = result.and_then(|r| number::parse(&format!("{r:e}")));
    parsed
        .map(Value::Number)
        .ok_or_else(|| Fault::call("the result is not a number"))
}

fn sum(args: &Args<'_>) -> Result<Value, Fault> {
    let numbers = args.numbers(0)?;
    if numbers.is_empty() {
        return Err(Fault::arg(0, "the list is empty"));
    }
    limited(numbers.into_iter().sum())
}
