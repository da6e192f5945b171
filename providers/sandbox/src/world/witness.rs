//! Sees what reaches the world, and may cut it off: how a test lets the one who asks die at a point
//! that it chose.

use std::sync::Arc;
use std::sync::OnceLock;

use http::Method;
use http::StatusCode;
use http::Uri;

/// A request that reached a server of the world which speaks HTTP.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The host, as it was dialled.
    pub host: &'a str,
    /// The method.
    pub method: &'a Method,
    /// Path and query.
    pub uri: &'a Uri,
}

/// Somebody who looks at a world from outside. Is called within requests: it must not block.
pub trait Witness: Send + Sync {
    /// A request has come; `false` breaks its connection before the server sees it.
    fn comes(&self, request: Request<'_>) -> bool;
    /// It was served; `false` breaks its connection before the answer leaves.
    fn leaves(&self, request: Request<'_>, status: StatusCode) -> bool;
    /// A program is about to start; `false`: it does not, and whoever wanted it hears nothing more.
    fn starts(&self, argv: &[String]) -> bool;
}

/// The place of at most one witness. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Gallery(Arc<OnceLock<Arc<dyn Witness>>>);

impl Gallery {
    /// Lets somebody in, if the place is free.
    pub(super) fn admit(&self, witness: Arc<dyn Witness>) {
        self.0.set(witness).ok();
    }

    /// Asks the witness; without one, everything goes on.
    pub(super) fn ask(&self, question: impl FnOnce(&dyn Witness) -> bool) -> bool {
        self.0.get().is_none_or(|witness| question(&**witness))
    }
}
