//! Waits until something in a place may have changed.
//!
//! Nothing is learnt from what changed: whoever waits reads the place again.

use std::time::Duration;

use futures::FutureExt as _;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use http::Request;
use kube::core::WatchEvent;
use serde_json::Value;
use tokio::time::Instant;

use crate::kube_api::Answer;
use crate::kube_api::Kube;
use crate::kube_api::Place;

/// How long after a watch ended in an error the next is opened.
const REOPEN: Duration = Duration::from_secs(1);

/// How long after a refused list the next is asked for.
const RETRY: Duration = Duration::from_secs(5);

/// How long one watch is held open.
const OPEN_S: u64 = 3_600;

/// Reads a place again and again, whenever it changed or the time has come.
pub(crate) struct Watched {
    kube: Kube,
    pub(crate) place: Place,
    events: Option<BoxStream<'static, bool>>,
}

impl Watched {
    pub(crate) fn new(kube: &Kube, place: Place) -> Self {
        Self {
            kube: kube.clone(),
            place,
            events: None,
        }
    }

    /// Reads the place. From then on changes are noticed.
    ///
    /// # Errors
    ///
    /// Only when the resource is not served at all; whatever may pass is waited for.
    pub(crate) async fn list(&mut self) -> Answer<Vec<Value>> {
        loop {
            match self.kube.list(&self.place).await {
                Ok((found, revision)) => {
                    if self.events.is_none() {
                        self.open(&revision).await;
                    }
                    return Ok(found);
                }
                Err(refusal) if refusal.is_missing() => return Err(refusal),
                Err(_) => tokio::time::sleep(RETRY).await,
            }
        }
    }

    async fn open(&mut self, revision: &str) {
        let url = self.place.url("");
        let url = format!("{url}?watch=1&resourceVersion={revision}&timeoutSeconds={OPEN_S}");
        let Ok(request) = Request::get(url).body(Vec::new()) else {
            return;
        };
        let opened = self.kube.client().request_events::<Value>(request).await;
        if let Ok(events) = opened {
            let is_good = |event: Result<WatchEvent<Value>, _>| matches!(event, Ok(event) if !matches!(event, WatchEvent::Error(_)));
            self.events = Some(Box::pin(events).map(is_good).boxed());
        }
    }

    /// Waits for a change, but no longer than until then.
    pub(crate) async fn wait(&mut self, until: Option<Instant>) {
        let due = async {
            match until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.change() => {}
            () = due => {}
        }
    }

    async fn change(&mut self) {
        let Some(events) = &mut self.events else {
            return tokio::time::sleep(REOPEN).await;
        };
        let mut event = events.next().await;
        while let Some(true) = event {
            // Whatever is there already belongs to the same look.
            match events.next().now_or_never() {
                Some(next) => event = next,
                None => return,
            }
        }
        self.events = None;
        tokio::time::sleep(REOPEN).await;
    }
}
