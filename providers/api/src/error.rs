//! How the world fails, sorted by what can be done about it.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;

/// What sort of failure it was; the engine's one retry layer decides by this alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The thing asked for is not there (an object, a key, a database).
    NotFound,
    /// The type or collection asked for is not there (a CRD that is not installed).
    NoSuchType,
    /// Somebody else changed it first, or it holds what we did not expect.
    Conflict,
    /// The credentials are wrong or the rights are missing.
    Denied,
    /// The other side asked to slow down.
    Throttled {
        /// How long the other side asked to wait, if it said so.
        after_ms: Option<u64>,
    },
    /// No answer: refused, reset, timed out, 502, 503, 504.
    Unreachable,
    /// The other side understood and refused; trying again changes nothing.
    Invalid,
    /// What came back is not what it should be (a corrupt archive, a truncated file).
    Corrupt,
    /// A broken promise of drplan itself.
    Bug,
}

impl ErrorKind {
    /// Says in a word or two what happened.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::NotFound => "not found",
            Self::NoSuchType => "no such type",
            Self::Conflict => "somebody else holds it",
            Self::Denied => "denied",
            Self::Throttled { .. } => "asked to slow down",
            Self::Unreachable => "no answer",
            Self::Invalid => "refused",
            Self::Corrupt => "it could not be read",
            Self::Bug => "a mistake of drplan",
        }
    }
}

/// A failure of the world, with everything that a person needs to act on it.
///
/// `during`, `target` and `why` are fragments without a full stop; `why` holds the chain of causes,
/// outermost first. No field ever holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderError {
    /// What sort of failure it was.
    pub kind: ErrorKind,
    /// What was being done: "list `deployments.apps`".
    pub during: String,
    /// Where: a URL without credentials, a bucket, a connection.
    pub target: String,
    /// The chain of causes, outermost first.
    pub why: Vec<String>,
    /// What to do next, imperative.
    pub hint: Option<String>,
}

/// What is being done when a secret is opened.
const SECRET_OPENED: &str = "open a secret";

impl ProviderError {
    /// That a secret is not there, before anybody was asked anything.
    pub fn missing_secret(of: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, SECRET_OPENED, of)
    }

    /// Whether a secret is not there.
    pub fn is_missing_secret(&self) -> bool {
        self.during == SECRET_OPENED
    }

    /// Makes an error; add causes with [`Self::because`] and a way out with [`Self::hint`].
    pub fn new(kind: ErrorKind, during: impl Into<String>, target: impl Into<String>) -> Self {
        Self {
            kind,
            during: during.into(),
            target: target.into(),
            why: Vec::new(),
            hint: None,
        }
    }

    /// Adds one cause.
    #[must_use]
    pub fn because(mut self, why: impl Into<String>) -> Self {
        self.why.push(why.into());
        self
    }

    /// Adds a whole chain of causes, leaving out links that only repeat the one before.
    #[must_use]
    pub fn caused_by(mut self, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(e) = next {
            let text = e.to_string();
            if !self.why.last().is_some_and(|last| last.contains(&text)) {
                self.why.push(text);
            }
            next = e.source();
        }
        self
    }

    /// Says what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Tells whether the same request may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::Unreachable | ErrorKind::Throttled { .. }
        )
    }
}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed to {} ({})", self.during, self.target)?;
        for why in &self.why {
            write!(f, ": {why}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ProviderError {}
