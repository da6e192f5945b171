//! The common arguments of a `provider` block, and the configuration they make.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::Region;
use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use aws_smithy_async::rt::sleep::TokioSleep;
use drplan_api::Arg;
use drplan_api::Doors;
use drplan_api::ErrorKind;
use drplan_api::Given;
use drplan_api::Json;
use drplan_api::PRIVATE_KEY;
use drplan_api::ProviderError;
use drplan_api::Type;
use serde::Deserialize;

use crate::http;

/// How long one request may take if the block does not say.
const REQUEST_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

/// The region in a private network if nobody names one.
const REGION_PRIVATE: &str = "us-east-1";

/// The arguments as they stand in the spec. Has no `Debug`: it holds secrets.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Raw {
    region: Option<String>,
    endpoint: Option<String>,
    profile: Option<String>,
    access_key: Option<String>,
    secret_key: Option<String>,
    session_token: Option<String>,
    request_timeout: Option<String>,
}

/// Keys that stand in the spec, in place of the usual chain. Has no `Debug`.
pub struct Keys {
    access: String,
    secret: String,
    token: Option<String>,
}

/// The arguments, checked. Has no `Debug`: it holds secrets.
pub struct Args {
    /// The region, if the block names one.
    pub region: Option<String>,
    /// The URL of a service that is not AWS.
    pub endpoint: Option<String>,
    /// How long one request may take.
    pub request_timeout: Duration,
    profile: Option<String>,
    keys: Option<Keys>,
}

/// Declares the common arguments.
pub fn arguments() -> Vec<Arg> {
    let text = |name, doc| Arg::optional(name, Type::String, doc);
    vec![
        text(
            "region",
            "The region. Without it, what the environment or the profile says.",
        ),
        text(
            "endpoint",
            "The URL of a service that is not AWS: `https://s3.example`.",
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
            "request_timeout",
            Type::Duration,
            "How long one request may take. Default: 30s.",
        ),
    ]
}

/// Refuses what can never be right among the common arguments.
pub fn check(given: &mut Given<'_>) {
    let hint = "give both, or neither to use the usual AWS chain";
    given.needs("access_key", "secret_key", hint);
    given.needs("secret_key", "access_key", hint);
    given.needs(
        "session_token",
        "access_key",
        "it belongs to temporary keys: give all three",
    );
    for name in ["region", "profile", "access_key"] {
        given.says_something(name);
    }
    let is_url = |text: &str| {
        let rest = text
            .strip_prefix("https://")
            .or(text.strip_prefix("http://"));
        rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && !rest.contains(' '))
    };
    given.is(
        "endpoint",
        is_url,
        "URL",
        "write for example \"https://s3.example\"",
    );
    given.is_length("request_timeout");
}

/// Refuses the arguments of a system's block.
pub fn invalid(system: &str, target: &str, why: &str) -> ProviderError {
    ProviderError::new(
        ErrorKind::Invalid,
        format!("read the arguments of a {system} provider"),
        target,
    )
    .because(why)
}

impl Args {
    /// Reads the common arguments among those of a block; others are the service's own.
    ///
    /// # Errors
    ///
    /// If one does not fit. It is named without its value.
    pub fn read(json: &Json, system: &str, target: &str) -> Result<Self, ProviderError> {
        let invalid = |why: &str| invalid(system, target, why);
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
            Some(text) => drplan_api::length(&text)
                .ok_or_else(|| invalid("`request_timeout` is no length of time above zero"))?,
        };
        Ok(Self {
            region: raw.region,
            endpoint: raw.endpoint,
            profile: raw.profile,
            keys,
            request_timeout,
        })
    }
}

/// Makes the configuration that a service's client is built from. The one layer of retries is the
/// engine's, so it has none. `region` is for a block that names none.
pub async fn load(args: &Args, region: Option<&str>, doors: &Doors) -> SdkConfig {
    if doors.network.is_some() {
        return private(args, region, doors);
    }
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http::client(doors))
        .time_source(http::Time(doors.clock.clone()))
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts(args));
    if let Some(keys) = &args.keys {
        loader = loader.credentials_provider(credentials(keys));
    }
    if let Some(profile) = &args.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = args.region.as_deref().or(region) {
        loader = loader.region(Region::new(region.to_owned()));
    }
    loader.load().await
}

/// The configuration in a private network: nothing of this machine's environment or files.
fn private(args: &Args, region: Option<&str>, doors: &Doors) -> SdkConfig {
    let (id, secret) = PRIVATE_KEY;
    let keys = match &args.keys {
        Some(keys) => credentials(keys),
        None => Credentials::new(id, secret, None, None, "private"),
    };
    let region = args.region.as_deref().or(region).unwrap_or(REGION_PRIVATE);
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .http_client(http::client(doors))
        .time_source(http::Time(doors.clock.clone()))
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts(args))
        .credentials_provider(SharedCredentialsProvider::new(keys))
        .region(Region::new(region.to_owned()))
        .build()
}

fn timeouts(args: &Args) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(args.request_timeout)
        .read_timeout(args.request_timeout)
        .operation_timeout(args.request_timeout)
        .build()
}

fn credentials(keys: &Keys) -> Credentials {
    let token = keys.token.clone();
    Credentials::new(&keys.access, &keys.secret, token, None, "spec")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_broken_argument_is_named_without_its_value() {
        for broken in [
            json!({"access_key": "AKIASECRET"}),
            json!({"access_key": "a", "secret_key": ["AKIASECRET"]}),
            json!({"request_timeout": "AKIASECRET"}),
            json!({"request_timeout": "-3s"}),
        ] {
            let error = Args::read(&broken, "s3", "s3.a").err().expect("an error");
            assert_eq!(error.kind, ErrorKind::Invalid);
            assert!(!format!("{error:?}").contains("AKIASECRET"), "{error}");
        }
    }

    #[test]
    fn no_block_is_a_block_without_arguments() {
        let args = Args::read(&Json::Null, "s3", "s3.default").expect("arguments");
        assert_eq!(args.request_timeout, REQUEST_TIMEOUT_DEFAULT);
    }
}
