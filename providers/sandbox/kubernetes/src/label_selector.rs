//! Label selectors: the text form of query parameters and the object form of specs.

use std::collections::BTreeSet;

use serde_json::Map;
use serde_json::Value;

use crate::failure::Failure;
use crate::failure::Outcome;

/// What an object's labels must be like; no requirements match everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LabelSelector {
    requirements: Vec<Requirement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    Exists,
    Missing,
    In(BTreeSet<String>),
    NotIn(BTreeSet<String>),
    Above(i64),
    Below(i64),
}

impl LabelSelector {
    /// Reads a query parameter such as `a=b,c in (d,e),!f`.
    pub(crate) fn parse(text: &str) -> Outcome<Self> {
        Parser::new(text)
            .selector()
            .map_err(|message| Failure::bad_request(&message))
    }

    /// Reads `matchLabels` and `matchExpressions`. What is not understood matches nothing.
    pub(crate) fn from_json(selector: &Value) -> Option<Self> {
        let mut requirements = Vec::new();
        for (key, value) in selector["matchLabels"].as_object().into_iter().flatten() {
            let value = value.as_str()?.to_owned();
            requirements.push(Requirement {
                key: key.clone(),
                test: Test::In(BTreeSet::from([value])),
            });
        }
        for expression in selector["matchExpressions"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let values = || -> BTreeSet<String> {
                let values = expression["values"].as_array().into_iter().flatten();
                values
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect()
            };
            requirements.push(Requirement {
                key: expression["key"].as_str()?.to_owned(),
                test: match expression["operator"].as_str()? {
                    "In" => Test::In(values()),
                    "NotIn" => Test::NotIn(values()),
                    "Exists" => Test::Exists,
                    "DoesNotExist" => Test::Missing,
                    _ => return None,
                },
            });
        }
        Some(Self { requirements })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    pub(crate) fn matches(&self, labels: Option<&Map<String, Value>>) -> bool {
        self.requirements.iter().all(|requirement| {
            let value = labels
                .and_then(|labels| labels.get(&requirement.key))
                .map(|value| value.as_str().unwrap_or_default());
            match &requirement.test {
                Test::Exists => value.is_some(),
                Test::Missing => value.is_none(),
                Test::In(values) => value.is_some_and(|value| values.contains(value)),
                Test::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
                Test::Above(bound) => number(value).is_some_and(|number| number > *bound),
                Test::Below(bound) => number(value).is_some_and(|number| number < *bound),
            }
        })
    }
}

fn number(value: Option<&str>) -> Option<i64> {
    value?.parse().ok()
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Sign(&'static str),
    End,
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Self::Word(word) => word,
            Self::Sign(sign) => sign,
            Self::End => "",
        }
    }
}

/// The longest name that a label may have after its prefix.
const NAME_CHARACTERS_MAX: usize = 63;

/// What cannot be a label cannot be asked for.
fn check_key(key: &str) -> Result<(), String> {
    let name = key.split_once('/').map_or(key, |(_, name)| name);
    let end = |c: char| c.is_ascii_alphanumeric();
    let good = name.starts_with(end)
        && name.ends_with(end)
        && name.len() <= NAME_CHARACTERS_MAX
        && name.chars().all(|c| end(c) || matches!(c, '-' | '_' | '.'));
    if good {
        return Ok(());
    }
    Err(format!(
        "unable to parse requirement: <nil>: Invalid value: {key:?}: name part must consist of \
         alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric \
         character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
         '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
    ))
}

/// The signs, longer ones first.
const SIGNS: &[&str] = &["==", "!=", "=", "!", "(", ")", ",", ">", "<"];

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    fn next(&mut self) -> Token {
        self.rest = self.rest.trim_start();
        if self.rest.is_empty() {
            return Token::End;
        }
        for sign in SIGNS {
            if let Some(rest) = self.rest.strip_prefix(sign) {
                self.rest = rest;
                return Token::Sign(sign);
            }
        }
        let end = self
            .rest
            .find(|c: char| c.is_whitespace() || "=!(),<>".contains(c))
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        Token::Word(word.to_owned())
    }

    fn peek(&mut self) -> Token {
        let rest = self.rest;
        let token = self.next();
        self.rest = rest;
        token
    }

    fn selector(mut self) -> Result<LabelSelector, String> {
        let mut requirements = Vec::new();
        if self.peek() == Token::End {
            return Ok(LabelSelector { requirements });
        }
        loop {
            requirements.push(self.requirement()?);
            match self.next() {
                Token::End => break,
                Token::Sign(",") => match self.peek() {
                    Token::Word(_) | Token::Sign("!") => {}
                    other => {
                        return Err(format!(
                            "found '{}', expected: identifier after ','",
                            other.text()
                        ));
                    }
                },
                other => {
                    return Err(format!(
                        "found '{}', expected: ',' or 'end of string'",
                        other.text()
                    ));
                }
            }
        }
        Ok(LabelSelector { requirements })
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let first = self.next();
        let missing = first == Token::Sign("!");
        let key = match if missing { self.next() } else { first } {
            Token::Word(word) => word,
            other => return Err(format!("found '{}', expected: identifier", other.text())),
        };
        check_key(&key)?;
        let test = if missing { Test::Missing } else { self.test()? };
        Ok(Requirement { key, test })
    }

    fn test(&mut self) -> Result<Test, String> {
        if matches!(self.peek(), Token::End | Token::Sign(",")) {
            return Ok(Test::Exists);
        }
        match self.next() {
            Token::Sign("=" | "==") => Ok(Test::In(BTreeSet::from([self.value()?]))),
            Token::Sign("!=") => Ok(Test::NotIn(BTreeSet::from([self.value()?]))),
            Token::Sign(sign @ (">" | "<")) => {
                let bound = self.value()?;
                let bound = bound.parse().map_err(|_| {
                    format!(
                        "unable to parse requirement: values[0][]: Invalid value: {bound:?}: \
                             for 'Gt', 'Lt' operators, the value must be an integer"
                    )
                })?;
                Ok(if sign == ">" {
                    Test::Above(bound)
                } else {
                    Test::Below(bound)
                })
            }
            Token::Word(word) if word == "in" => Ok(Test::In(self.values()?)),
            Token::Word(word) if word == "notin" => Ok(Test::NotIn(self.values()?)),
            other => Err(format!(
                "found '{}', expected: in, notin, =, ==, !=, gt, lt",
                other.text()
            )),
        }
    }

    /// One value; an empty one is a value too.
    fn value(&mut self) -> Result<String, String> {
        match self.peek() {
            Token::End | Token::Sign(",") => Ok(String::new()),
            _ => match self.next() {
                Token::Word(word) => Ok(word),
                other => Err(format!("found '{}', expected: identifier", other.text())),
            },
        }
    }

    fn values(&mut self) -> Result<BTreeSet<String>, String> {
        match self.next() {
            Token::Sign("(") => {}
            other => return Err(format!("found '{}' expected: '('", other.text())),
        }
        let mut values = BTreeSet::new();
        loop {
            match self.next() {
                Token::Word(word) => {
                    values.insert(word);
                    match self.next() {
                        Token::Sign(",") => {}
                        Token::Sign(")") => return Ok(values),
                        other => {
                            return Err(format!("found '{}', expected: ',' or ')'", other.text()));
                        }
                    }
                }
                Token::Sign(",") => {
                    values.insert(String::new());
                }
                Token::Sign(")") => {
                    values.insert(String::new());
                    return Ok(values);
                }
                other => {
                    return Err(format!(
                        "found '{}', expected: ',', or identifier",
                        other.text()
                    ));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn selectors_match_as_the_real_ones() {
        let labels = json!({"a": "b", "tier": "web", "empty": "", "size": "7"});
        let labels = labels.as_object();
        let table = [
            ("", true),
            ("a=b", true),
            ("a==b,tier!=db", true),
            ("a=c", false),
            ("a", true),
            ("!a", false),
            ("!z", true),
            ("tier in (web, db)", true),
            ("tier notin (web,db)", false),
            ("z notin (x)", true),
            ("z!=x", true),
            ("empty=", true),
            ("example.com/x=1", false),
            ("size>5", true),
            ("size<5", false),
        ];
        for (text, expected) in table {
            let selector = LabelSelector::parse(text).expect(text);
            assert_eq!(selector.matches(labels), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        for text in ["a=b=c", "a in b", "a in (b", "=b", "a,,b", "a b", "-a-=b"] {
            assert!(LabelSelector::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_selector_of_a_spec_is_read() {
        let selector = LabelSelector::from_json(&json!({
            "matchLabels": {"a": "b"},
            "matchExpressions": [{"key": "c", "operator": "DoesNotExist"}],
        }))
        .expect("a selector");
        assert!(selector.matches(json!({"a": "b"}).as_object()));
        assert!(!selector.matches(json!({"a": "b", "c": "d"}).as_object()));
    }
}
