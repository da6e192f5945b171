//! What goes wrong with a server. Whoever makes it decides when; here is only what it looks like.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::SqlError;

/// Decides what goes wrong. Without one, nothing does.
pub trait Troubles: Send + Sync {
    /// Somebody comes in.
    fn on_connect(&self) -> Option<Unready>;
    /// A session runs statements, which `what` names.
    fn on_statement(&self, what: &str) -> Option<Interruption>;
    /// A `pg_restore` begins: in which part of its work it is killed, from 0 to 1, if it is.
    fn on_restore(&self) -> Option<f64>;
}

/// Why a server lets nobody in yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unready {
    /// It is about to start.
    Starting,
    /// It takes so long to answer.
    Slow(Duration),
}

/// What happens to a session while it runs statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// The connection breaks before the server does anything.
    ResetBefore,
    /// The server does it all, commits included, and the answer is lost.
    ResetAfter,
    /// An administrator ends the session before it does anything.
    Terminated,
    /// The answer takes so long.
    Slow(Duration),
}

/// The troubles of a server, if it has any.
#[derive(Clone, Default)]
pub(crate) struct Weather(Option<Arc<dyn Troubles>>);

impl Weather {
    pub(crate) fn of(troubles: Arc<dyn Troubles>) -> Self {
        Self(Some(troubles))
    }

    pub(crate) fn on_connect(&self) -> Option<Unready> {
        self.0.as_ref()?.on_connect()
    }

    pub(crate) fn on_statement(&self, what: &str) -> Option<Interruption> {
        self.0.as_ref()?.on_statement(what)
    }

    pub(crate) fn on_restore(&self) -> Option<f64> {
        self.0.as_ref()?.on_restore()
    }
}

impl fmt::Debug for Weather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.0 {
            Some(_) => "troubled",
            None => "calm",
        };
        f.write_str(what)
    }
}

/// How a server that is about to start refuses everybody.
pub(crate) fn starting() -> SqlError {
    SqlError::new("57P03", "the database system is starting up")
}

/// What a session is told that an administrator ends.
pub(crate) fn terminated() -> SqlError {
    SqlError::new(
        "57P01",
        "terminating connection due to administrator command",
    )
}
