//! Sees what reaches the world, and may cut it off: how a test lets the one who asks die at a point
//! that it chose.

use std::sync::Arc;
use std::sync::OnceLock;

use drplan_api::process::Program;
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
    /// What it brought; nothing of one that only reads.
    pub body: &'a [u8],
}

/// What became of a request that had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was answered.
    Answered(StatusCode),
    /// It was served, and its answer, or a part of it, does not arrive.
    Lost(StatusCode),
    /// Its connection broke before it was served.
    Broken,
}

/// Somebody who looks at a world from outside. Is called within requests: it must not block.
pub trait Witness: Send + Sync {
    /// A request has come; `false` breaks its connection before the server sees it.
    fn comes(&self, request: Request<'_>) -> bool;
    /// The world is done with it; `false` breaks its connection before the answer leaves.
    fn leaves(&self, request: Request<'_>, fate: Fate) -> bool;
    /// A program is about to start; `false`: it does not, and whoever wanted it hears nothing more.
    fn starts(&self, program: &Program) -> bool;
    /// It ended, with this exit code if it came so far.
    fn ends(&self, program: &Program, code: Option<i32>);
}

/// The place of at most one witness. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Gallery(Arc<OnceLock<Arc<dyn Witness>>>);

impl Gallery {
    /// Lets somebody in, if the place is free.
    pub(super) fn admit(&self, witness: Arc<dyn Witness>) {
        self.0.set(witness).ok();
    }

    /// Tells the witness, if there is one.
    pub(super) fn tell(&self, what: impl FnOnce(&dyn Witness)) {
        if let Some(witness) = self.0.get() {
            what(&**witness);
        }
    }

    /// Asks the witness; without one, everything goes on.
    pub(super) fn ask(&self, question: impl FnOnce(&dyn Witness) -> bool) -> bool {
        self.0.get().is_none_or(|witness| question(&**witness))
    }
}
