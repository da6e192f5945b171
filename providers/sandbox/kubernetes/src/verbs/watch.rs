//! Watches: a stream of what changes, out of the window of changes that the store keeps.
//!
//! A watch has no queue of its own. It remembers how far it has read and reads on when it is woken,
//! so a slow client costs nothing, and one that is too slow learns that what it wants is forgotten.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use serde_json::Value;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::accept::Shape;
use crate::cluster::Shared;
use crate::convert;
use crate::failure::Failure;
use crate::failure::Outcome;
use crate::history::Change;
use crate::object::Object;
use crate::reply::Reply;
use crate::reply::write_object;
use crate::request::Request;
use crate::state::State;
use crate::table;
use crate::types::Served;
use crate::verbs::list::Selection;
use crate::verbs::list::invalid_options;
use crate::verbs::list::number;

/// How long a watch lasts when the client does not say.
const TIMEOUT: Duration = Duration::from_secs(1_800);

/// And at most, whatever it says.
const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 3_600);

/// How often a watch says how far it is, if the client wants to know.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);

/// How long before its end a watch says so for the last time.
const LAST_BOOKMARK: Duration = Duration::from_secs(2);

/// The annotation of the bookmark that ends the initial events.
const INITIAL_END: &str = "k8s.io/initial-events-end";

/// One open watch.
struct Watching {
    shared: Arc<Shared>,
    served: Arc<Served>,
    selection: Selection,
    namespace: Option<String>,
    shape: Shape,
    /// How far it has read.
    revision: u64,
    bookmarks: bool,
    next_bookmark: Instant,
    end: Instant,
    changed: watch::Receiver<u64>,
    stopped: watch::Receiver<bool>,
    ready: VecDeque<Bytes>,
    over: bool,
}

/// `GET` with `watch`.
pub(crate) fn watch(
    shared: &Arc<Shared>,
    state: &mut State,
    served: &Arc<Served>,
    request: &Request,
) -> Outcome<Reply> {
    let selection = Selection::of(served, request)?;
    let query = &request.query;
    let asked = number(&query.resource_version).map_err(|why| Failure::new(500, "", &why, None))?;
    if query.initial_events.is_some() && query.resource_version_match != "NotOlderThan" {
        let message = "Forbidden: sendInitialEvents requires setting resourceVersionMatch to \
                       NotOlderThan";
        return Err(invalid_options(
            "resourceVersionMatch",
            "FieldValueForbidden",
            message.to_owned(),
        ));
    }
    let end = now_plus(query.timeout);
    let now = Instant::now();
    let mut watching = Watching {
        shared: Arc::clone(shared),
        served: Arc::clone(served),
        selection,
        namespace: request.target.namespace.clone(),
        shape: request.accept.shape,
        revision: asked,
        bookmarks: query.bookmarks,
        next_bookmark: next_bookmark(now, end),
        end,
        changed: state.store.subscribe(&served.id),
        stopped: shared.stopped(),
        ready: VecDeque::new(),
        over: false,
    };
    match query.initial_events {
        Some(true) => {
            watching.begin_with_state(state);
            watching.announce_end_of_state();
        }
        // Without a revision, or with "any", a watch starts with what is there.
        None if asked == 0 => watching.begin_with_state(state),
        Some(false) if asked == 0 => watching.revision = state.store.revision(),
        _ => {}
    }
    let body = stream::unfold(watching, |mut watching| async {
        let bytes = watching.next().await?;
        Some((Ok::<_, Infallible>(bytes), watching))
    });
    Ok(Reply {
        code: 200,
        content_type: "application/json",
        warnings: Vec::new(),
        body: Body::from_stream(body),
        about: None,
    })
}

fn now_plus(timeout: Option<Duration>) -> Instant {
    Instant::now() + timeout.unwrap_or(TIMEOUT).min(TIMEOUT_MAX)
}

/// The last one comes shortly before the end, so that the next watch starts where this one ends.
fn next_bookmark(last: Instant, end: Instant) -> Instant {
    let before_end = end - LAST_BOOKMARK.min(end.saturating_duration_since(last));
    let next = last + BOOKMARK_EVERY;
    if last < before_end {
        next.min(before_end)
    } else {
        next
    }
}

impl Watching {
    fn begin_with_state(&mut self, state: &State) {
        let objects: Vec<_> = state
            .store
            .list(&self.served.id, self.namespace.as_deref())
            .filter(|object| self.selection.matches(object.json()))
            .cloned()
            .collect();
        for object in objects {
            self.push("ADDED", &object);
        }
        self.revision = state.store.revision();
    }

    fn announce_end_of_state(&mut self) {
        let annotations = json!({ (INITIAL_END): "true" });
        self.push_bookmark(Some(annotations));
    }

    /// The next piece of the stream; none at its end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Some(bytes);
            }
            if self.over || *self.stopped.borrow() {
                return None;
            }
            self.changed.borrow_and_update();
            self.read_on();
            if self.ready.is_empty() {
                self.wait().await;
            }
        }
    }

    async fn wait(&mut self) {
        tokio::select! {
            // Two things at the same moment must come in the same order in every run.
            biased;
            changed = self.changed.changed() => self.over |= changed.is_err(),
            stopped = self.stopped.changed() => self.over |= stopped.is_err(),
            () = tokio::time::sleep_until(self.end) => self.over = true,
            () = tokio::time::sleep_until(self.next_bookmark), if self.bookmarks => {
                self.next_bookmark = next_bookmark(self.next_bookmark, self.end);
                self.push_bookmark(None);
            }
        }
    }

    fn read_on(&mut self) {
        let shared = Arc::clone(&self.shared);
        let state = shared.state();
        let Some(changes) = state.store.since(&self.served.id, self.revision) else {
            let message = format!("too old resource version: {}", self.revision);
            drop(state);
            self.push_error(&Failure::expired(&message));
            return;
        };
        let current = state.store.revision();
        drop(state);
        for change in &changes {
            self.push_change(change);
        }
        self.revision = self.revision.max(current);
    }

    fn push_change(&mut self, change: &Change) {
        let here = self
            .namespace
            .as_ref()
            .is_none_or(|namespace| *namespace == change.name.namespace);
        if !here {
            return;
        }
        let matched = |object: &Object| self.selection.matches(object.json());
        let before = change.before.as_deref().is_some_and(matched);
        let after = !change.deleted && matched(&change.after);
        match (before, after) {
            (false, true) => self.push("ADDED", &change.after),
            (true, true) => self.push("MODIFIED", &change.after),
            (true, false) if change.deleted => self.push("DELETED", &change.after),
            (true, false) => {
                // It left the selection: shown as it was, at the revision at which it left.
                if let Some(before) = &change.before {
                    let mut json = before.json().clone();
                    json["metadata"]["resourceVersion"] = json!(change.revision.to_string());
                    self.push("DELETED", &Object::new(json, change.revision));
                }
            }
            (false, false) => {}
        }
    }

    fn push(&mut self, kind: &str, object: &Object) {
        let mut line = format!("{{\"type\":\"{kind}\",\"object\":").into_bytes();
        if self.shape == Shape::Table {
            let shown = convert::shown(&self.served, object);
            let now = self.shared.now();
            let metadata = json!({ "resourceVersion": object.revision().to_string() });
            let table = table::of(&self.served, std::iter::once(&shown), now, &metadata);
            line.extend(serde_json::to_vec(&table).unwrap_or_default());
        } else {
            write_object(&self.served, object, self.shape, &mut line);
        }
        line.extend_from_slice(b"}\n");
        self.ready.push_back(line.into());
    }

    fn push_bookmark(&mut self, annotations: Option<Value>) {
        let info = &self.served.info;
        let mut metadata = json!({
            "resourceVersion": self.revision.to_string(),
            "creationTimestamp": null,
        });
        if let Some(annotations) = annotations {
            metadata["annotations"] = annotations;
        }
        let (version, kind) = match self.shape {
            Shape::Metadata => ("meta.k8s.io/v1".to_owned(), "PartialObjectMetadata"),
            _ => (info.api_version(), info.kind.as_str()),
        };
        let object = json!({ "kind": kind, "apiVersion": version, "metadata": metadata });
        self.push_line(&json!({ "type": "BOOKMARK", "object": object }));
    }

    fn push_error(&mut self, failure: &Failure) {
        if let Some(status) = failure.status() {
            self.push_line(&json!({ "type": "ERROR", "object": status }));
        }
        self.over = true;
    }

    fn push_line(&mut self, value: &Value) {
        let mut line = serde_json::to_vec(value).unwrap_or_default();
        line.push(b'\n');
        self.ready.push_back(line.into());
    }
}
