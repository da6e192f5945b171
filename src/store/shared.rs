//! Objects of a shared store: surely written, and a journal in segments.

use std::sync::Arc;
use std::time::Duration;

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
use crate::retry;

/// How large a segment of a journal grows. It is written whole each time, so it must stay small; a
/// recovery of ten thousand steps has some fifty.
const SEGMENT_BYTES_MAX: usize = 256 * 1024;

/// For how long a store that does not answer is asked again.
const ASKED_AGAIN_WITHIN: Duration = Duration::from_secs(60);

/// Writes an object under a condition, whatever becomes of single answers. `None` if somebody else's
/// lies there.
pub(super) async fn put_surely(
    store: &dyn SharedStore,
    key: &str,
    bytes: &[u8],
    when: When,
) -> Result<Option<Tag>, ProviderError> {
    let until = Instant::now() + ASKED_AGAIN_WITHIN;
    let mut next = 2;
    loop {
        let error = match put_once(store, key, bytes, &when).await {
            Ok(Once::Written(tag)) => return Ok(Some(tag)),
            Ok(Once::Taken) => return Ok(None),
            Ok(Once::Again) => None,
            Err(error) => Some(error),
        };
        let pause = match &error {
            Some(error) => retry::pause(error, next, 0),
            None => Some(Duration::from_millis(100)),
        };
        match (pause.filter(|p| Instant::now() + *p < until), error) {
            (Some(pause), _) => tokio::time::sleep(pause).await,
            (None, Some(error)) => return Err(error),
            (None, None) => return Ok(None),
        }
        next += 1;
    }
}

enum Once {
    Written(Tag),
    Taken,
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
        return Ok(Once::Written(tag));
    }
    Ok(match (store.get(key).await?, when) {
        (Some((there, tag)), _) if there == bytes => Once::Written(tag),
        (Some((_, tag)), When::Is(wanted)) if tag == *wanted => Once::Again,
        (None, When::Absent) => Once::Again,
        _ => Once::Taken,
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

    /// Opens a journal again; the next line goes into a new segment.
    pub(super) fn reopen(store: Arc<dyn SharedStore>, prefix: String, segments: u32) -> Self {
        Self {
            segment: segments + 1,
            ..Self::new(store, prefix)
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
                self.segment += 1;
                self.text.clear();
                self.tag = None;
            }
            self.text.extend_from_slice(lines);
            let when = self.tag.clone().map_or(When::Absent, When::Is);
            let written = put_surely(&*self.store, &self.key(), &self.text, when).await;
            let failed =
                |why: &dyn std::fmt::Display| JournalError::new("write", &Log::name(self), why);
            match written {
                Ok(Some(tag)) => {
                    self.tag = Some(tag);
                    Ok(())
                }
                Ok(None) => Err(failed(&"another run has gone on with it")),
                Err(error) => Err(failed(&error)),
            }
        })
    }
}

/// Reads the text of a journal, and says how many segments it has.
pub(super) async fn read(
    store: &dyn SharedStore,
    prefix: &str,
) -> Result<(String, u32), JournalError> {
    let name = format!("{}{prefix}", store.name());
    let failed = |why: &dyn std::fmt::Display| JournalError::new("read", &name, why);
    let keys = store.list(prefix).await.map_err(|e| failed(&e))?;
    let mut text = String::new();
    for key in &keys {
        if let Some((bytes, _)) = get_surely(store, key).await.map_err(|e| failed(&e))? {
            text.push_str(std::str::from_utf8(&bytes).map_err(|e| failed(&e))?);
        }
    }
    Ok((text, u32::try_from(keys.len()).unwrap_or(u32::MAX)))
}
