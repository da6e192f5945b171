//! The arguments of a `provider "postgres"` block.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use drplan_api::Arg;
use drplan_api::ErrorKind;
use drplan_api::Json;
use drplan_api::Network;
use drplan_api::ProviderError;
use drplan_api::Schema;
use drplan_api::Type;
use serde::Deserialize;
use url::Url;

/// How long connecting may take if the block does not say.
const CONNECT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
/// How long one statement may take if the block does not say.
const STATEMENT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);
/// The port of a URL without one.
const PORT_DEFAULT: u16 = 5432;
/// The database for statements that belong to no database in particular.
const DATABASE_DEFAULT: &str = "postgres";
/// Where the value of `connection` is explained, without showing any part of it.
const FORM: &str = "write it as `postgres://user:password@host:port/database?sslmode=…`, with special \
                    characters in user and password percent-encoded";

/// The arguments as they stand in the spec. Has no `Debug`: it holds secrets.
#[derive(Deserialize)]
struct Raw {
    connection: String,
    ca: Option<String>,
    connect_timeout: Option<String>,
    statement_timeout: Option<String>,
}

/// Whether the connection is encrypted. Where it is, the server's certificate and name are always
/// verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    /// Never.
    Off,
    /// If the server offers it.
    IfOffered,
    /// Always.
    Required,
}

/// The arguments, checked. Has no `Debug`: it holds secrets.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: Option<String>,
    pub(crate) database: String,
    pub(crate) tls: Tls,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) connect_timeout: Duration,
    pub(crate) statement_timeout: Duration,
    /// Another network than this machine's.
    pub(crate) network: Option<Arc<dyn Network>>,
}

pub(crate) fn schema() -> Schema {
    Schema {
        args: vec![
            Arg::required(
                "connection",
                Type::String,
                "`postgres://user:password@host:port/database?sslmode=…`; a secret. The database is \
                 used for statements that belong to none in particular. `sslmode` is `disable`, \
                 `prefer` (the default), or `require`, `verify-ca` or `verify-full`, which all three \
                 verify certificate and name.",
            )
            .secret(),
            Arg::optional(
                "ca",
                Type::String,
                "A PEM file with the authorities to trust instead of the system's.",
            ),
            Arg::optional(
                "connect_timeout",
                Type::Duration,
                "How long connecting may take; `\"10s\"` if not given.",
            ),
            Arg::optional(
                "statement_timeout",
                Type::Duration,
                "How long one statement of observing or renaming may take; `\"60s\"` if not given. \
                 It does not bound `pg_restore` or the counts of a proof.",
            ),
        ],
        exports: Vec::new(),
    }
}

impl Config {
    /// Checks the arguments. Errors show no part of the connection's text.
    pub(crate) fn read(json: &Json, at: &str, base_dir: &Path) -> Result<Self, ProviderError> {
        let invalid = |why: &str| {
            ProviderError::new(ErrorKind::Invalid, "read the arguments", at.to_owned()).because(why)
        };
        // What serde says of a wrong type can quote the value.
        let raw = Raw::deserialize(json).map_err(|_| {
            invalid("an argument is missing or has the wrong type").hint(
                "give `connection` and, if you like, `ca`, `connect_timeout` and \
                 `statement_timeout`, each as text",
            )
        })?;
        let mut config = read_url(&raw.connection).map_err(|why| invalid(why).hint(FORM))?;
        let time = |name: &str, text: Option<String>, default| match text {
            None => Ok(default),
            Some(text) => drplan_api::length(&text)
                .ok_or_else(|| invalid(&format!("`{name}` is no length of time above zero"))),
        };
        config.connect_timeout = time(
            "connect_timeout",
            raw.connect_timeout,
            CONNECT_TIMEOUT_DEFAULT,
        )?;
        config.statement_timeout = time(
            "statement_timeout",
            raw.statement_timeout,
            STATEMENT_TIMEOUT_DEFAULT,
        )?;
        if let Some(ca) = raw.ca {
            config.ca = Some(base_dir.join(ca));
        }
        Ok(config)
    }

    /// Names the server without user or password.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

fn read_url(text: &str) -> Result<Config, &'static str> {
    let url = Url::parse(text).map_err(|_| "`connection` is no URL")?;
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        return Err("the scheme of `connection` is not `postgres`");
    }
    let host = url.host_str().filter(|host| !host.is_empty());
    let host = host.ok_or("`connection` names no host")?;
    let user = decoded(url.username())?;
    if user.is_empty() {
        return Err("`connection` names no user");
    }
    let password = url.password().map(decoded).transpose()?;
    let database = decoded(url.path().trim_start_matches('/'))?;
    let mut config = Config {
        host: host.trim_matches(['[', ']']).to_owned(),
        port: url.port().unwrap_or(PORT_DEFAULT),
        user,
        password,
        database: if database.is_empty() {
            DATABASE_DEFAULT.to_owned()
        } else {
            database
        },
        tls: Tls::IfOffered,
        ca: None,
        connect_timeout: CONNECT_TIMEOUT_DEFAULT,
        statement_timeout: STATEMENT_TIMEOUT_DEFAULT,
        network: None,
    };
    for (name, value) in url.query_pairs() {
        match (&*name, &*value) {
            ("sslmode", "disable") => config.tls = Tls::Off,
            ("sslmode", "prefer") => config.tls = Tls::IfOffered,
            ("sslmode", "require" | "verify-ca" | "verify-full") => config.tls = Tls::Required,
            ("sslmode", _) => {
                return Err(
                    "`sslmode` in `connection` is none of `disable`, `prefer`, `require`, \
                     `verify-ca` and `verify-full`",
                );
            }
            ("sslrootcert", path) => config.ca = Some(PathBuf::from(path)),
            _ => {
                return Err("`connection` has a parameter other than `sslmode` and `sslrootcert`");
            }
        }
    }
    Ok(config)
}

/// Undoes percent-encoding.
fn decoded(text: &str) -> Result<String, &'static str> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err("`connection` has a `%` that begins no percent-encoded character");
        };
        bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
    }
    String::from_utf8(bytes).map_err(|_| "`connection` is not UTF-8 behind its percent-encoding")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(json: &Json) -> Result<Config, ProviderError> {
        Config::read(json, "postgres.site", Path::new("/spec"))
    }

    #[test]
    fn a_url_is_taken_apart() {
        let url = "postgres://me:p%40ss%2Fword@db.example:6000/shop?sslmode=verify-full";
        let config = read(&json!({"connection": url, "ca": "ca.pem", "connect_timeout": "3s"}))
            .map_err(|e| e.to_string())
            .unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(config.place(), "db.example:6000");
        assert_eq!(config.password.as_deref(), Some("p@ss/word"));
        assert_eq!(
            (config.user.as_str(), config.database.as_str()),
            ("me", "shop")
        );
        assert_eq!(config.tls, Tls::Required);
        assert_eq!(config.ca, Some(PathBuf::from("/spec/ca.pem")));
        assert_eq!(config.connect_timeout, Duration::from_secs(3));
        let short = read(&json!({"connection": "postgresql://me@h"}))
            .map_err(|e| e.to_string())
            .unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((short.port, short.database.as_str()), (5432, "postgres"));
        assert_eq!(short.tls, Tls::IfOffered);
    }

    #[test]
    fn no_part_of_a_wrong_connection_shows_in_the_error() {
        for text in [
            "hunter2-secret",
            "postgres://me:hunter2-secret@:port/x",
            "mysql://me:hunter2-secret@h/x",
            "postgres://me:%zzhunter2-secret@h/x",
            "postgres://me:x@h/db?hunter2-secret=1",
            "postgres://me:x@h/db?sslmode=hunter2-secret",
        ] {
            let error = read(&json!({"connection": text})).err().expect("an error");
            assert_eq!(error.kind, ErrorKind::Invalid);
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
        let error = read(&json!({"connection": ["hunter2-secret"]}))
            .err()
            .expect("an error");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}
