//! `format` and `formatlist`.

use bigdecimal::BigDecimal;
use bigdecimal::RoundingMode;
use bigdecimal::ToPrimitive;

use super::Function;
use super::args;
use super::args::Args;
use super::args::Fault;
use super::between;
use super::encode;
use crate::lang::Value;
use crate::lang::eval::TEXT_BYTES_MAX;
use crate::lang::number;

pub(super) const TABLE: &[Function] = &[
    between("format", "format, value, …", 1, None, |a| {
        args::text(format(a, a.values)?)
    }),
    between(
        "formatlist",
        "format, value or list, …",
        1,
        None,
        formatlist,
    ),
];

/// The widest field and the highest precision.
const WIDTH_MAX: usize = 1000;

/// One verb: `%-08.2f`.
#[derive(Default)]
struct Verb {
    left: bool,
    zero: bool,
    plus: bool,
    space: bool,
    sharp: bool,
    width: usize,
    precision: Option<usize>,
    /// `[n]`, counted from one.
    at: Option<usize>,
    letter: char,
}

fn format(args: &Args<'_>, values: &[Value]) -> Result<String, Fault> {
    let pattern = args.text(0)?;
    let mut out = String::new();
    let mut rest = pattern.as_str();
    let mut next = 1;
    let mut used = 0;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(behind) = rest.strip_prefix('%') {
            out.push('%');
            rest = behind;
            continue;
        }
        let (verb, behind) = verb(rest)?;
        rest = behind;
        let at = verb.at.unwrap_or(next);
        next = at + 1;
        used = used.max(at);
        let Some(value) = values.get(at).filter(|_| at > 0) else {
            let given = values.len().saturating_sub(1);
            let message = format!("`%{}` wants value {at}, and there are {given}", verb.letter);
            return Err(Fault::arg(0, message));
        };
        out.push_str(&pad(&verb, write(args, &verb, at, value)?));
        if out.len() > TEXT_BYTES_MAX {
            return Err(Fault::limit("the result is too long"));
        }
    }
    out.push_str(rest);
    if used + 1 < values.len() {
        let given = values.len() - 1;
        return Err(Fault::arg(
            used + 1,
            format!("the format uses {used} values, and there are {given}"),
        ));
    }
    Ok(out)
}

fn verb(text: &str) -> Result<(Verb, &str), Fault> {
    let mut verb = Verb::default();
    let mut rest = text;
    while let Some(flag) = rest.chars().next() {
        match flag {
            '-' => verb.left = true,
            '0' => verb.zero = true,
            '+' => verb.plus = true,
            ' ' => verb.space = true,
            '#' => verb.sharp = true,
            _ => break,
        }
        rest = &rest[1..];
    }
    let (width, behind) = digits(rest)?;
    verb.width = width.unwrap_or(0);
    rest = behind;
    if let Some(behind) = rest.strip_prefix('.') {
        let (precision, behind) = digits(behind)?;
        verb.precision = Some(precision.unwrap_or(0));
        rest = behind;
    }
    if let Some(behind) = rest.strip_prefix('[') {
        let (at, behind) = digits(behind)?;
        verb.at = at;
        rest = behind
            .strip_prefix(']')
            .ok_or_else(|| Fault::arg(0, "a `[` in the format is not closed"))?;
    }
    let Some(letter) = rest.chars().next() else {
        return Err(Fault::arg(0, "the format ends with `%`").hint("write `%%` for a percent sign"));
    };
    verb.letter = letter;
    Ok((verb, &rest[letter.len_utf8()..]))
}

fn digits(text: &str) -> Result<(Option<usize>, &str), Fault> {
    let length = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    if length == 0 {
        return Ok((None, text));
    }
    match text[..length].parse::<usize>() {
        Ok(number) if number <= WIDTH_MAX => Ok((Some(number), &text[length..])),
        _ => Err(Fault::arg(
            0,
            format!("a width or precision is more than {WIDTH_MAX}"),
        )),
    }
}

fn write(args: &Args<'_>, verb: &Verb, at: usize, value: &Value) -> Result<String, Fault> {
    let wrong = |expected: &str| {
        let shown = args.cx.show(value);
        Fault::arg(
            at,
            format!("`%{}` needs {expected}, and this is {shown}", verb.letter),
        )
    };
    let number = || value.to_number().ok_or_else(|| wrong("a number"));
    let text = || value.to_text().ok_or_else(|| wrong("a string"));
    Ok(match verb.letter {
        'v' if verb.sharp => encode::json(value),
        'v' => match value {
            Value::List(_) | Value::Map(_) | Value::Null => encode::json(value),
            _ => text()?,
        },
        's' => match verb.precision {
            Some(most) => text()?.chars().take(most).collect(),
            None => text()?,
        },
        'q' => encode::json(&Value::string(text()?)),
        't' => value
            .to_bool()
            .ok_or_else(|| wrong("a truth value"))?
            .to_string(),
        'd' => signed(verb, &truncated(&number()?), |n| n.to_plain_string()),
        'f' => {
            let scale = i64::try_from(verb.precision.unwrap_or(6)).unwrap_or(6);
            let rounded = number()?.with_scale_round(scale, RoundingMode::HalfEven);
            signed(verb, &rounded, BigDecimal::to_plain_string)
        }
        'g' => signed(verb, &number()?, number::format),
        'e' => {
            let places = verb.precision.unwrap_or(6);
            signed(verb, &number()?, |n| scientific(n, places))
        }
        'b' | 'o' | 'x' | 'X' => match value {
            Value::String(text) if verb.letter == 'x' || verb.letter == 'X' => {
                hex(text, verb.letter == 'X')
            }
            _ => {
                let digits = radix(verb.letter);
                let (whole, _) = truncated(&number()?).into_bigint_and_scale();
                let text = whole.to_str_radix(digits);
                if verb.letter == 'X' {
                    text.to_uppercase()
                } else {
                    text
                }
            }
        },
        other => {
            let wrong = Fault::arg(0, format!("there is no verb `%{other}`"));
            return Err(wrong.hint("verbs are %s %d %f %g %e %t %q %v %b %o %x %X and %%"));
        }
    })
}

fn truncated(number: &BigDecimal) -> BigDecimal {
    number.with_scale_round(0, RoundingMode::Down)
}

fn radix(letter: char) -> u32 {
    match letter {
        'b' => 2,
        'o' => 8,
        _ => 16,
    }
}

fn hex(text: &str, upper: bool) -> String {
    let lower = encode::hex(text.as_bytes());
    if upper { lower.to_uppercase() } else { lower }
}

/// Writes a number with the sign that the flags want.
fn signed(verb: &Verb, number: &BigDecimal, digits: impl Fn(&BigDecimal) -> String) -> String {
    let text = digits(number);
    match (text.starts_with('-'), verb.plus, verb.space) {
        (false, true, _) => format!("+{text}"),
        (false, false, true) => format!(" {text}"),
        _ => text,
    }
}

fn scientific(number: &BigDecimal, places: usize) -> String {
    let float = number.to_f64().unwrap_or(0.0);
    let text = format!("{float:.places$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

fn pad(verb: &Verb, text: String) -> String {
    let missing = verb.width.saturating_sub(text.chars().count());
    if missing == 0 {
        return text;
    }
    if verb.left {
        return text + &" ".repeat(missing);
    }
    if verb.zero && verb.letter != 's' && verb.letter != 'q' {
        let sign = text.len() - text.trim_start_matches(['-', '+', ' ']).len();
        return format!("{}{}{}", &text[..sign], "0".repeat(missing), &text[sign..]);
    }
    " ".repeat(missing) + &text
}

fn formatlist(args: &Args<'_>) -> Result<Value, Fault> {
    let lengths = args.values.iter().skip(1).filter_map(|value| match value {
        Value::List(list) => Some(list.len()),
        _ => None,
    });
    let lengths: Vec<_> = lengths.collect();
    let count = lengths.first().copied().unwrap_or(1);
    if lengths.iter().any(|length| *length != count) {
        return Err(Fault::call("the lists have different lengths"));
    }
    let mut out = Vec::with_capacity(count);
    for row in 0..count {
        let values = args.values.iter().map(|value| match value {
            Value::List(list) => list[row].clone(),
            other => other.clone(),
        });
        let values: Vec<_> = values.collect();
        out.push(Value::string(format(args, &values)?));
    }
    args::list(out)
}
