//! What is wrong with the values of single arguments, told before anything is read.
//!
//! A provider looks at what is given and refuses what can never be right. A value that is not known
//! yet is a hole and tells nothing; it is looked at again when it is known.

use std::ops::RangeInclusive;

use crate::Json;
use crate::Timestamp;
use crate::is_hole;
use crate::length;

/// How many characters of a wrong value are repeated.
const SHOWN_CHARACTERS_MAX: usize = 80;

/// How a time is written.
const TIME: &str = "write it as in RFC 3339, for example \"2026-01-31T03:00:00Z\"";

/// The arguments of one block as far as they are known, and what is wrong with them.
pub struct Given<'a> {
    args: &'a Json,
    faults: Vec<Fault>,
}

/// An argument that cannot be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The argument.
    pub argument: &'static str,
    /// What is wrong with it. Quotes values, for none of those that are known is a secret.
    pub because: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl<'a> Given<'a> {
    /// Looks at arguments, in which holes stand for what is not known.
    pub fn new(args: &'a Json) -> Self {
        Self {
            args,
            faults: Vec::new(),
        }
    }

    /// All that was refused, in the order in which it was found.
    pub fn into_faults(self) -> Vec<Fault> {
        self.faults
    }

    /// Whether an argument is given, known or not.
    pub fn has(&self, name: &str) -> bool {
        self.args.get(name).is_some_and(|value| !value.is_null())
    }

    /// Whether an argument has a value for sure: what a step makes first may turn out to be null, and a
    /// secret is a text.
    pub fn is_sure(&self, name: &str) -> bool {
        let value = self.args.get(name).filter(|value| !value.is_null());
        value.is_some_and(|value| is_hole(value).is_none_or(|hole| hole.after.is_empty()))
    }

    /// The value of an argument, unless it is not known. Holes may lie inside of it.
    pub fn get(&self, name: &str) -> Option<&'a Json> {
        let value = self.args.get(name)?;
        (!value.is_null() && is_hole(value).is_none()).then_some(value)
    }

    /// A text that is known.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.get(name)?.as_str()
    }

    /// The texts of a list, as far as they are known.
    pub fn texts(&self, name: &str) -> Vec<&'a str> {
        let list = self.get(name).and_then(Json::as_array);
        list.into_iter()
            .flatten()
            .filter_map(Json::as_str)
            .collect()
    }

    /// Keys and texts of a map, as far as they are known.
    pub fn pairs(&self, name: &str) -> Vec<(&'a str, &'a str)> {
        let map = self.get(name).and_then(Json::as_object);
        let pairs = map.into_iter().flatten();
        pairs
            .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
            .collect()
    }

    /// Refuses an argument.
    pub fn refuse(
        &mut self,
        argument: &'static str,
        because: impl Into<String>,
        hint: Option<&str>,
    ) {
        self.faults.push(Fault {
            argument,
            because: because.into(),
            hint: hint.map(str::to_owned),
        });
    }

    /// Refuses an argument if that is what a check of its own says.
    pub fn take(&mut self, argument: &'static str, outcome: Result<(), String>) {
        if let Err(because) = outcome {
            self.refuse(argument, because, None);
        }
    }

    /// Refuses a text that is not what it must be; `what` is "name of a bucket".
    pub fn is(
        &mut self,
        argument: &'static str,
        is_right: impl Fn(&str) -> bool,
        what: &str,
        hint: &str,
    ) {
        if let Some(text) = self.text(argument).filter(|text| !is_right(text)) {
            let because = format!("`{argument}` is {}, which is no {what}", shown(text));
            self.refuse(argument, because, Some(hint));
        }
    }

    /// The same for each text of a list.
    pub fn each_is(
        &mut self,
        argument: &'static str,
        is_right: impl Fn(&str) -> bool,
        what: &str,
        hint: &str,
    ) {
        let wrong = self.texts(argument).into_iter();
        for text in wrong.filter(|text| !is_right(text)) {
            let because = format!("{} in `{argument}` is no {what}", shown(text));
            self.refuse(argument, because, Some(hint));
        }
    }

    /// The same for each key and each text of a map.
    pub fn pairs_are(
        &mut self,
        argument: &'static str,
        is_right: impl Fn(&str) -> bool,
        what: &str,
        hint: &str,
    ) {
        let pairs = self.pairs(argument).into_iter();
        let texts = pairs.flat_map(|(key, value)| [key, value]);
        for text in texts.filter(|text| !is_right(text)) {
            let because = format!("{} in `{argument}` is no {what}", shown(text));
            self.refuse(argument, because, Some(hint));
        }
    }

    /// Refuses a text without anything in it.
    pub fn says_something(&mut self, argument: &'static str) {
        if self
            .text(argument)
            .is_some_and(|text| text.trim().is_empty())
        {
            let hint = "write what is meant, or remove the argument";
            self.refuse(argument, format!("`{argument}` is empty"), Some(hint));
        }
    }

    /// Refuses what is no time.
    pub fn is_time(&mut self, argument: &'static str) {
        let is_time = |text: &str| text.parse::<Timestamp>().is_ok();
        self.is(argument, is_time, "time", TIME);
    }

    /// Refuses what is no length of time above zero.
    pub fn is_length(&mut self, argument: &'static str) {
        let what = "length of time above zero";
        self.is(
            argument,
            |text| length(text).is_some(),
            what,
            "write for example \"90s\"",
        );
    }

    /// Refuses a number that is not whole, or lies outside of some bounds.
    pub fn is_whole(&mut self, argument: &'static str, bounds: RangeInclusive<i64>) {
        let Some(number) = self.get(argument).filter(|value| value.is_number()) else {
            return;
        };
        if number.as_i64().is_some_and(|n| bounds.contains(&n)) {
            return;
        }
        let hint = match (bounds.start(), bounds.end()) {
            (least, &i64::MAX) => format!("write a whole number of at least {least}"),
            (least, most) => format!("write a whole number from {least} to {most}"),
        };
        let because = format!("`{argument}` is {number}");
        self.refuse(argument, because, Some(&hint));
    }

    /// Refuses two arguments of which only one can hold. What is not known yet may turn out to be null.
    pub fn not_both(&mut self, one: &'static str, other: &'static str) {
        if self.is_sure(one) && self.is_sure(other) {
            let because = format!("`{one}` and `{other}` exclude each other");
            self.refuse(other, because, Some("leave one of them out"));
        }
    }

    /// Refuses an argument that means nothing without another.
    pub fn needs(&mut self, argument: &'static str, other: &str, hint: &str) {
        if self.is_sure(argument) && !self.has(other) {
            let because = format!("`{argument}` means nothing without `{other}`");
            self.refuse(argument, because, Some(hint));
        }
    }
}

/// A value in a message, cut if it is long.
fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS_MAX) {
        Some((at, _)) => format!("`{}…`", &text[..at]),
        None => format!("`{text}`"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn faults(args: &Json, check: impl Fn(&mut Given<'_>)) -> Vec<String> {
        let mut given = Given::new(args);
        check(&mut given);
        let faults = given.into_faults().into_iter();
        faults.map(|fault| fault.because).collect()
    }

    #[test]
    fn what_can_never_be_right_is_refused_and_what_is_not_known_is_not() {
        let hole = json!({"$hole": {"expr": 0, "secret": false, "after": ["command.x"]}});
        let args = json!({
            "before": "yesterday", "since": "2026-01-31T03:00:00Z", "until": hole,
            "within": "0s", "jobs": 65, "half": 1.5, "few": 3,
            "names": ["a", "B", hole], "map": {"a": "B", "b": hole},
            "nothing": " ", "null": null,
        });
        let lower = |text: &str| text.chars().all(|c| c.is_ascii_lowercase());
        let all = faults(&args, |given| {
            given.is_time("before");
            given.is_time("since");
            given.is_time("until");
            given.is_time("absent");
            given.is_length("within");
            given.is_whole("jobs", 1..=64);
            given.is_whole("half", 0..=i64::MAX);
            given.is_whole("few", 1..=64);
            given.each_is("names", lower, "name", "write it small");
            given.pairs_are("map", lower, "name", "write it small");
            given.says_something("nothing");
            given.not_both("few", "until");
            given.not_both("few", "null");
            given.needs("few", "until", "");
            given.needs("few", "null", "give it");
        });
        assert_eq!(
            all,
            [
                "`before` is `yesterday`, which is no time",
                "`within` is `0s`, which is no length of time above zero",
                "`jobs` is 65",
                "`half` is 1.5",
                "`B` in `names` is no name",
                "`B` in `map` is no name",
                "`nothing` is empty",
                "`few` means nothing without `null`",
            ]
        );
    }

    #[test]
    fn a_long_value_is_cut() {
        let args = json!({"name": "ä".repeat(200)});
        let all = faults(&args, |given| given.is("name", |_| false, "name", ""));
        assert!(all[0].len() < 200 && all[0].contains('…'), "{}", all[0]);
    }
}
