//! How a server is set up.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use drplan_api::Clock;

use crate::trouble::Troubles;
use crate::trouble::Weather;

/// Extensions that every installation brings along.
const EXTENSIONS: [&str; 12] = [
    "btree_gin",
    "btree_gist",
    "citext",
    "fuzzystrmatch",
    "hstore",
    "ltree",
    "pg_stat_statements",
    "pg_trgm",
    "pgcrypto",
    "plpgsql",
    "unaccent",
    "uuid-ossp",
];

/// How a server is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// What time it is.
    pub clock: Clock,
    /// The number that tells servers apart.
    pub system_identifier: u64,
    /// The major and minor version, of the server and of the client programs.
    pub version: (u32, u32),
    /// Who may come in.
    pub roles: Vec<Role>,
    /// Extensions that can be created.
    pub extensions: BTreeSet<String>,
    /// How many sessions there may be at once.
    pub connections_max: usize,
    /// What takes how long.
    pub pace: Pace,
    /// What goes wrong.
    pub(crate) weather: Weather,
}

/// A role. Its password does not show in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Its password; it comes in without one if it has none.
    pub password: Option<String>,
    /// Whether it can come in at all.
    pub login: bool,
    /// Whether it may do everything.
    pub superuser: bool,
    /// Whether it may make databases.
    pub create_databases: bool,
}

/// What takes how long, in the time of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// One statement.
    pub statement: Duration,
    /// One entry of an archive that is no data.
    pub entry: Duration,
    /// How many bytes of data one job restores in a second.
    pub bytes_per_s: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            statement: Duration::from_millis(2),
            entry: Duration::from_millis(20),
            bytes_per_s: 20 * 1024 * 1024,
        }
    }
}

impl Pace {
    /// How long data takes.
    pub(crate) fn data(self, bytes: u64) -> Duration {
        let rate = self.bytes_per_s.max(1);
        let rest = (bytes % rate).saturating_mul(1_000_000) / rate;
        Duration::from_secs(bytes / rate) + Duration::from_micros(rest)
    }
}

impl Options {
    /// A server of PostgreSQL 17 with the superuser `postgres` and the pace of a small machine.
    #[must_use]
    pub fn new(clock: Clock, system_identifier: u64) -> Self {
        Self {
            clock,
            system_identifier,
            version: (17, 6),
            roles: vec![Role::superuser("postgres", None)],
            extensions: EXTENSIONS.iter().map(|&name| name.to_owned()).collect(),
            connections_max: 100,
            pace: Pace::default(),
            weather: Weather::default(),
        }
    }

    /// Lets things go wrong.
    #[must_use]
    pub fn troubled(mut self, troubles: Arc<dyn Troubles>) -> Self {
        self.weather = Weather::of(troubles);
        self
    }
}

impl Role {
    /// A role that may do everything.
    #[must_use]
    pub fn superuser(name: &str, password: Option<&str>) -> Self {
        Self {
            name: name.to_owned(),
            password: password.map(str::to_owned),
            login: true,
            superuser: true,
            create_databases: true,
        }
    }

    /// A role that only owns things and cannot come in.
    #[must_use]
    pub fn group(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            password: None,
            login: false,
            superuser: false,
            create_databases: false,
        }
    }
}

impl fmt::Debug for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Role")
            .field("name", &self.name)
            .field("login", &self.login)
            .field("superuser", &self.superuser)
            .field("create_databases", &self.create_databases)
            .finish_non_exhaustive()
    }
}
