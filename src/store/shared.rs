//! Objects of a shared store: surely written, and a journal in segments.

use std::sync::Arc;
use std::time::Duration;

use drplan_api::ErrorKind;
use drplan_api::Fut;
use drplan_api::Kept;
use drplan_api::ProviderError;
use drplan_api::Put;
use drplan_api::SharedStore;
use drplan_api::Tag;
use drplan_api::When;
use tokio::time::Instant;

use crate::apply::JournalError;
use crate::apply::Log;
use crate::apply::whole_lines;
use crate::retry;

/// How large a segment of a journal grows. It is written whole each time, so it must stay small; a
/// recovery of ten thousand steps has some fifty.
const SEGMENT_BYTES_MAX: usize = 256 * 1024;

/// What ends a segment that is full: an empty line.
const CLOSED: &[u8] = b"\n\n";

/// For how long a store that does not answer is asked again.
const ASKED_AGAIN_WITHIN: Duration = Duration::from_secs(60);

/// How long to wait where a store refuses and nothing speaks against writing.
const REFUSED_PAUSE: Duration = Duration::from_millis(100);

/// What became of a write under a condition.
pub(super) enum Surely {
    /// It lies there.
    Written(Tag),
    /// Something of somebody else lies there.
    Taken,
    /// What was to be written over lies there no more.
    Gone,
}

/// Writes an object under a condition, whatever becomes of single answers.
pub(super) async fn put_surely(
    store: &dyn SharedStore,
    key: &str,
    bytes: &[u8],
    when: When,
) -> Result<Surely, ProviderError> {
    let until = Instant::now() + ASKED_AGAIN_WITHIN;
    let mut next = 2;
    loop {
        let error = match put_once(store, key, bytes, &when).await {
            Ok(Once::Ended(surely)) => return Ok(surely),
            Ok(Once::Again) => None,
            Err(error) => Some(error),
        };
        let pause = match &error {
            Some(error) => retry::pause(error, next, 0),
            None => Some(REFUSED_PAUSE),
        };
        match pause.filter(|p| Instant::now() + *p < until) {
            Some(pause) => tokio::time::sleep(pause).await,
            None => return Err(error.unwrap_or_else(|| refuses(store, key))),
        }
        next += 1;
    }
}

/// A store that does not write although its condition holds.
fn refuses(store: &dyn SharedStore, key: &str) -> ProviderError {
    let during = format!("write `{key}`");
    ProviderError::new(ErrorKind::Unreachable, during, store.name()).because(format!(
        "it refuses for {} s, and nothing of anybody else lies there",
        ASKED_AGAIN_WITHIN.as_secs()
    ))
}

enum Once {
    Ended(Surely),
    Again,
}

/// A refusal may be the echo of an attempt that landed and whose answer was lost, or of two writes
/// at once of which none has won yet.
async fn put_once(
    store: &dyn SharedStore,
    key: &str,
    bytes: &[u8],
    when: &When,
) -> Result<Once, ProviderError> {
    if let Put::Done(tag) = store.put(key, bytes.to_vec(), when.clone()).await? {
        return Ok(Once::Ended(Surely::Written(tag)));
    }
    Ok(match (store.get(key).await?, when) {
        (Some((there, tag)), _) if there == bytes => Once::Ended(Surely::Written(tag)),
        (Some((_, tag)), When::Is(wanted)) if tag == *wanted => Once::Again,
        (None, When::Absent) => Once::Again,
        (Some(_), _) => Once::Ended(Surely::Taken),
        (None, When::Is(_)) => Once::Ended(Surely::Gone),
    })
}

/// Reads an object, whatever becomes of single answers.
pub(super) async fn get_surely(store: &dyn SharedStore, key: &str) -> Result<Kept, ProviderError> {
    let until = Instant::now() + ASKED_AGAIN_WITHIN;
    let mut next = 2;
    loop {
        let error = match store.get(key).await {
            Ok(found) => return Ok(found),
            Err(error) => error,
        };
        match retry::pause(&error, next, 0).filter(|p| Instant::now() + *p < until) {
            Some(pause) => tokio::time::sleep(pause).await,
            None => return Err(error),
        }
        next += 1;
    }
}

/// A journal in segments under a prefix. A segment is written only over the version that this journal
/// wrote itself, so that of two writers one stops.
pub(super) struct SharedLog {
    store: Arc<dyn SharedStore>,
    prefix: String,
    segment: u32,
    text: Vec<u8>,
    tag: Option<Tag>,
}

impl SharedLog {
    /// Starts a journal.
    pub(super) fn new(store: Arc<dyn SharedStore>, prefix: String) -> Self {
        Self {
            store,
            prefix,
            segment: 1,
            text: Vec::new(),
            tag: None,
        }
    }

    /// Opens a journal again behind its last segment. An open one is written over: that stops whoever
    /// still holds it. Behind a closed one comes a new one, which only one can make.
    pub(super) fn reopen(store: Arc<dyn SharedStore>, prefix: String, last: Segment) -> Self {
        let new = Self::new(store, prefix);
        match last {
            Segment { number: 0, .. } => new,
            Segment { number, text, .. } if text.ends_with(CLOSED) => Self {
                segment: number + 1,
                ..new
            },
            Segment { number, text, tag } => Self {
                segment: number,
                // A line that was begun and not finished is no record.
                text: whole_lines(&text).to_vec(),
                tag,
                ..new
            },
        }
    }

    /// Ends a segment, so that whoever goes on with the journal at the same time either stops this one
    /// here or is stopped at the next segment.
    async fn close(&mut self) -> Result<(), JournalError> {
        self.text.push(b'\n');
        self.put().await?;
        self.segment += 1;
        self.text.clear();
        self.tag = None;
        Ok(())
    }

    async fn put(&mut self) -> Result<(), JournalError> {
        let when = self.tag.clone().map_or(When::Absent, When::Is);
        let written = put_surely(&*self.store, &self.key(), &self.text, when).await;
        let failed =
            |why: &dyn std::fmt::Display| JournalError::new("write", &Log::name(self), why);
        match written {
            Ok(Surely::Written(tag)) => {
                self.tag = Some(tag);
                Ok(())
            }
            Ok(Surely::Taken) => Err(JournalError::taken(&Log::name(self))),
            Ok(Surely::Gone) => Err(failed(&format!(
                "somebody deleted `{}`, in which it is kept",
                self.key()
            ))),
            Err(error) => Err(failed(&error)),
        }
    }

    fn key(&self) -> String {
        format!("{}{:06}.jsonl", self.prefix, self.segment)
    }
}

impl Log for SharedLog {
    fn name(&self) -> String {
        format!("{}{}", self.store.name(), self.prefix)
    }

    fn append<'a>(&'a mut self, lines: &'a [u8]) -> Fut<'a, Result<(), JournalError>> {
        Box::pin(async move {
            if !self.text.is_empty() && self.text.len() + lines.len() > SEGMENT_BYTES_MAX {
                self.close().await?;
            }
            self.text.extend_from_slice(lines);
            self.put().await
        })
    }
}

/// The last segment of a journal.
#[derive(Default)]
pub(super) struct Segment {
    /// Its number, from 1; 0 if there is none.
    number: u32,
    text: Vec<u8>,
    tag: Option<Tag>,
}

/// Reads a journal, and its last segment for who goes on with it.
pub(super) async fn read(
    store: &dyn SharedStore,
    prefix: &str,
) -> Result<(Vec<u8>, Segment), JournalError> {
    let name = format!("{}{prefix}", store.name());
    let failed = |why: &dyn std::fmt::Display| JournalError::new("read", &name, why);
    let keys = store.list(prefix).await.map_err(|e| failed(&e))?;
    let (mut text, mut last) = (Vec::new(), Segment::default());
    for (number, key) in (1..).zip(&keys) {
        if let Some((bytes, tag)) = get_surely(store, key).await.map_err(|e| failed(&e))? {
            text.extend_from_slice(&bytes);
            last = Segment {
                number,
                text: bytes,
                tag: Some(tag),
            };
        }
    }
    Ok((text, last))
}
