//! What a system must allow somebody to do, in the system's own words.

use serde::Deserialize;
use serde::Serialize;

/// One thing that somebody must be allowed to do on one target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Right {
    /// To what: `deployments.apps`, `arn:aws:s3:::backups/site/*`, `database "shop"`.
    pub on: String,
    /// Within what, where the system divides itself: a namespace. `None` for all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<String>,
    /// What: `list`, `s3:GetObject`, `CREATEDB`.
    pub verb: String,
    /// The one object that is meant; `None` for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Right {
    /// Makes a right to do something to all of a sort, everywhere.
    pub fn new(verb: impl Into<String>, on: impl Into<String>) -> Self {
        Self {
            on: on.into(),
            within: None,
            verb: verb.into(),
            name: None,
        }
    }

    /// Limits it to a part of the system.
    #[must_use]
    pub fn within(mut self, part: Option<&str>) -> Self {
        self.within = part.map(str::to_owned);
        self
    }

    /// Limits it to one object.
    #[must_use]
    pub fn named(mut self, name: Option<&str>) -> Self {
        self.name = name.map(str::to_owned);
        self
    }
}

impl std::fmt::Display for Right {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.verb, self.on)?;
        if let Some(name) = &self.name {
            write!(f, " `{name}`")?;
        }
        match &self.within {
            Some(within) => write!(f, " in `{within}`"),
            None => Ok(()),
        }
    }
}

/// What a system answers to the question whether it allows something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether it does.
    pub allowed: bool,
    /// What it says about it; often empty.
    pub why: String,
}
