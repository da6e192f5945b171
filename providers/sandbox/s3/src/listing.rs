//! Pages of keys, with what lies behind a delimiter rolled up.

use std::collections::BTreeMap;
use std::ops::Bound;

/// Sorts behind every key that begins with what stands before it.
const LAST: char = char::MAX;

/// What a page is about.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Query<'a> {
    pub(crate) prefix: &'a str,
    pub(crate) delimiter: Option<&'a str>,
    /// The last thing that was seen already.
    pub(crate) after: Option<&'a str>,
    pub(crate) max: usize,
}

/// One line of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line<'a, T> {
    /// A key.
    Key(&'a str, &'a T),
    /// All keys that begin with this.
    Prefix(String),
}

/// One page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page<'a, T> {
    pub(crate) lines: Vec<Line<'a, T>>,
    /// The last line, if more follow.
    pub(crate) next: Option<String>,
}

impl<T> Line<'_, T> {
    fn name(&self) -> &str {
        match self {
            Self::Key(key, _) => key,
            Self::Prefix(prefix) => prefix,
        }
    }
}

/// Returns one page of those keys of which `shows` says that they show.
pub(crate) fn page<'a, T>(
    keys: &'a BTreeMap<String, T>,
    query: &Query<'_>,
    shows: impl Fn(&T) -> bool,
) -> Page<'a, T> {
    let mut lines: Vec<Line<'a, T>> = Vec::new();
    let mut from = match query.after {
        Some(after) if after >= query.prefix => Bound::Excluded(after.to_owned()),
        _ => Bound::Included(query.prefix.to_owned()),
    };
    loop {
        let next = keys
            .range::<str, _>((from.as_ref().map(String::as_str), Bound::Unbounded))
            .find(|(_, value)| shows(value));
        let Some((key, value)) = next.filter(|(key, _)| key.starts_with(query.prefix)) else {
            return Page { lines, next: None };
        };
        let line = match rolled_up(key, query) {
            Some(prefix) => {
                from = Bound::Excluded(format!("{prefix}{LAST}"));
                if query.after.is_some_and(|after| prefix <= after) {
                    continue;
                }
                Line::Prefix(prefix.to_owned())
            }
            None => {
                from = Bound::Excluded(key.clone());
                Line::Key(key, value)
            }
        };
        if lines.len() >= query.max {
            let next = lines.last().map(|line| line.name().to_owned());
            return Page { lines, next };
        }
        lines.push(line);
    }
}

fn rolled_up<'k>(key: &'k str, query: &Query<'_>) -> Option<&'k str> {
    let delimiter = query.delimiter.filter(|d| !d.is_empty())?;
    let at = key[query.prefix.len()..].find(delimiter)?;
    Some(&key[..query.prefix.len() + at + delimiter.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 8] = ["a", "b/1", "b/2", "b/c/3", "ba", "d/4", "e", "hidden"];

    fn pages(query: Query<'_>) -> Vec<Vec<String>> {
        let keys: BTreeMap<String, bool> = KEYS
            .iter()
            .map(|k| ((*k).to_owned(), *k != "hidden"))
            .collect();
        let mut all = Vec::new();
        let mut after = query.after.map(str::to_owned);
        loop {
            let query = Query {
                after: after.as_deref(),
                ..query
            };
            let page = page(&keys, &query, |shown| *shown);
            all.push(page.lines.iter().map(|l| l.name().to_owned()).collect());
            match page.next {
                Some(next) if all.len() < 20 => after = Some(next),
                _ => return all,
            }
        }
    }

    #[test]
    fn keys_come_in_order_and_roll_up() {
        let query = Query {
            max: 1000,
            ..Query::default()
        };
        assert_eq!(
            pages(query),
            [["a", "b/1", "b/2", "b/c/3", "ba", "d/4", "e"]]
        );
        let folders = Query {
            delimiter: Some("/"),
            ..query
        };
        assert_eq!(pages(folders), [["a", "b/", "ba", "d/", "e"]]);
        let inside = Query {
            prefix: "b/",
            ..folders
        };
        assert_eq!(pages(inside), [["b/1", "b/2", "b/c/"]]);
        let later = Query {
            after: Some("b/2"),
            ..query
        };
        assert_eq!(pages(later), [["b/c/3", "ba", "d/4", "e"]]);
        let nothing = Query {
            prefix: "zz",
            ..query
        };
        assert_eq!(pages(nothing), [Vec::<String>::new()]);
    }

    #[test]
    fn pages_neither_repeat_nor_skip() {
        let query = Query {
            delimiter: Some("/"),
            max: 2,
            ..Query::default()
        };
        assert_eq!(pages(query), [vec!["a", "b/"], vec!["ba", "d/"], vec!["e"]]);
    }
}
