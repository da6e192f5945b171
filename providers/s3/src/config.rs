//! The arguments of a `provider "s3"` block.

use drplan_api::Arg;
use drplan_api::Given;
use drplan_api::Json;
use drplan_api::ProviderError;
use drplan_api::Schema;
use drplan_api::Type;
use drplan_aws::Args;
use serde::Deserialize;

/// How many requests run at once if the block does not say.
const REQUESTS_DEFAULT: usize = 8;
/// The most that a block may ask for.
const REQUESTS_MAX: usize = 64;

/// The arguments of object stores alone, as they stand in the spec.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Raw {
    path_style: Option<bool>,
    requests_max: Option<usize>,
}

/// The arguments, checked. Has no `Debug`: it holds secrets.
pub(crate) struct Config {
    pub(crate) aws: Args,
    pub(crate) path_style: bool,
    pub(crate) requests_max: usize,
}

pub(crate) fn schema() -> Schema {
    let mut args = drplan_aws::arguments();
    args.extend([
        Arg::optional(
            "path_style",
            Type::Bool,
            "Whether the bucket stands in the path of URLs. Default: true with `endpoint`, else false.",
        ),
        Arg::optional(
            "requests_max",
            Type::Number,
            "How many requests run at once, at most 64. Default: 8.",
        ),
    ]);
    Schema {
        args,
        exports: Vec::new(),
    }
}

pub(crate) fn check(given: &mut Given<'_>) {
    drplan_aws::check(given);
    given.is_whole("requests_max", 1..=REQUESTS_MAX as i64);
}

impl Config {
    pub(crate) fn read(json: &Json, target: &str) -> Result<Self, ProviderError> {
        let aws = Args::read(json, "s3", target)?;
        let raw = match json {
            Json::Null => Some(Raw::default()),
            json => Raw::deserialize(json).ok(),
        };
        let raw =
            raw.ok_or_else(|| drplan_aws::invalid("s3", target, "an argument has the wrong type"))?;
        Ok(Self {
            path_style: raw.path_style.unwrap_or(aws.endpoint.is_some()),
            requests_max: raw
                .requests_max
                .unwrap_or(REQUESTS_DEFAULT)
                .clamp(1, REQUESTS_MAX),
            aws,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    #[test]
    fn arguments_are_read_and_bounded() {
        let config = Config::read(
            &json!({"endpoint": "http://x", "requests_max": 1000, "request_timeout": "1m30s"}),
            "s3.a",
        )
        .expect("a configuration");
        assert!(config.path_style);
        assert_eq!(config.requests_max, REQUESTS_MAX);
        assert_eq!(config.aws.request_timeout, Duration::from_secs(90));
    }
}
