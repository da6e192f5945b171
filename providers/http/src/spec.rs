//! The arguments of an `http_check`, checked for what no type can say.

use std::time::Duration;

use drplan_api::Arg;
use drplan_api::Given;
use drplan_api::Json;
use drplan_api::Schema;
use drplan_api::Type;
use drplan_api::is_hole;
use serde::Deserialize;
use serde::Serialize;
use url::Url;

use crate::answer::GetAsk;

/// The status that is right if the spec names none.
const STATUS_DEFAULT: u16 = 200;
/// The codes that there can be.
const STATUS: std::ops::RangeInclusive<i64> = 100..=599;
/// How long a check may take to become true if the spec does not say.
const WITHIN_DEFAULT: Duration = Duration::from_secs(120);
/// How often it is asked meanwhile if the spec does not say.
const INTERVAL_DEFAULT: Duration = Duration::from_secs(2);

/// The decoded arguments; also the payload of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Arguments", into = "Arguments")]
pub struct CheckSpec {
    pub(crate) url: String,
    pub(crate) via: Option<String>,
    pub(crate) status: Vec<u16>,
    pub(crate) body_matches: Option<String>,
    pub(crate) min_days_left: Option<u32>,
    pub(crate) within: Duration,
    pub(crate) interval: Duration,
}

#[derive(Clone, Serialize, Deserialize)]
struct Arguments {
    url: String,
    #[serde(default)]
    via: Option<String>,
    #[serde(default)]
    status: Option<Status>,
    #[serde(default)]
    body_matches: Option<String>,
    #[serde(default)]
    tls: Option<Tls>,
    #[serde(default)]
    within: Option<String>,
    #[serde(default)]
    interval: Option<String>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum Status {
    One(u16),
    Some(Vec<u16>),
}

#[derive(Clone, Serialize, Deserialize)]
struct Tls {
    #[serde(default)]
    min_days_left: Option<u32>,
}

impl TryFrom<Arguments> for CheckSpec {
    type Error = String;

    fn try_from(given: Arguments) -> Result<Self, String> {
        check_url(&given.url, given.tls.is_some())?;
        if let Some(pattern) = &given.body_matches {
            check_pattern(pattern)?;
        }
        let status = match given.status {
            None => vec![STATUS_DEFAULT],
            Some(Status::One(status)) => vec![status],
            Some(Status::Some(list)) if list.is_empty() => {
                return Err("`status` is an empty list, so no answer could be right".to_owned());
            }
            Some(Status::Some(list)) => list,
        };
        Ok(Self {
            url: given.url,
            via: given.via,
            status,
            body_matches: given.body_matches,
            min_days_left: given.tls.and_then(|tls| tls.min_days_left),
            within: duration("within", given.within.as_deref(), WITHIN_DEFAULT)?,
            interval: duration("interval", given.interval.as_deref(), INTERVAL_DEFAULT)?,
        })
    }
}

impl From<CheckSpec> for Arguments {
    fn from(spec: CheckSpec) -> Self {
        let text = |duration: Duration| Some(format!("{}ms", duration.as_millis()));
        Self {
            url: spec.url,
            via: spec.via,
            status: Some(Status::Some(spec.status)),
            body_matches: spec.body_matches,
            tls: spec.min_days_left.map(|days| Tls {
                min_days_left: Some(days),
            }),
            within: text(spec.within),
            interval: text(spec.interval),
        }
    }
}

/// Refuses what can never be right.
pub(crate) fn check(given: &mut Given<'_>) {
    if let Some(url) = given.text("url") {
        given.take("url", check_url(url, given.get("tls").is_some()));
    }
    if let Some(pattern) = given.text("body_matches") {
        given.take("body_matches", check_pattern(pattern));
    }
    given.says_something("via");
    given.is_length("within");
    given.is_length("interval");
    let status = given.get("status");
    let codes = match status {
        Some(Json::Array(list)) => list.iter().collect(),
        one => one.into_iter().collect::<Vec<_>>(),
    };
    let hint = "write a code from 100 to 599, or a list of them";
    if status.is_some() && codes.is_empty() {
        let because = "`status` is an empty list, so no answer could be right";
        given.refuse("status", because, Some(hint));
    }
    let is_code = |code: &Json| code.as_i64().is_some_and(|n| STATUS.contains(&n));
    for code in codes.into_iter().filter(|code| is_hole(code).is_none()) {
        if !is_code(code) {
            given.refuse(
                "status",
                format!("{code} in `status` is no status code"),
                Some(hint),
            );
        }
    }
    let days = given.get("tls").map(|tls| &tls["min_days_left"]);
    let days = days.filter(|days| days.is_number());
    if let Some(days) = days.filter(|days| days.as_u64().is_none_or(|n| n > u64::from(u32::MAX))) {
        let because = format!("`min_days_left` in `tls` is {days}");
        given.refuse("tls", because, Some("write a whole number of days"));
    }
}

fn check_pattern(pattern: &str) -> Result<(), String> {
    regex::bytes::Regex::new(pattern)
        .map(drop)
        .map_err(|e| format!("`body_matches` is no regular expression: {e}"))
}

fn check_url(text: &str, wants_tls: bool) -> Result<(), String> {
    // The text is not repeated where it may hold a password.
    let url = Url::parse(text).map_err(|e| format!("`url` is no URL: {e}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("`url` holds credentials, which everybody could read; remove them".to_owned());
    }
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(format!(
            "`url` must begin with http:// or https://, and `{text}` does not"
        ));
    }
    if wants_tls && url.scheme() != "https" {
        return Err("`tls` needs a `url` that begins with https://".to_owned());
    }
    Ok(())
}

/// Reads a length of time above zero.
pub(crate) fn duration(
    name: &str,
    text: Option<&str>,
    default: Duration,
) -> Result<Duration, String> {
    let Some(text) = text else {
        return Ok(default);
    };
    drplan_api::length(text).ok_or_else(|| {
        format!("`{name}` is `{text}`, which is no length of time above zero such as \"90s\"")
    })
}

impl CheckSpec {
    /// Makes the question.
    pub(crate) fn ask(&self) -> GetAsk {
        GetAsk {
            url: self.url.clone(),
            via: self.via.clone(),
            body_matches: self.body_matches.clone(),
        }
    }

    /// Writes the request as a person types it.
    pub(crate) fn manual(&self) -> String {
        let via = match (&self.via, Url::parse(&self.url)) {
            (Some(via), Ok(url)) => format!(
                " --connect-to '{}:{}:{via}'",
                url.host_str().unwrap_or_default(),
                url.port_or_known_default().unwrap_or_default()
            ),
            _ => String::new(),
        };
        format!("curl -sS -i{via} '{}'", self.url.replace('\'', "%27"))
    }
}

/// Declares the arguments and exports.
pub(crate) fn schema() -> Schema {
    Schema {
        args: vec![
            Arg::required(
                "url",
                Type::String,
                "What is asked for, without credentials.",
            ),
            Arg::optional(
                "via",
                Type::String,
                "The address, `host:port` or `host`, to connect to instead of the URL's host; the Host header and the name that the certificate must bear stay the URL's. Tests a new site before the name points to it.",
            ),
            Arg::optional(
                "status",
                Type::Any,
                "The status code, or a list of codes, that is right. Default: 200. Redirects are not followed.",
            ),
            Arg::optional(
                "body_matches",
                Type::String,
                "A regular expression that must match somewhere in the first 1 MiB of the body.",
            ),
            Arg::optional(
                "tls",
                Type::Object(vec![Arg::optional(
                    "min_days_left",
                    Type::Number,
                    "How many days the certificate must still live.",
                )]),
                "What is wanted of the certificate beside being valid, which is always wanted.",
            ),
            Arg::optional(
                "within",
                Type::Duration,
                "How long it may take until the answer is right. Default: 2m.",
            ),
            Arg::optional(
                "interval",
                Type::Duration,
                "How often it is asked meanwhile. Default: 2s.",
            ),
        ],
        exports: vec![
            ("status", "The status code of a right answer."),
            (
                "latency_ms",
                "How long a right answer took, in milliseconds.",
            ),
        ],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arguments_that_cannot_work_are_refused_with_a_way_out() {
        for (args, says) in [
            (json!({"url": "x"}), "is no URL"),
            (json!({"url": "ftp://x/"}), "http:// or https://"),
            (json!({"url": "http://me:hunter2@x/"}), "remove them"),
            (
                json!({"url": "http://x/", "tls": {}}),
                "begins with https://",
            ),
            (json!({"url": "http://x/", "status": []}), "empty list"),
            (
                json!({"url": "http://x/", "body_matches": "("}),
                "regular expression",
            ),
            (
                json!({"url": "http://x/", "within": "-1s"}),
                "`within` is `-1s`",
            ),
            (
                json!({"url": "http://x/", "interval": "soon"}),
                "`interval` is `soon`",
            ),
        ] {
            let error = serde_json::from_value::<CheckSpec>(args.clone())
                .err()
                .map(|e| e.to_string())
                .unwrap_or_default();
            assert!(error.contains(says), "{args}: {error}");
            assert!(!error.contains("hunter2"));
        }
    }

    #[test]
    fn arguments_survive_the_plan_file() {
        let spec: CheckSpec = serde_json::from_value(json!({
            "url": "https://shop.example:8443/up", "via": "10.0.0.7", "status": 204,
            "tls": {"min_days_left": 3}, "within": "1m30s", "interval": "500ms",
        }))
        .expect("arguments");
        let json = serde_json::to_value(&spec).expect("JSON");
        assert_eq!(
            serde_json::from_value::<CheckSpec>(json).expect("a spec"),
            spec
        );
        assert_eq!(
            spec.manual(),
            "curl -sS -i --connect-to 'shop.example:8443:10.0.0.7' 'https://shop.example:8443/up'"
        );
    }
}
