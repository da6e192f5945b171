//! Functions of regular expressions.

use std::collections::BTreeMap;
use std::rc::Rc;

use regex::Captures;
use regex::Regex;

use super::Function;
use super::args;
use super::args::Args;
use super::args::Fault;
use super::exact;
use super::pattern;
use crate::lang::Value;
use crate::lang::eval::ELEMENTS_MAX;
use crate::lang::eval::TEXT_BYTES_MAX;

pub(super) const TABLE: &[Function] = &[
    exact("regex", "pattern, text", 2, first),
    exact("regexall", "pattern, text", 2, all),
];

/// What a match gives.
enum Shape {
    /// The text that matched.
    Whole,
    /// A list of the groups.
    Groups,
    /// A map of the groups by name.
    Names,
}

impl Shape {
    fn of(regex: &Regex) -> Result<Self, Fault> {
        let groups = regex.captures_len() - 1;
        match regex.capture_names().flatten().count() {
            0 if groups == 0 => Ok(Self::Whole),
            0 => Ok(Self::Groups),
            named if named == groups => Ok(Self::Names),
            _ => {
                let wrong = Fault::arg(0, "some groups have a name and some have none");
                Err(wrong.hint("name all, or write `(?:…)` for groups that are not wanted"))
            }
        }
    }

    fn value(&self, regex: &Regex, captures: &Captures<'_>) -> Value {
        let group = |at: usize| match captures.get(at) {
            Some(group) => Value::string(group.as_str()),
            None => Value::Null,
        };
        match self {
            Self::Whole => group(0),
            Self::Groups => Value::List((1..captures.len()).map(group).collect()),
            Self::Names => {
                let names = regex.capture_names().enumerate();
                let named = names.filter_map(|(at, name)| Some((name?.to_owned(), group(at))));
                Value::Map(named.collect::<BTreeMap<_, _>>())
            }
        }
    }
}

fn compiled(args: &Args<'_>, at: usize, text: &str) -> Result<Rc<Regex>, Fault> {
    args.cx.pattern(text, pattern::compile).map_err(|error| {
        let why = if args.cx.may_show() {
            format!(": {}", pattern::reason(&error))
        } else {
            String::new()
        };
        let wrong = Fault::arg(at, format!("this is not a regular expression{why}"));
        wrong.hint("the syntax is that of RE2, without look-around and back references")
    })
}

/// Refuses a text that is too long to be searched.
fn searchable(text: &str) -> Result<(), Fault> {
    if text.len() <= pattern::SEARCHED_BYTES_MAX {
        return Ok(());
    }
    let limit = Fault::limit(format!(
        "the text has more than {} bytes, which is the most that is searched for a pattern",
        pattern::SEARCHED_BYTES_MAX
    ));
    Err(limit.hint("cut it first, with `substr` or `split`"))
}

fn first(args: &Args<'_>) -> Result<Value, Fault> {
    let (pattern, text) = (args.text(0)?, args.text(1)?);
    searchable(&text)?;
    let regex = compiled(args, 0, &pattern)?;
    let shape = Shape::of(&regex)?;
    match regex.captures(&text) {
        Some(captures) => Ok(shape.value(&regex, &captures)),
        None => {
            let shown = args.shown(1);
            let wrong = Fault::arg(1, format!("nothing in it matches the pattern: {shown}"));
            Err(wrong.hint("give a default with `try`, or use `regexall`, which gives a list"))
        }
    }
}

fn all(args: &Args<'_>) -> Result<Value, Fault> {
    let (pattern, text) = (args.text(0)?, args.text(1)?);
    searchable(&text)?;
    let regex = compiled(args, 0, &pattern)?;
    let shape = Shape::of(&regex)?;
    let found = regex.captures_iter(&text).take(ELEMENTS_MAX + 1);
    args::list(found.map(|c| shape.value(&regex, &c)).collect())
}

/// Replaces every match; `$1`, `$name` and `${name}` stand for groups.
pub(super) fn replace(
    args: &Args<'_>,
    text: &str,
    pattern: &str,
    new: &str,
) -> Result<Value, Fault> {
    searchable(text)?;
    let regex = compiled(args, 1, pattern)?;
    let groups_in_new = new.matches('$').count();
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for captures in regex.captures_iter(text) {
        let Some(whole) = captures.get(0) else {
            continue;
        };
        out.push_str(&text[done..whole.start()]);
        // No group is longer than the match that it lies in.
        let expanded = groups_in_new.saturating_mul(whole.len());
        if out.len().saturating_add(expanded).saturating_add(new.len()) > TEXT_BYTES_MAX {
            return Err(Fault::limit("the result is too long"));
        }
        captures.expand(new, &mut out);
        done = whole.end();
    }
    out.push_str(&text[done..]);
    args::text(out)
}
