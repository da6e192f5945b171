//! Functions of text.

use super::Function;
use super::args;
use super::args::Args;
use super::args::Fault;
use super::between;
use super::exact;
use super::regex;
use crate::lang::Value;
use crate::lang::eval::TEXT_BYTES_MAX;

pub(super) const TABLE: &[Function] = &[
    exact("chomp", "text", 1, |a| {
        args::text(a.text(0)?.trim_end_matches(['\n', '\r']))
    }),
    exact("endswith", "text, suffix", 2, |a| {
        Ok(Value::Bool(a.text(0)?.ends_with(&a.text(1)?)))
    }),
    exact("indent", "spaces, text", 2, indent),
    between("join", "separator, list, …", 2, None, join),
    exact("lower", "text", 1, |a| {
        args::text(a.text(0)?.to_lowercase())
    }),
    exact("replace", "text, part or /regex/, new", 3, replace),
    exact("split", "separator, text", 2, split),
    exact("startswith", "text, prefix", 2, |a| {
        Ok(Value::Bool(a.text(0)?.starts_with(&a.text(1)?)))
    }),
    exact("strcontains", "text, part", 2, |a| {
        Ok(Value::Bool(a.text(0)?.contains(&a.text(1)?)))
    }),
    exact("strrev", "text", 1, |a| {
        args::text(a.text(0)?.chars().rev().collect::<String>())
    }),
    exact("substr", "text, offset, length", 3, substr),
    exact("title", "text", 1, |a| args::text(title(&a.text(0)?))),
    exact("trim", "text, characters", 2, |a| {
        let (text, cut) = (a.text(0)?, a.text(1)?);
        args::text(text.trim_matches(|c| cut.contains(c)))
    }),
    exact("trimprefix", "text, prefix", 2, |a| {
        let (text, prefix) = (a.text(0)?, a.text(1)?);
        args::text(text.strip_prefix(&*prefix).unwrap_or(&text))
    }),
    exact("trimspace", "text", 1, |a| args::text(a.text(0)?.trim())),
    exact("trimsuffix", "text, suffix", 2, |a| {
        let (text, suffix) = (a.text(0)?, a.text(1)?);
        args::text(text.strip_suffix(&*suffix).unwrap_or(&text))
    }),
    exact("upper", "text", 1, |a| {
        args::text(a.text(0)?.to_uppercase())
    }),
];

fn indent(args: &Args<'_>) -> Result<Value, Fault> {
    let (spaces, text) = (args.count(0)?, args.text(1)?);
    let lines = text.matches('\n').count();
    let bytes = lines.saturating_mul(spaces).saturating_add(text.len());
    if bytes > TEXT_BYTES_MAX {
        return Err(Fault::limit("the result is too long"));
    }
    args::text(text.replace('\n', &format!("\n{}", " ".repeat(spaces))))
}

fn join(args: &Args<'_>) -> Result<Value, Fault> {
    let separator = args.text(0)?;
    let mut parts = Vec::new();
    for at in 1..args.len() {
        parts.extend(args.texts(at)?);
    }
    let bytes: usize = parts.iter().map(|part| part.len() + separator.len()).sum();
    if bytes > TEXT_BYTES_MAX + separator.len() {
        return Err(Fault::limit("the result is too long"));
    }
    args::text(parts.join(&separator))
}

fn replace(args: &Args<'_>) -> Result<Value, Fault> {
    let (text, part, new) = (args.text(0)?, args.text(1)?, args.text(2)?);
    if part.len() > 1 && part.starts_with('/') && part.ends_with('/') {
        return regex::replace(args, &text, &part[1..part.len() - 1], &new);
    }
    let count = text.matches(&*part).count();
    if count.saturating_mul(new.len()).saturating_add(text.len()) > TEXT_BYTES_MAX {
        return Err(Fault::limit("the result is too long"));
    }
    args::text(text.replace(&*part, &new))
}

fn split(args: &Args<'_>) -> Result<Value, Fault> {
    let (separator, text) = (args.text(0)?, args.text(1)?);
    if separator.is_empty() {
        return args::list(text.chars().map(|c| Value::string(c.to_string())).collect());
    }
    args::list(text.split(&*separator).map(Value::string).collect())
}

fn substr(args: &Args<'_>) -> Result<Value, Fault> {
    let (text, offset, length) = (args.text(0)?, args.integer(1)?, args.integer(2)?);
    let count = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    let start = if offset < 0 {
        count.saturating_add(offset).max(0)
    } else {
        offset.min(count)
    };
    if length < -1 {
        return Err(Fault::arg(
            2,
            "the length is at least 0, or -1 for all that follows",
        ));
    }
    let end = if length == -1 {
        count
    } else {
        start.saturating_add(length).min(count)
    };
    let skip = usize::try_from(start).unwrap_or(0);
    let take = usize::try_from(end - start).unwrap_or(0);
    args::text(text.chars().skip(skip).take(take).collect::<String>())
}

fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut first = true;
    for c in text.chars() {
        if first {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
        first = !(c.is_alphanumeric() || c == '_' || c == '\'');
    }
    out
}
