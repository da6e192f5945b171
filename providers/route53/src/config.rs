//! The arguments of a `provider "route53"` block.

use std::time::Duration;

use drplan_api::Arg;
use drplan_api::ErrorKind;
use drplan_api::Json;
use drplan_api::ProviderError;
use drplan_api::Schema;
use drplan_api::Type;
use serde::Deserialize;

/// How long one request may take if the block does not say.
const REQUEST_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

/// The arguments as they stand in the spec. Has no `Debug`: it holds secrets.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Arguments {
    region: Option<String>,
    endpoint: Option<String>,
    access_key: Option<String>,
    secret_key: Option<String>,
    profile: Option<String>,
    request_timeout: Option<String>,
}

/// The arguments, checked. Has no `Debug`: it holds secrets.
pub(crate) struct Config {
    pub(crate) region: Option<String>,
    pub(crate) endpoint: Option<String>,
    pub(crate) keys: Option<(String, String)>,
    pub(crate) profile: Option<String>,
    pub(crate) request_timeout: Duration,
}

/// Declares the arguments.
pub(crate) fn schema() -> Schema {
    let text = |name, doc| Arg::optional(name, Type::String, doc);
    Schema {
        args: vec![
            text(
                "region",
                "The region that requests are signed for. Default: us-east-1, where Route 53 is.",
            ),
            text("endpoint", "The URL of a service that is not AWS."),
            text(
                "access_key",
                "The access key id. Without it, the usual AWS chain: environment, profile, SSO, web identity, instance role.",
            ),
            text("secret_key", "The secret key; give a sensitive value.").secret(),
            text("profile", "The profile of the AWS configuration files."),
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
    /// Reads the arguments. Values are never repeated in errors: they may be secrets.
    pub(crate) fn read(json: &Json, target: &str) -> Result<Self, ProviderError> {
        let invalid = |why: &str| {
            ProviderError::new(
                ErrorKind::Invalid,
                "read the arguments of a route53 provider",
                target,
            )
            .because(why)
        };
        let given = match json {
            Json::Null => Some(Arguments::default()),
            json => Arguments::deserialize(json).ok(),
        };
        let given = given.ok_or_else(|| invalid("an argument has the wrong type"))?;
        let keys = match (given.access_key, given.secret_key) {
            (Some(access), Some(secret)) => Some((access, secret)),
            (None, None) => None,
            _ => {
                return Err(
                    invalid("only one of `access_key` and `secret_key` is given")
                        .hint("give both, or neither to use the usual AWS chain"),
                );
            }
        };
        let request_timeout = match given.request_timeout {
            None => REQUEST_TIMEOUT_DEFAULT,
            Some(text) => above_zero(&text)
                .ok_or_else(|| invalid("`request_timeout` is no length of time above zero"))?,
        };
        Ok(Self {
            region: given.region,
            endpoint: given.endpoint,
            keys,
            profile: given.profile,
            request_timeout,
        })
    }
}

fn above_zero(text: &str) -> Option<Duration> {
    let signed: jiff::SignedDuration = text.parse().ok()?;
    Duration::try_from(signed).ok().filter(|d| !d.is_zero())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_broken_argument_is_named_without_its_value() {
        for broken in [
            json!({"access_key": "SECRET"}),
            json!({"secret_key": ["SECRET"]}),
            json!({"request_timeout": "SECRET"}),
        ] {
            let error = Config::read(&broken, "route53.a").err().expect("an error");
            assert_eq!(error.kind, ErrorKind::Invalid);
            assert!(!format!("{error:?}").contains("SECRET"), "{error}");
        }
    }
}
