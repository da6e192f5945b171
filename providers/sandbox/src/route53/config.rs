//! What a server starts with.

use std::fmt;
use std::path::PathBuf;

use drplan_api::Clock;

use super::change::Convergence;
use super::identity::Identity;

/// What a server starts with.
#[derive(Clone)]
pub struct Config {
    /// The access key of the identity that may do everything.
    pub access_key: String,
    /// Its secret.
    pub secret_key: String,
    /// Further identities.
    pub identities: Vec<Identity>,
    /// When changes turn in sync.
    pub convergence: Convergence,
    /// Where the time is read.
    pub clock: Clock,
    /// Where zones and changes are kept across restarts; without it they end with the process.
    pub state_file: Option<PathBuf>,
}

impl Config {
    /// Makes a configuration with one identity, changes that are found pending once, the
    /// system's clock and no state file.
    pub fn new(access_key: impl Into<String>, secret_key: impl Into<String>) -> Self {
        Self {
            access_key: access_key.into(),
            secret_key: secret_key.into(),
            identities: Vec::new(),
            convergence: Convergence::AfterPolls(1),
            clock: Clock::system(),
            state_file: None,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("access_key", &self.access_key)
            .field("identities", &self.identities)
            .field("convergence", &self.convergence)
            .field("clock", &self.clock)
            .field("state_file", &self.state_file)
            .finish_non_exhaustive()
    }
}
