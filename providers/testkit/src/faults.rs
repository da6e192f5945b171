//! Requests that fail once, for servers and for connections.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::extract::Request;
use axum::extract::State;
use axum::middleware;
use axum::middleware::Next;
use axum::response::IntoResponse as _;
use axum::response::Response;
use drplan_api::Answer;
use drplan_api::Ask;
use drplan_api::Conn;
use drplan_api::ErrorKind;
use drplan_api::Fut;
use drplan_api::ProviderError;
use drplan_api::TargetId;
use http::StatusCode;

/// How a request fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Refused with 503 before anything happens.
    Refused,
    /// Carried out; then the connection breaks instead of an answer.
    AnswerLost,
}

/// Counts requests and lets at most one of them fail. Clones share the count.
#[derive(Clone, Debug)]
pub struct Faults {
    at: Option<(usize, Loss)>,
    seen: Arc<AtomicUsize>,
}

impl Faults {
    /// Lets nothing fail.
    pub fn none() -> Self {
        Self {
            at: None,
            seen: Arc::default(),
        }
    }

    /// Lets the request with this index fail, counted from 0.
    pub fn at(nth: usize, loss: Loss) -> Self {
        Self {
            at: Some((nth, loss)),
            seen: Arc::default(),
        }
    }

    /// Returns how many requests came so far.
    pub fn requests(&self) -> usize {
        self.seen.load(Ordering::Relaxed)
    }

    /// Puts the faults in front of a router.
    pub fn wrap(&self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(self.clone(), interfere))
    }

    fn next(&self) -> Option<Loss> {
        let index = self.seen.fetch_add(1, Ordering::Relaxed);
        self.at
            .and_then(|(nth, loss)| (nth == index).then_some(loss))
    }
}

async fn interfere(State(faults): State<Faults>, request: Request, next: Next) -> Response {
    match faults.next() {
        None => next.run(request).await,
        Some(Loss::Refused) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Some(Loss::AnswerLost) => {
            drop(next.run(request).await);
            cut()
        }
    }
}

/// Ends the connection's own task, and with it the connection, without an answer and without the
/// message of a panic.
pub(crate) fn cut() -> ! {
    std::panic::resume_unwind(Box::new("the connection is cut on purpose"))
}

/// A connection whose reads through [`Conn::fetch`] and [`Conn::identity`] are subject to faults. What
/// a kind does with the client behind [`Conn::as_any`] is not.
pub struct FaultyConn {
    inner: Arc<dyn Conn>,
    faults: Faults,
}

impl FaultyConn {
    /// Wraps a connection.
    pub fn new(inner: Arc<dyn Conn>, faults: Faults) -> Self {
        Self { inner, faults }
    }
}

fn lost() -> ProviderError {
    ProviderError::new(
        ErrorKind::Unreachable,
        "read",
        "a connection that fails on purpose",
    )
}

impl Conn for FaultyConn {
    fn identity(&self) -> Fut<'_, Result<TargetId, ProviderError>> {
        match self.faults.next() {
            Some(_) => Box::pin(async { Err(lost()) }),
            None => self.inner.identity(),
        }
    }

    fn fetch<'a>(&'a self, asks: &'a [Ask]) -> Fut<'a, Vec<Answer>> {
        match self.faults.next() {
            Some(_) => Box::pin(async { asks.iter().map(|_| Err(lost())).collect() }),
            None => self.inner.fetch(asks),
        }
    }

    fn as_any(&self) -> &dyn Any {
        self.inner.as_any()
    }
}
