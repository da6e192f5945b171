//! The journal: an append-only file of JSON lines, on disk before the request leaves.
#![expect(
    clippy::disallowed_methods,
    reason = "the journal is written and read here"
)]

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;

use drplan_api::Timestamp;
use drplan_api::digest;
use serde::Deserialize;
use serde::Serialize;

use super::event::Event;

/// The version of the journal's format.
const FORMAT: u32 = 1;

/// Why the journal cannot go on.
#[derive(Debug, thiserror::Error)]
#[error("cannot {during} the journal `{path}`: {why}")]
pub struct JournalError {
    during: &'static str,
    path: String,
    why: String,
}

/// One line. `chain` is the digest of the line before it together with this record, which makes a
/// change in the middle evident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The format's version.
    pub v: u32,
    /// The number of the event.
    pub seq: u64,
    /// When it was written.
    pub at: Timestamp,
    /// The event.
    pub record: Event,
    /// The chain.
    pub chain: String,
}

/// An open journal.
pub struct Journal {
    path: PathBuf,
    state: Mutex<State>,
}

struct State {
    file: File,
    seq: u64,
    chain: String,
}

impl Journal {
    /// Starts a journal in a new file, readable by its owner only.
    ///
    /// # Errors
    ///
    /// If the file exists or cannot be made.
    pub fn create(path: &Path) -> Result<Self, JournalError> {
        let mut options = File::options();
        options.append(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(|e| failed("start", path, &e))?;
        let state = State {
            file,
            seq: 0,
            chain: String::new(),
        };
        Ok(Self {
            path: path.to_owned(),
            state: Mutex::new(state),
        })
    }

    /// Writes a record and waits until it is on disk; returns its number. Progress only gets a number.
    ///
    /// # Errors
    ///
    /// If it cannot be written; then nothing may be begun any more.
    pub fn write(&self, at: Timestamp, event: &Event) -> Result<u64, JournalError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.seq += 1;
        if !event.is_record() {
            return Ok(state.seq);
        }
        let record = serde_json::to_string(event).map_err(|e| failed("write", &self.path, &e))?;
        let chain = digest(format!("{}{}{record}", state.chain, state.seq).as_bytes());
        let line = Line {
            v: FORMAT,
            seq: state.seq,
            at,
            record: event.clone(),
            chain: chain.clone(),
        };
        let mut text = serde_json::to_string(&line).map_err(|e| failed("write", &self.path, &e))?;
        text.push('\n');
        state
            .file
            .write_all(text.as_bytes())
            .map_err(|e| failed("write", &self.path, &e))?;
        state
            .file
            .sync_data()
            .map_err(|e| failed("write", &self.path, &e))?;
        state.chain = chain;
        Ok(state.seq)
    }
}

impl Journal {
    /// The number of the last event.
    pub fn last(&self) -> u64 {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .seq
    }
}

fn failed(during: &'static str, path: &Path, why: &dyn std::fmt::Display) -> JournalError {
    JournalError {
        during,
        path: path.display().to_string(),
        why: why.to_string(),
    }
}

/// Reads a journal. A last line that was cut off by a crash is left out.
///
/// # Errors
///
/// If it cannot be read, or a line before the last is broken or does not fit the chain.
pub fn read(path: &Path) -> Result<Vec<Line>, JournalError> {
    let text = std::fs::read_to_string(path).map_err(|e| failed("read", path, &e))?;
    let mut out: Vec<Line> = Vec::new();
    let mut chain = String::new();
    let whole = text.ends_with('\n');
    let lines: Vec<&str> = text.lines().collect();
    for (i, raw) in lines.iter().enumerate() {
        let line: Line = match serde_json::from_str(raw) {
            Ok(line) => line,
            Err(_) if i + 1 == lines.len() && !whole => break,
            Err(e) => return Err(failed("read", path, &format!("line {}: {e}", i + 1))),
        };
        let record = serde_json::to_string(&line.record).map_err(|e| failed("read", path, &e))?;
        chain = digest(format!("{chain}{}{record}", line.seq).as_bytes());
        if chain != line.chain {
            return Err(failed(
                "read",
                path,
                &format!("line {} does not fit the one before it", i + 1),
            ));
        }
        out.push(line);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some_event(exit_code: u8) -> Event {
        Event::RunEnded { exit_code }
    }

    #[test]
    fn a_cut_off_last_line_is_left_out_and_a_changed_one_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("journal.jsonl");
        let journal = Journal::create(&path).expect("a journal");
        for code in 0..3 {
            journal
                .write(Timestamp::UNIX_EPOCH, &some_event(code))
                .expect("a record");
        }
        let text = std::fs::read_to_string(&path).expect("text");
        std::fs::write(&path, format!("{text}{{\"v\":1,\"se")).expect("a cut");
        assert_eq!(read(&path).expect("lines").len(), 3);
        std::fs::write(
            &path,
            text.replacen("\"exit_code\":1", "\"exit_code\":9", 1),
        )
        .expect("a change");
        assert!(read(&path).is_err());
    }
}
