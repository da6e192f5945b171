//! A journal in a file of this machine.
#![expect(
    clippy::disallowed_methods,
    reason = "the journal is written and read here"
)]

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;

use drplan_api::Fut;

use crate::apply::Journal;
use crate::apply::JournalError;
use crate::apply::Log;
use crate::apply::Records;
use crate::apply::decoded_journal;
use crate::apply::parse_journal;
use crate::apply::whole_lines;

/// In how many folders above a journal a name may be new: of the run, of `runs`, of the store, and of that.
const FOLDERS_MADE_MAX: usize = 4;

/// An append-only file, on disk before `append` returns.
pub struct FolderLog {
    path: PathBuf,
    file: File,
}

impl FolderLog {
    /// Makes a new file, readable by its owner only.
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
        // The file's name must outlive a crash too, not only its bytes.
        // So must the names of the folders that were made for it: the run's, `runs`, and the store's.
        for folder in path.ancestors().skip(1).take(FOLDERS_MADE_MAX) {
            let folder = match folder.as_os_str().is_empty() {
                true => Path::new("."),
                false => folder,
            };
            File::open(folder)
                .and_then(|folder| folder.sync_all())
                .map_err(|e| failed("start", path, &e))?;
        }
        Ok(Self {
            path: path.to_owned(),
            file,
        })
    }

    /// Opens a file again and takes away what a crash left behind its last whole line.
    ///
    /// # Errors
    ///
    /// If it cannot be opened.
    pub fn reopen(path: &Path) -> Result<Self, JournalError> {
        // A run may have died before it had one.
        if !path.exists() {
            return Self::create(path);
        }
        let text = std::fs::read(path).map_err(|e| failed("read", path, &e))?;
        let failed = |e: std::io::Error| failed("go on with", path, &e);
        let file = File::options().append(true).open(path).map_err(failed)?;
        file.set_len(whole_lines(&text).len() as u64)
            .map_err(failed)?;
        file.sync_all().map_err(failed)?;
        Ok(Self {
            path: path.to_owned(),
            file,
        })
    }
}

impl Log for FolderLog {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn append<'a>(&'a mut self, lines: &'a [u8]) -> Fut<'a, Result<(), JournalError>> {
        let done = self
            .file
            .write_all(lines)
            .and_then(|()| self.file.sync_data());
        let done = done.map_err(|e| failed("write", &self.path, &e));
        Box::pin(std::future::ready(done))
    }
}

impl Journal {
    /// Starts a journal in a new file.
    ///
    /// # Errors
    ///
    /// If the file exists or cannot be made.
    pub fn create(path: &Path) -> Result<Self, JournalError> {
        Ok(Self::new(Box::new(FolderLog::create(path)?)))
    }
}

/// Reads the journal in a file.
///
/// # Errors
///
/// If it cannot be read, or its lines do not fit each other.
pub fn read(path: &Path) -> Result<Records, JournalError> {
    let bytes = std::fs::read(path).map_err(|e| failed("read", path, &e))?;
    parse_journal(&decoded_journal(&bytes))
        .map_err(|e| JournalError::new("read", &path.display().to_string(), e))
}

fn failed(during: &'static str, path: &Path, why: &std::io::Error) -> JournalError {
    JournalError::new(during, &path.display().to_string(), why)
        .with_remedy(crate::private::remedy(why.kind()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use drplan_api::Timestamp;

    use super::*;
    use crate::apply::Event;
    use crate::apply::Sink;

    struct Deaf;

    impl Sink for Deaf {
        fn hear(&self, _: u64, _: &Event) {}
    }

    #[tokio::test]
    async fn a_journal_that_a_crash_cut_off_goes_on_behind_its_last_whole_line() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("journal.jsonl");
        let sink: Arc<dyn Sink> = Arc::new(Deaf);
        let event = Event::RunEnded { exit_code: 0 };
        let journal = Journal::create(&path).expect("a journal");
        let written = journal.write(Timestamp::UNIX_EPOCH, event.clone(), &sink);
        written.await.expect("a record");
        let whole = std::fs::read_to_string(&path).expect("text");
        std::fs::write(&path, format!("{whole}{{\"v\":1")).expect("a cut");

        let before = read(&path).expect("lines");
        let log = FolderLog::reopen(&path).expect("the file");
        let journal = Journal::after(Box::new(log), before.lines.last());
        let written = journal.write(Timestamp::UNIX_EPOCH, event, &sink);
        written.await.expect("a record");
        assert_eq!(read(&path).expect("lines").lines.len(), 2);
    }
}
