//! Functions of times that are given; none reads a clock.

use std::cmp::Ordering;

use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::Zoned;
use jiff::fmt::temporal::Pieces;
use jiff::tz::Offset;
use jiff::tz::TimeZone;

use super::Function;
use super::args;
use super::args::Args;
use super::args::Fault;
use super::exact;
use crate::lang::Value;
use drplan_api::parse_duration;

pub(super) const TABLE: &[Function] = &[
    exact("formatdate", "format, time", 2, formatdate),
    exact("timeadd", "time, duration", 2, timeadd),
    exact("timecmp", "time, time", 2, |a| {
        let order = time(a, 0)?.timestamp().cmp(&time(a, 1)?.timestamp());
        Ok(Value::from(match order {
            Ordering::Less => -1_i64,
            Ordering::Equal => 0,
            Ordering::Greater => 1,
        }))
    }),
];

fn time(args: &Args<'_>, at: usize) -> Result<Zoned, Fault> {
    let text = args.text(at)?;
    let wrong = || {
        Fault::arg(at, format!("{} is not a time", args.shown(at)))
            .hint("write it as RFC 3339 has it, such as `2026-01-05T03:10:00Z`")
    };
    let timestamp: Timestamp = text.parse().map_err(|_| wrong())?;
    let offset = Pieces::parse(&text)
        .ok()
        .and_then(|p| p.to_numeric_offset());
    Ok(timestamp.to_zoned(TimeZone::fixed(offset.unwrap_or(Offset::UTC))))
}

fn timeadd(args: &Args<'_>) -> Result<Value, Fault> {
    let time = time(args, 0)?;
    let text = args.text(1)?;
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.as_str()),
    };
    let duration = parse_duration(digits)
        .and_then(|d| SignedDuration::try_from(d).ok())
        .ok_or_else(|| {
            let shown = args.shown(1);
            Fault::arg(1, format!("{shown} is not a duration"))
                .hint("write it as `90s`, `-10m` or `1h30m`")
        })?;
    let duration = if negative { -duration } else { duration };
    let moved = time
        .checked_add(duration)
        .map_err(|_| Fault::call("the time is out of range"))?;
    let zone = zone(&moved, "Z");
    args::text(format!("{}{zone}", moved.strftime("%Y-%m-%dT%H:%M:%S")))
}

fn zone(time: &Zoned, form: &str) -> String {
    let seconds = time.offset().seconds();
    let sign = if seconds < 0 { '-' } else { '+' };
    let (hours, minutes) = (seconds.abs() / 3600, seconds.abs() / 60 % 60);
    match (form, seconds) {
        ("Z", 0) => "Z".to_owned(),
        ("ZZZ", 0) => "UTC".to_owned(),
        ("ZZZ" | "ZZZZ", _) => format!("{sign}{hours:02}{minutes:02}"),
        _ => format!("{sign}{hours:02}:{minutes:02}"),
    }
}

fn formatdate(args: &Args<'_>) -> Result<Value, Fault> {
    let (pattern, time) = (args.text(0)?, time(args, 1)?);
    let mut out = String::new();
    let mut rest = pattern.as_str();
    while let Some(c) = rest.chars().next() {
        if c == '\'' {
            rest = quoted(&rest[1..], &mut out)?;
            continue;
        }
        if !c.is_ascii_alphabetic() {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let length = rest.find(|other| other != c).unwrap_or(rest.len());
        let (token, behind) = rest.split_at(length);
        out.push_str(&field(token, &time)?);
        rest = behind;
    }
    args::text(out)
}

/// Copies text in single quotes, in which two of them mean one.
fn quoted<'t>(text: &'t str, out: &mut String) -> Result<&'t str, Fault> {
    let mut rest = text;
    loop {
        let Some(at) = rest.find('\'') else {
            return Err(Fault::arg(0, "a single quote in the format is not closed"));
        };
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        match rest.strip_prefix('\'') {
            Some(behind) => {
                out.push('\'');
                rest = behind;
            }
            None => return Ok(rest),
        }
    }
}

fn field(token: &str, time: &Zoned) -> Result<String, Fault> {
    let hour12 = match time.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    let strftime = |pattern: &str| time.strftime(pattern).to_string();
    Ok(match token {
        "YYYY" => strftime("%Y"),
        "YY" => strftime("%y"),
        "MMMM" => strftime("%B"),
        "MMM" => strftime("%b"),
        "MM" => strftime("%m"),
        "M" => time.month().to_string(),
        "DD" => strftime("%d"),
        "D" => time.day().to_string(),
        "EEEE" => strftime("%A"),
        "EEE" => strftime("%a"),
        "hh" => strftime("%H"),
        "h" => time.hour().to_string(),
        "HH" => format!("{hour12:02}"),
        "H" => hour12.to_string(),
        "AA" => strftime("%p").to_uppercase(),
        "aa" => strftime("%p").to_lowercase(),
        "mm" => strftime("%M"),
        "m" => time.minute().to_string(),
        "ss" => strftime("%S"),
        "s" => time.second().to_string(),
        "Z" | "ZZZ" | "ZZZZ" | "ZZZZZ" => zone(time, token),
        other => {
            let wrong = Fault::arg(0, format!("`{other}` means nothing in a format of times"));
            return Err(wrong.hint("put text in single quotes, as in `YYYY-MM-DD'T'hh:mm:ssZ`"));
        }
    })
}
