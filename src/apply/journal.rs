//! The journal: append-only lines, kept before the request leaves.
//!
//! Whoever writes while others do shares their trip to the disk or the bucket: all lines that came
//! together are kept at once.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use drplan_api::Fut;
use drplan_api::Timestamp;
use drplan_api::digest;
use serde::Deserialize;
use serde::Serialize;

use super::event::Event;
use super::event::Sink;

/// The version of the journal's format.
const FORMAT: u32 = 1;

/// Why the journal cannot go on.
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot {during} the journal `{name}`: {why}")]
pub struct JournalError {
    during: &'static str,
    name: String,
    why: String,
    remedy: Option<&'static str>,
    is_taken: bool,
}

impl JournalError {
    /// An error with what was being done, where, and why it failed.
    pub(crate) fn new(during: &'static str, name: &str, why: impl std::fmt::Display) -> Self {
        Self {
            during,
            name: name.to_owned(),
            why: why.to_string(),
            remedy: None,
            is_taken: false,
        }
    }

    /// The same with what a person does about it, where that can be told.
    pub(crate) fn with_remedy(self, remedy: Option<&'static str>) -> Self {
        Self { remedy, ..self }
    }

    /// Somebody else has gone on with the run: the journal is theirs.
    pub(crate) fn taken(name: &str) -> Self {
        Self {
            is_taken: true,
            ..Self::new("write", name, "another apply has gone on with this run")
        }
    }

    /// What a person does about it, where that can be told.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        self.remedy
    }

    /// Whether somebody else has gone on with the run.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        self.is_taken
    }
}

/// One line. `chain` is the digest of the chain before it together with number, time and record of
/// this line, which makes a change in the middle evident.
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

/// Where lines are kept.
pub trait Log: Send {
    /// Names it for errors.
    fn name(&self) -> String;
    /// Appends whole lines and returns when they are safe.
    fn append<'a>(&'a mut self, lines: &'a [u8]) -> Fut<'a, Result<(), JournalError>>;
}

/// An open journal.
pub struct Journal {
    name: String,
    noted: Mutex<Noted>,
    keeping: tokio::sync::Mutex<Keeping>,
}

/// Where lines are kept, and the number of the last event that is safe.
struct Keeping {
    log: Box<dyn Log>,
    kept: u64,
}

/// What is not kept yet.
#[derive(Default)]
struct Noted {
    seq: u64,
    chain: String,
    /// The chain of the last record that is safe.
    kept_chain: String,
    lines: Vec<u8>,
    untold: Vec<(u64, Event)>,
    broken: Option<JournalError>,
}

impl Journal {
    /// Starts a journal.
    #[must_use]
    pub fn new(log: Box<dyn Log>) -> Self {
        Self::after(log, None)
    }

    /// Goes on behind the last line of a journal.
    #[must_use]
    pub fn after(log: Box<dyn Log>, last: Option<&Line>) -> Self {
        let noted = Noted {
            seq: last.map_or(0, |line| line.seq),
            chain: last.map(|line| line.chain.clone()).unwrap_or_default(),
            kept_chain: last.map(|line| line.chain.clone()).unwrap_or_default(),
            ..Noted::default()
        };
        Self {
            name: log.name(),
            keeping: tokio::sync::Mutex::new(Keeping {
                log,
                kept: noted.seq,
            }),
            noted: Mutex::new(noted),
        }
    }

    /// Writes a record, waits until it is safe, and then tells it; returns its number. What is no
    /// record only gets a number and is told in its turn.
    ///
    /// # Errors
    ///
    /// If it cannot be kept; then nothing may be begun any more.
    pub async fn write(
        &self,
        at: Timestamp,
        event: Event,
        sink: &Arc<dyn Sink>,
    ) -> Result<u64, JournalError> {
        let seq = self.note(at, event)?;
        self.keep(seq, sink).await?;
        Ok(seq)
    }

    /// The number of the last event.
    pub fn last(&self) -> u64 {
        self.noted().seq
    }

    /// The chain of the last record that is safe: whoever keeps it elsewhere can tell later whether the journal is
    /// still the same.
    pub fn head(&self) -> String {
        self.noted().kept_chain.clone()
    }

    /// Says why nothing can be written.
    pub(super) fn refused(&self, why: &dyn std::fmt::Display) -> JournalError {
        JournalError::new("write", &self.name, why)
    }

    fn noted(&self) -> std::sync::MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a record that is kept together with the next one, and returns its number.
    ///
    /// # Errors
    ///
    /// If the journal cannot be kept any more.
    pub fn note(&self, at: Timestamp, event: Event) -> Result<u64, JournalError> {
        let failed = |why: &dyn std::fmt::Display| JournalError::new("write", &self.name, why);
        let mut noted = self.noted();
        if let Some(error) = &noted.broken {
            return Err(error.clone());
        }
        let seq = noted.seq + 1;
        if event.is_record() {
            let chain = link(&noted.chain, seq, at, &event).map_err(|e| failed(&e))?;
            let line = Line {
                v: FORMAT,
                seq,
                at,
                record: event.clone(),
                chain: chain.clone(),
            };
            let text = serde_json::to_string(&line).map_err(|e| failed(&e))?;
            noted.lines.extend_from_slice(text.as_bytes());
            noted.lines.push(b'\n');
            noted.chain = chain;
        }
        noted.seq = seq;
        noted.untold.push((seq, event));
        Ok(seq)
    }

    async fn keep(&self, seq: u64, sink: &Arc<dyn Sink>) -> Result<(), JournalError> {
        let mut keeping = self.keeping.lock().await;
        if keeping.kept >= seq {
            return Ok(());
        }
        let (lines, untold, chain) = {
            let mut noted = self.noted();
            if let Some(error) = &noted.broken {
                return Err(error.clone());
            }
            (
                std::mem::take(&mut noted.lines),
                std::mem::take(&mut noted.untold),
                noted.chain.clone(),
            )
        };
        if !lines.is_empty()
            && let Err(error) = keeping.log.append(&lines).await
        {
            self.noted().broken = Some(error.clone());
            return Err(error);
        }
        self.noted().kept_chain = chain;
        for (seq, event) in &untold {
            sink.hear(*seq, event);
        }
        if let Some((last, _)) = untold.last() {
            keeping.kept = *last;
        }
        Ok(())
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

/// The whole lines of a journal, without one that a crash cut off.
pub(crate) fn whole(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|&byte| byte == b'\n');
    text.get(..end.map_or(0, |at| at + 1)).unwrap_or_default()
}

/// The text of a journal, as far as it is one: a character that is none shows as a line that does not fit
/// the chain, or stands in a last line that was cut off.
pub(crate) fn decoded(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Reads the text of a journal and checks its chain. A last line that was cut off by a crash is left
/// out.
///
/// # Errors
///
/// If a whole line is broken, or does not fit the chain.
pub fn parse(text: &str) -> Result<Records, BrokenJournal> {
    let end = whole(text.as_bytes()).len();
    let (lines_of, torn) = (text.get(..end).unwrap_or_default(), end < text.len());
    let mut lines: Vec<Line> = Vec::new();
    let mut chain = String::new();
    // An empty line ends a part of a journal in a bucket.
    let full = lines_of
        .lines()
        .enumerate()
        .filter(|(_, raw)| !raw.is_empty());
    for (i, raw) in full {
        let broken = |why: String| BrokenJournal { line: i + 1, why };
        let line: Line = serde_json::from_str(raw).map_err(|e| broken(e.to_string()))?;
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
    Ok(Records { lines, torn })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;
    use std::sync::atomic::Ordering;

    use super::*;

    struct Deaf;

    impl Sink for Deaf {
        fn hear(&self, _: u64, _: &Event) {}
    }

    /// Keeps lines in memory, counts how often it was asked to, and fails when it is told.
    #[derive(Clone, Default)]
    struct Memory {
        text: Arc<Mutex<Vec<u8>>>,
        trips: Arc<AtomicU64>,
        full: bool,
    }

    impl Log for Memory {
        fn name(&self) -> String {
            "memory".to_owned()
        }

        fn append<'a>(&'a mut self, lines: &'a [u8]) -> Fut<'a, Result<(), JournalError>> {
            Box::pin(async move {
                tokio::task::yield_now().await;
                if self.full {
                    return Err(JournalError::new("write", "memory", "it is full"));
                }
                self.trips.fetch_add(1, Ordering::Relaxed);
                self.text.lock().expect("memory").extend_from_slice(lines);
                Ok(())
            })
        }
    }

    impl Memory {
        fn text(&self) -> String {
            String::from_utf8(self.text.lock().expect("memory").clone()).expect("text")
        }
    }

    fn ended(exit_code: u8) -> Event {
        Event::RunEnded { exit_code }
    }

    async fn written(journal: &Journal, codes: std::ops::Range<u8>) {
        let sink: Arc<dyn Sink> = Arc::new(Deaf);
        let all = codes.map(|code| journal.write(Timestamp::UNIX_EPOCH, ended(code), &sink));
        for done in futures::future::join_all(all).await {
            done.expect("a record");
        }
    }

    #[tokio::test]
    async fn a_cut_off_last_line_is_left_out_and_a_changed_one_is_refused() {
        let memory = Memory::default();
        written(&Journal::new(Box::new(memory.clone())), 0..3).await;
        let text = memory.text();
        let cut = parse(&format!("{text}{{\"v\":1,\"se")).expect("lines");
        assert_eq!((cut.lines.len(), cut.torn), (3, true));
        let changed = text.replacen("\"exit_code\":1", "\"exit_code\":9", 1);
        assert!(parse(&changed).is_err());
    }

    #[tokio::test]
    async fn a_journal_that_goes_on_keeps_the_chain() {
        let memory = Memory::default();
        written(&Journal::new(Box::new(memory.clone())), 0..2).await;
        let lines = parse(&memory.text()).expect("lines").lines;
        let journal = Journal::after(Box::new(memory.clone()), lines.last());
        written(&journal, 2..4).await;
        let all = parse(&memory.text()).expect("lines").lines;
        assert_eq!(all.iter().map(|l| l.seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
    }

    #[tokio::test]
    async fn records_that_come_together_are_kept_in_few_trips() {
        let memory = Memory::default();
        written(&Journal::new(Box::new(memory.clone())), 0..100).await;
        assert!(memory.trips.load(Ordering::Relaxed) <= 2);
        assert_eq!(parse(&memory.text()).expect("lines").lines.len(), 100);
    }

    #[tokio::test]
    async fn what_could_not_be_kept_once_is_never_taken_for_kept() {
        let memory = Memory {
            full: true,
            ..Memory::default()
        };
        let journal = Journal::new(Box::new(memory));
        let sink: Arc<dyn Sink> = Arc::new(Deaf);
        for code in 0..2 {
            let done = journal.write(Timestamp::UNIX_EPOCH, ended(code), &sink);
            assert!(done.await.is_err());
        }
    }

    #[tokio::test]
    async fn whatever_is_changed_or_taken_out_before_the_end_shows() {
        let memory = Memory::default();
        written(&Journal::new(Box::new(memory.clone())), 0..4).await;
        let text = memory.text();
        let lines: Vec<&str> = text.lines().collect();
        let without = |i: usize| {
            let left = lines.iter().enumerate().filter(|(n, _)| *n != i);
            left.map(|(_, line)| format!("{line}\n"))
                .collect::<String>()
        };
        for i in 0..3 {
            assert!(parse(&without(i)).is_err(), "line {i} was taken out");
        }
        for (from, to) in [
            ("\"seq\":2", "\"seq\":7"),
            ("1970-01-01", "1971-01-01"),
            ("\"exit_code\":2", "\"exit_code\":0"),
            ("\"v\":1", "\"v\":2"),
        ] {
            assert!(
                text.contains(from) && parse(&text.replacen(from, to, 1)).is_err(),
                "{from}"
            );
        }
    }
}
