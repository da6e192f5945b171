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

/// One line. `chain` is the digest of the chain before it together with number, time and record of this
/// line, which makes a change in the middle evident.
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
        let chain = link(&state.chain, state.seq, at, event)
            .map_err(|e| failed("write", &self.path, &e))?;
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

    /// Says why nothing can be written.
    pub(super) fn refused(&self, why: &dyn std::fmt::Display) -> JournalError {
        failed("write", &self.path, why)
    }

    /// The chain of the last record: whoever keeps it elsewhere can tell later whether the journal is
    /// still the same.
    pub fn head(&self) -> String {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.chain.clone()
    }
}

/// The chain up to a record. Numbers of events that are not records are missing in it, so that what
/// follows each other in the journal is told by the chain alone.
fn link(
    before: &str,
    seq: u64,
    at: Timestamp,
    record: &Event,
) -> Result<String, serde_json::Error> {
    let record = serde_json::to_string(record)?;
    Ok(digest(format!("{before} {seq} {at} {record}").as_bytes()))
}

fn failed(during: &'static str, path: &Path, why: &dyn std::fmt::Display) -> JournalError {
    JournalError {
        during,
        path: path.display().to_string(),
        why: why.to_string(),
    }
}

/// What a journal holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Records {
    /// Its lines.
    pub lines: Vec<Line>,
    /// Whether a last line was begun and not finished, as a crash leaves it.
    pub torn: bool,
}

/// Why a text is no journal.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct BrokenJournal {
    /// Which line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

/// Reads a journal. A last line that was cut off by a crash is left out.
///
/// # Errors
///
/// If it cannot be read, or a line before the last is broken or does not fit the chain.
pub fn read(path: &Path) -> Result<Vec<Line>, JournalError> {
    let text = std::fs::read_to_string(path).map_err(|e| failed("read", path, &e))?;
    let records = parse(&text).map_err(|e| failed("read", path, &e))?;
    Ok(records.lines)
}

/// Reads the text of a journal and checks its chain.
///
/// # Errors
///
/// If a line before the last is broken, or any does not fit the chain.
pub fn parse(text: &str) -> Result<Records, BrokenJournal> {
    let mut lines: Vec<Line> = Vec::new();
    let mut chain = String::new();
    let whole = text.is_empty() || text.ends_with('\n');
    let raw: Vec<&str> = text.lines().collect();
    for (i, text) in raw.iter().enumerate() {
        let broken = |why: String| BrokenJournal { line: i + 1, why };
        let line: Line = match serde_json::from_str(text) {
            Ok(line) => line,
            Err(_) if i + 1 == raw.len() && !whole => return Ok(Records { lines, torn: true }),
            Err(e) => return Err(broken(e.to_string())),
        };
        if line.v != FORMAT {
            let why = format!("it has the format {}; this drplan reads {FORMAT}", line.v);
            return Err(broken(why));
        }
        chain = link(&chain, line.seq, line.at, &line.record).map_err(|e| broken(e.to_string()))?;
        if chain != line.chain {
            let why = "it does not fit the one before it: one of them was changed, or one between \
                       them was taken out";
            return Err(broken(why.to_owned()));
        }
        lines.push(line);
    }
    Ok(Records { lines, torn: false })
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
        let lines = read(&path).expect("lines");
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[2].chain, journal.head());
        std::fs::write(
            &path,
            text.replacen("\"exit_code\":1", "\"exit_code\":9", 1),
        )
        .expect("a change");
        assert!(read(&path).is_err());
    }

    #[test]
    fn whatever_is_changed_or_taken_out_before_the_end_shows() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("journal.jsonl");
        let journal = Journal::create(&path).expect("a journal");
        for code in 0..4 {
            let at = Timestamp::UNIX_EPOCH;
            journal.write(at, &some_event(code)).expect("a record");
        }
        let text = std::fs::read_to_string(&path).expect("text");
        assert!(!parse(&text).expect("lines").torn);
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let without = |n: usize| [&lines[..n], &lines[n + 1..]].concat().concat();
        let swapped = [lines[0], lines[2], lines[1], lines[3]].concat();
        for (changed, line) in [
            (without(0), 1),
            (without(2), 3),
            (swapped, 2),
            (text.replacen("1970", "1971", 1), 1),
            (text.replacen("\"seq\":2", "\"seq\":7", 1), 2),
            (text.replacen("\"v\":1", "\"v\":9", 1), 1),
        ] {
            assert_eq!(
                parse(&changed).expect_err("a change").line,
                line,
                "{changed}"
            );
        }
        // What the chain alone cannot show: the end is missing.
        assert_eq!(parse(&without(3)).expect("lines").lines.len(), 3);
    }
}
