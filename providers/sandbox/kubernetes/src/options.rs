//! What a cluster is made with.

use std::collections::BTreeMap;
use std::fmt;

use drplan_api::Clock;
use drplan_sandbox_controllers::Settings;
use serde_json::Value;
use sha2::Digest as _;
use sha2::Sha256;

/// The version that a cluster shows by default: that of the real server it is compared with.
pub const VERSION: &str = "v1.35.4";

/// How many changes of each resource are kept by default.
const HISTORY_CHANGES: usize = 4_096;

/// The address of the API server itself, out of a range for documentation; nothing calls it.
const ADVERTISED: &str = "192.0.2.1:443";

/// What a cluster is made with.
#[derive(Clone)]
pub struct ClusterOptions {
    /// The name, for the kubeconfig and the nodes' zone.
    pub name: String,
    /// Where uids and generated names come from.
    pub seed: u64,
    /// What tokens of service accounts are signed with. It comes from the seed unless somebody sets
    /// it: whoever lets others reach the cluster should, for a seed is no secret.
    pub token_key: [u8; 32],
    /// What time it is.
    pub clock: Clock,
    /// The version that the server shows, such as `v1.35.4`.
    pub version: String,
    /// How many nodes it has.
    pub nodes: usize,
    /// Who may call it.
    pub rights: Rights,
    /// How many changes of each resource can be watched afterwards.
    pub history: usize,
    /// `host:port` of the server, as discovery and the Service `kubernetes` show it.
    pub advertised: String,
    /// Whether [`crate::Cluster::start`] runs what a controller manager, a scheduler and kubelets
    /// do. Without it the API server is alone: types come and go, nothing else happens by itself.
    pub controllers: bool,
    /// What its controllers are told.
    pub settings: Settings,
}

impl ClusterOptions {
    /// A cluster with one node, an administrator with the token `admin` and nothing else.
    #[must_use]
    pub fn new(name: &str, seed: u64, clock: Clock) -> Self {
        Self {
            name: name.to_owned(),
            seed,
            token_key: Sha256::digest(seed.to_be_bytes()).into(),
            clock,
            version: VERSION.to_owned(),
            nodes: 1,
            rights: Rights::default().token("admin", User::admin()),
            history: HISTORY_CHANGES,
            advertised: ADVERTISED.to_owned(),
            controllers: true,
            settings: Settings {
                seed,
                ..Settings::default()
            },
        }
    }
}

impl fmt::Debug for ClusterOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterOptions")
            .field("name", &self.name)
            .field("seed", &self.seed)
            .field("version", &self.version)
            .field("nodes", &self.nodes)
            .finish_non_exhaustive()
    }
}

/// Somebody who calls the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The user name, as rights and the audit name it.
    pub name: String,
    /// The groups. Whoever is known also is in `system:authenticated`.
    pub groups: Vec<String>,
}

impl User {
    /// A user in these groups.
    #[must_use]
    pub fn new(name: &str, groups: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        }
    }

    /// A user who may do everything.
    #[must_use]
    pub fn admin() -> Self {
        Self::new("admin", &["system:masters"])
    }

    /// Whoever shows no credentials.
    pub(crate) fn anonymous() -> Self {
        Self::new("system:anonymous", &["system:unauthenticated"])
    }

    pub(crate) fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|known| known == group)
            || (group == "system:authenticated" && !self.is_anonymous())
    }

    fn is_anonymous(&self) -> bool {
        self.groups.iter().any(|g| g == "system:unauthenticated")
    }
}

/// Who may call the API, by bearer token, and what the roles that come with the cluster allow them.
///
/// What a user may do is decided by the Roles and bindings in the cluster, as in life; `rules` only
/// makes a ClusterRole and a binding for a user from the beginning.
#[derive(Clone, Default)]
pub struct Rights {
    tokens: BTreeMap<String, User>,
    rules: BTreeMap<String, Vec<Value>>,
}

impl Rights {
    /// Lets whoever shows the token be the user.
    #[must_use]
    pub fn token(mut self, token: &str, user: User) -> Self {
        self.tokens.insert(token.to_owned(), user);
        self
    }

    /// Gives a user rules, in the form that ClusterRoles have.
    #[must_use]
    pub fn rules(mut self, user: &str, rules: Vec<Value>) -> Self {
        self.rules.entry(user.to_owned()).or_default().extend(rules);
        self
    }

    pub(crate) fn user(&self, token: &str) -> Option<&User> {
        self.tokens.get(token)
    }

    pub(crate) fn token_of(&self, user: &str) -> Option<&str> {
        self.tokens
            .iter()
            .find(|(_, known)| known.name == user)
            .map(|(token, _)| token.as_str())
    }

    pub(crate) fn granted(&self) -> impl Iterator<Item = (&str, &[Value])> {
        self.rules
            .iter()
            .map(|(user, rules)| (user.as_str(), rules.as_slice()))
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let users: Vec<_> = self.tokens.values().map(|user| &user.name).collect();
        f.debug_struct("Rights")
            .field("users", &users)
            .finish_non_exhaustive()
    }
}
