//! Reads the events of a watch from a streaming body.
//!
//! Knows nothing about what the events mean.

use std::time::Duration;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde_json::Value;
use tokio::time::Instant;

/// How long the events of a watch may take to come, and how long one without a number of events
/// may stay open.
pub const LIMIT: Duration = Duration::from_secs(15);

/// The longest answer to a watch that is read, in bytes.
const BYTES_MAX: usize = 16 << 20;

/// What a watch said.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// The events, each as it came.
    pub events: Vec<Value>,
    /// Whether the server ended the answer.
    pub ended: bool,
}

/// Reads until there are so many events, or until the server ends the answer or the time is up.
/// Bookmarks that follow each other count as one: how many a server sends is no promise.
///
/// # Errors
///
/// When the answer breaks off or holds something that is no event.
pub async fn read(body: Body, wanted: Option<usize>) -> Result<Said> {
    let deadline = Instant::now() + LIMIT;
    let mut body = std::pin::pin!(body);
    let mut pending = Vec::new();
    let mut said = Said::default();
    while wanted.is_none_or(|wanted| said.events.len() < wanted) {
        let Ok(frame) = tokio::time::timeout_at(deadline, body.frame()).await else {
            return Ok(said);
        };
        let Some(frame) = frame else {
            said.ended = true;
            return Ok(said);
        };
        let frame = frame.map_err(|error| anyhow::anyhow!("the watch broke off: {error}"))?;
        pending.extend_from_slice(frame.data_ref().map_or(&[], |data| data.as_ref()));
        if pending.len() > BYTES_MAX {
            bail!("an event of more than {BYTES_MAX} bytes");
        }
        take_lines(&mut pending, &mut said.events)?;
    }
    if let Some(wanted) = wanted {
        said.events.truncate(wanted);
    }
    Ok(said)
}

fn take_lines(pending: &mut Vec<u8>, events: &mut Vec<Value>) -> Result<()> {
    while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
        let line: Vec<u8> = pending.drain(..=end).collect();
        let event: Value = serde_json::from_slice(&line)
            .with_context(|| format!("no event: {}", String::from_utf8_lossy(&line)))?;
        let repeats = |last: &Value| last["type"] == "BOOKMARK" && event["type"] == "BOOKMARK";
        if events.last().is_some_and(repeats) {
            events.pop();
        }
        events.push(event);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn events_are_lines_and_bookmarks_in_a_row_are_one() {
        let lines = "{\"type\":\"ADDED\"}\n{\"type\":\"BOOKMARK\"}\n{\"type\":\"BOOKMARK\"}\n";
        let said = read(Body::from(lines.as_bytes().to_vec()), None)
            .await
            .unwrap();
        assert_eq!(said.events.len(), 2);
        assert!(said.ended);
    }
}
