//! What is known about the world at one instant: answers to queries, and the state of each target.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Address;
use crate::ConnId;
use crate::ErrorKind;
use crate::Json;
use crate::ProviderError;
use crate::TargetId;
use crate::canonical;

/// A question to a connection, as ordered data: equal questions of different resources are one
/// request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ask {
    /// What is asked, in the words of the system: `list`, `get`, `keys`, `velero_archive`.
    pub op: String,
    /// The arguments as canonical JSON.
    pub args: String,
}

impl Ask {
    /// Makes a question.
    pub fn new(op: impl Into<String>, args: &impl Serialize) -> Self {
        let json = serde_json::to_value(args).unwrap_or(Json::Null);
        Self {
            op: op.into(),
            args: canonical(&json),
        }
    }

    /// Reads the arguments back.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Bug`] if they are not what the system expects.
    pub fn args<T: DeserializeOwned>(&self) -> Result<T, ProviderError> {
        serde_json::from_str(&self.args).map_err(|e| {
            ProviderError::new(
                ErrorKind::Bug,
                format!("read the question `{}`", self.op),
                "drplan",
            )
            .caused_by(&e)
        })
    }
}

/// A question together with whom it is asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Query {
    /// Whom.
    pub conn: ConnId,
    /// What.
    pub ask: Ask,
}

impl Query {
    /// Makes a query.
    pub fn new(conn: &ConnId, op: impl Into<String>, args: &impl Serialize) -> Self {
        Self {
            conn: conn.clone(),
            ask: Ask::new(op, args),
        }
    }
}

/// The parsed answer to a query, or why there is none. Secrets inside are replaced by the connection
/// with salted digests that are equal only within one process.
pub type Answer = Result<Arc<Json>, ProviderError>;

/// What is known about one target.
#[derive(Clone, Debug, PartialEq)]
pub enum TargetState {
    /// It answers; this is who it is.
    Ready(TargetId),
    /// Steps of this plan make it; until then nothing of it can be read, and that is no error.
    NotYet {
        /// The steps that its arguments come from.
        made_by: Vec<Address>,
    },
    /// A person declared it lost; nothing of it is read.
    Lost {
        /// The failure domain that was declared.
        domain: String,
    },
    /// It should answer and does not.
    Unreadable(ProviderError),
}

/// Everything that was read. Planning is a function of this.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The state of each target that was tried.
    pub targets: BTreeMap<ConnId, TargetState>,
    /// The answers.
    pub answers: BTreeMap<Query, Answer>,
}

/// A kind asked for something that has not been fetched yet; it is called again when it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending;

/// A kind's view of the facts, which notes what is missing.
#[derive(Debug)]
pub struct View<'a> {
    facts: &'a Facts,
    missing: RefCell<BTreeSet<Query>>,
    unasked: RefCell<BTreeSet<ConnId>>,
}

impl<'a> View<'a> {
    /// Makes a view.
    pub fn new(facts: &'a Facts) -> Self {
        Self {
            facts,
            missing: RefCell::default(),
            unasked: RefCell::default(),
        }
    }

    /// Returns the answer to a query, or notes that it must be fetched.
    ///
    /// Ask for everything that is needed before the first `?` to save rounds: see [`Self::want`].
    ///
    /// # Errors
    ///
    /// [`Pending`] if it has not been fetched yet.
    pub fn get(&self, query: &Query) -> Result<&'a Answer, Pending> {
        self.peek(query).ok_or_else(|| {
            self.missing.borrow_mut().insert(query.clone());
            Pending
        })
    }

    /// Notes that the answer to a query will be needed, without needing it now.
    pub fn want(&self, query: &Query) {
        if self.peek(query).is_none() {
            self.missing.borrow_mut().insert(query.clone());
        }
    }

    /// Returns the answer to a query if it is there.
    pub fn peek(&self, query: &Query) -> Option<&'a Answer> {
        self.facts.answers.get(query)
    }

    /// Returns the state of a target.
    ///
    /// # Errors
    ///
    /// [`Pending`] if it has not been tried yet.
    pub fn target(&self, conn: &ConnId) -> Result<&'a TargetState, Pending> {
        self.peek_target(conn).ok_or_else(|| {
            self.unasked.borrow_mut().insert(conn.clone());
            Pending
        })
    }

    /// Returns the state of a target if it has been tried.
    pub fn peek_target(&self, conn: &ConnId) -> Option<&'a TargetState> {
        self.facts.targets.get(conn)
    }

    /// Returns the queries that were asked for and are missing, and the targets not yet tried.
    pub fn missing(self) -> (BTreeSet<Query>, BTreeSet<ConnId>) {
        (self.missing.into_inner(), self.unasked.into_inner())
    }
}
