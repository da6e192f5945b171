//! Who may ask: access keys, their secrets and what they are allowed to do.

use std::fmt;

use super::operation::Operation;

/// What an identity may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rights {
    /// Every operation.
    Change,
    /// Operations that change nothing.
    Read,
}

impl Rights {
    pub(crate) fn allow(self, operation: Operation) -> bool {
        match self {
            Self::Change => true,
            Self::Read => !operation.changes(),
        }
    }
}

/// One pair of access key and secret, with a name for messages and the log.
#[derive(Clone)]
pub struct Identity {
    name: String,
    access_key: String,
    secret_key: String,
    session_token: Option<String>,
    rights: Rights,
}

impl Identity {
    /// Makes an identity that may do everything.
    pub fn new(
        name: impl Into<String>,
        access_key: impl Into<String>,
        secret_key: impl Into<String>,
    ) -> Self {
        Self {
            name: name.into(),
            access_key: access_key.into(),
            secret_key: secret_key.into(),
            session_token: None,
            rights: Rights::Change,
        }
    }

    /// Sets what the identity may do.
    #[must_use]
    pub fn rights(mut self, rights: Rights) -> Self {
        self.rights = rights;
        self
    }

    /// Makes the identity a temporary one, whose requests must carry this token.
    #[must_use]
    pub fn session_token(mut self, token: impl Into<String>) -> Self {
        self.session_token = Some(token.into());
        self
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn access_key(&self) -> &str {
        &self.access_key
    }

    pub(crate) fn secret(&self) -> &str {
        &self.secret_key
    }

    pub(crate) fn token(&self) -> Option<&str> {
        self.session_token.as_deref()
    }

    pub(crate) fn may(&self, operation: Operation) -> bool {
        self.rights.allow(operation)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("name", &self.name)
            .field("access_key", &self.access_key)
            .field("rights", &self.rights)
            .finish_non_exhaustive()
    }
}
