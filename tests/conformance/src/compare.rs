//! Finds where two runs of a sequence differ.
//!
//! Knows nothing about which differences are meant.

use serde_json::Value;

use crate::outcome::Outcome;

/// One place where the answers differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The sequence.
    pub sequence: String,
    /// The step, from 1 on; steps inside of a watch follow its number and a dot.
    pub step: String,
    /// The request.
    pub request: String,
    /// Where in the outcome: `code`, `/body/spec/x`, `/events/0/type`.
    pub at: String,
    /// What the real server said.
    pub real: Value,
    /// What the other one said.
    pub other: Value,
}

/// Compares the answers to one sequence.
#[must_use]
pub fn sequence(name: &str, real: &[Outcome], other: &[Outcome]) -> Vec<Difference> {
    let mut found = Vec::new();
    steps(name, "", real, other, &mut found);
    found
}

fn steps(
    name: &str,
    prefix: &str,
    real: &[Outcome],
    other: &[Outcome],
    found: &mut Vec<Difference>,
) {
    for place in 0..real.len().max(other.len()) {
        let number = format!("{prefix}{}", place + 1);
        let mut one = Comparison {
            sequence: name,
            step: &number,
            request: real.get(place).or(other.get(place)).map_or("", |o| &o.step),
            found,
        };
        match (real.get(place), other.get(place)) {
            (Some(real), Some(other)) => {
                one.outcome(real, other);
                steps(
                    name,
                    &format!("{number}."),
                    &real.during,
                    &other.during,
                    found,
                );
            }
            (real, other) => {
                let there = |outcome: Option<&Outcome>| Value::Bool(outcome.is_some());
                one.value("/answered", &there(real), &there(other));
            }
        }
    }
}

struct Comparison<'c> {
    sequence: &'c str,
    step: &'c str,
    request: &'c str,
    found: &'c mut Vec<Difference>,
}

impl Comparison<'_> {
    fn outcome(&mut self, real: &Outcome, other: &Outcome) {
        self.value("/code", &real.code.into(), &other.code.into());
        if real.code != other.code {
            // What follows from another code says nothing more.
            let words = |outcome: &Outcome| Value::String(outcome.words.clone());
            if !(real.words.is_empty() && other.words.is_empty()) {
                self.value("/words", &words(real), &words(other));
            }
            return;
        }
        self.value(
            "/media",
            &real.media.clone().into(),
            &other.media.clone().into(),
        );
        self.value(
            "/warnings",
            &real.warnings.clone().into(),
            &other.warnings.clone().into(),
        );
        self.value("/body", &real.body, &other.body);
        if real.wording {
            self.value(
                "/words",
                &real.words.clone().into(),
                &other.words.clone().into(),
            );
        }
        let events = |outcome: &Outcome| outcome.events.clone().map_or(Value::Null, Value::Array);
        self.value("/events", &events(real), &events(other));
        let ended = |outcome: &Outcome| outcome.ended.map_or(Value::Null, Value::Bool);
        self.value("/ended", &ended(real), &ended(other));
    }

    fn value(&mut self, at: &str, real: &Value, other: &Value) {
        match (real, other) {
            (Value::Object(left), Value::Object(right)) => {
                let mut keys: Vec<&String> = left.keys().chain(right.keys()).collect();
                keys.sort();
                keys.dedup();
                for key in keys {
                    let get = |map: &serde_json::Map<String, Value>| {
                        map.get(key).cloned().unwrap_or_default()
                    };
                    self.value(&below(at, key), &get(left), &get(right));
                }
            }
            (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
                for (place, (left, right)) in left.iter().zip(right).enumerate() {
                    self.value(&format!("{at}/{place}"), left, right);
                }
            }
            _ if real == other => {}
            _ => self.found.push(Difference {
                sequence: self.sequence.to_owned(),
                step: self.step.to_owned(),
                request: self.request.to_owned(),
                at: at.to_owned(),
                real: real.clone(),
                other: other.clone(),
            }),
        }
    }
}

/// The place of a value inside of another. What a step picked is named by its pointer already.
fn below(at: &str, key: &str) -> String {
    if key.starts_with('/') {
        return format!("{at}{key}");
    }
    format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn outcome(code: u16, body: Value) -> Outcome {
        let outcome = json!({"step": "GET /x", "code": code, "body": body});
        serde_json::from_value(outcome).unwrap()
    }

    #[test]
    fn every_place_that_differs_is_named_once() {
        let real = [outcome(
            200,
            json!({"a": {"b/c": 1, "d": [1, 2]}, "/e/f": 1}),
        )];
        let other = [outcome(
            200,
            json!({"a": {"b/c": 2, "d": [1, 3]}, "/e/f": 2}),
        )];
        let found = sequence("s", &real, &other);
        let places: Vec<&str> = found.iter().map(|found| found.at.as_str()).collect();
        assert_eq!(places, ["/body/e/f", "/body/a/b~1c", "/body/a/d/1"]);
        assert!(sequence("s", &real, &real).is_empty());
    }

    #[test]
    fn under_another_code_the_bodies_are_not_compared() {
        let real = [outcome(200, json!({"a": 1}))];
        let found = sequence("s", &real, &[outcome(404, json!({"b": 1}))]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].at, "/code");
    }

    #[test]
    fn a_step_without_an_answer_differs() {
        let real = [outcome(200, json!(null)), outcome(200, json!(null))];
        let found = sequence("s", &real, &real[..1]);
        assert_eq!(
            (found[0].step.as_str(), found[0].at.as_str()),
            ("2", "/answered")
        );
    }
}
