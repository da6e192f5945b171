//! The arguments of a `provider "s3"` block.

use std::time::Duration;

use drplan_api::Arg;
use drplan_api::ErrorKind;
use drplan_api::Json;
use drplan_api::ProviderError;
use drplan_api::Schema;
use drplan_api::Type;
use serde::Deserialize;

/// How many requests run at once if the block does not say.
const REQUESTS_DEFAULT: usize = 8;
/// The most that a block may ask for.
const REQUESTS_MAX: usize = 64;
/// How long one request may take if the block does not say.
const REQUEST_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

/// The arguments as they stand in the spec. Has no `Debug`: it holds secrets.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Raw {
    region: Option<String>,
    endpoint: Option<String>,
    path_style: Option<bool>,
    profile: Option<String>,
    access_key: Option<String>,
    secret_key: Option<String>,
    session_token: Option<String>,
    requests_max: Option<usize>,
    request_timeout: Option<String>,
}

/// Keys that stand in the spec, in place of the usual chain.
pub(crate) struct Keys {
    pub(crate) access: String,
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
}

/// The arguments, checked. Has no `Debug`: it holds secrets.
pub(crate) struct Config {
    pub(crate) region: Option<String>,
    pub(crate) endpoint: Option<String>,
    pub(crate) path_style: bool,
    pub(crate) profile: Option<String>,
    pub(crate) keys: Option<Keys>,
    pub(crate) requests_max: usize,
    pub(crate) request_timeout: Duration,
}

pub(crate) fn schema() -> Schema {
    let text = |name, doc| Arg::optional(name, Type::String, doc);
    Schema {
        args: vec![
            text(
                "region",
                "The region. Without it, what the environment or the profile says.",
            ),
            text(
                "endpoint",
                "The URL of an object store that is not AWS: `https://s3.example`.",
            ),
            Arg::optional(
                "path_style",
                Type::Bool,
                "Whether the bucket stands in the path of URLs. Default: true with `endpoint`, else false.",
            ),
            text("profile", "The profile of the AWS configuration files."),
            text(
                "access_key",
                "The access key id. Without it, the usual AWS chain: environment, profile, SSO, web identity, instance role.",
            ),
            text("secret_key", "The secret key; give a sensitive value.").secret(),
            text(
                "session_token",
                "The token of temporary keys; give a sensitive value.",
            )
            .secret(),
            Arg::optional(
                "requests_max",
                Type::Number,
                "How many requests run at once, at most 64. Default: 8.",
            ),
            Arg::optional(
                "request_timeout",
                Type::Duration,
                "How long one request may take. Default: 30s.",
            ),
        ],
        exports: Vec::new(),
    }
}

impl Config {
    pub(crate) fn read(json: &Json, target: &str) -> Result<Self, ProviderError> {
        let invalid = |why: &str| {
            ProviderError::new(
                ErrorKind::Invalid,
                "read the arguments of an s3 provider",
                target,
            )
            .because(why)
        };
        // The decoder's own words may quote a value, which may be a secret.
        let raw: Option<Raw> = match json {
            Json::Null => Some(Raw::default()),
            json => Raw::deserialize(json).ok(),
        };
        let raw = raw.ok_or_else(|| invalid("an argument has the wrong type"))?;
        let keys = match (raw.access_key, raw.secret_key) {
            (Some(access), Some(secret)) => Some(Keys {
                access,
                secret,
                token: raw.session_token,
            }),
            (None, None) => None,
            _ => {
                return Err(
                    invalid("only one of `access_key` and `secret_key` is given")
                        .hint("give both, or neither to use the usual AWS chain"),
                );
            }
        };
        let request_timeout = match raw.request_timeout {
            None => REQUEST_TIMEOUT_DEFAULT,
            Some(text) => duration(&text)
                .ok_or_else(|| invalid("`request_timeout` is no length of time above zero"))?,
        };
        Ok(Self {
            path_style: raw.path_style.unwrap_or(raw.endpoint.is_some()),
            region: raw.region,
            endpoint: raw.endpoint,
            profile: raw.profile,
            keys,
            requests_max: raw
                .requests_max
                .unwrap_or(REQUESTS_DEFAULT)
                .clamp(1, REQUESTS_MAX),
            request_timeout,
        })
    }
}

fn duration(text: &str) -> Option<Duration> {
    let signed: jiff::SignedDuration = text.parse().ok()?;
    Duration::try_from(signed).ok().filter(|d| !d.is_zero())
}

#[cfg(test)]
mod tests {
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
        assert_eq!(config.request_timeout, Duration::from_secs(90));
    }

    #[test]
    fn a_broken_argument_is_named_without_its_value() {
        for broken in [
            json!({"access_key": "AKIASECRET"}),
            json!({"secret_key": ["AKIASECRET"]}),
            json!({"request_timeout": "AKIASECRET"}),
            json!({"request_timeout": "-3s"}),
        ] {
            let error = Config::read(&broken, "s3.a").err().expect("an error");
            assert_eq!(error.kind, ErrorKind::Invalid);
            assert!(!format!("{error:?}").contains("AKIASECRET"), "{error}");
        }
    }
}
