//! Runs as they are kept: each in a folder, or under a prefix of a shared store.
#![expect(clippy::disallowed_methods, reason = "runs are written and read here")]

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use drplan_api::ProviderError;
use drplan_api::SharedStore;
use drplan_api::When;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::folder::FolderLog;
use super::shared;
use super::shared::Segment;
use super::shared::SharedLog;
use super::shared::Surely;
use super::shared::get_surely;
use super::shared::put_surely;
use super::texts::StoredRun;
use super::texts::Texts;
use super::wish::Wish;
use crate::apply::Frontier;
use crate::apply::Journal;
use crate::apply::JournalError;
use crate::apply::Log;
use crate::apply::decoded_journal;
use crate::plan;
use crate::plan::Plan;
use crate::plan::PlanFileError;
use crate::private;
use crate::signature::Signature;

/// How many runs an error names.
const NAMED_MAX: usize = 5;

/// How often something that others may write too is written anew.
const OVERWRITES_MAX: u32 = 5;

const PLAN: &str = "plan.json";
const JOURNAL: &str = "journal.jsonl";
const SEGMENTS: &str = "journal/";
const FRONTIER: &str = "frontier.json";
const WISH: &str = "wish.json";

/// Why a run cannot be kept or found.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such run.
    #[error("there is no run `{run}`")]
    Unknown {
        /// What was asked for.
        run: String,
        /// The newest runs.
        known: Vec<String>,
    },
    /// There is no run at all.
    #[error("`{place}` holds no run")]
    None {
        /// Where runs are kept.
        place: String,
    },
    /// More than one run begins like this.
    #[error("more than one run begins with `{run}`")]
    Ambiguous {
        /// What was asked for.
        run: String,
        /// Those that begin so.
        known: Vec<String>,
    },
    /// A file or object cannot be used.
    #[error("cannot {during} `{name}`: {why}")]
    Io {
        /// What was being done.
        during: &'static str,
        /// Which file or object.
        name: String,
        /// What the system said.
        why: String,
        /// What a person does about it, where that can be told.
        remedy: Option<&'static str>,
    },
    /// The plan of a run.
    #[error(transparent)]
    Plan(#[from] PlanFileError),
    /// The journal of a run.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Where runs are kept.
#[derive(Clone)]
pub enum RunStore {
    /// `runs/RUN/` in a folder.
    Folder(PathBuf),
    /// `runs/RUN/` in a place that several machines share.
    Shared(Arc<dyn SharedStore>),
}

impl RunStore {
    /// Names the place for people.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Folder(dir) => dir.display().to_string(),
            Self::Shared(store) => store.name(),
        }
    }

    /// Keeps the plan of a new run, with the signature that it came with, and starts its journal.
    ///
    /// # Errors
    ///
    /// If it cannot be kept, or there is a run of that id.
    pub async fn begin(
        &self,
        run: &str,
        plan: &Plan,
        signature: Option<&Signature>,
    ) -> Result<Journal, StoreError> {
        match self {
            Self::Folder(dir) => {
                let dir = folder_of(dir, run);
                private::folder(&dir).map_err(|e| unwritten("make", &dir.display(), &e))?;
                plan::write(plan, signature.into(), &dir.join(PLAN)).inspect_err(|_| {
                    // A run without a plan is none; what is not empty stays.
                    std::fs::remove_dir(&dir).ok();
                })?;
                Ok(Journal::create(&dir.join(JOURNAL))?)
            }
            Self::Shared(store) => {
                let key = key(run, PLAN);
                let bytes = plan::encode(plan, signature.into());
                let bytes = bytes.map_err(|e| io("write", &key, &e))?;
                let put = put_surely(&**store, &key, &bytes, When::Absent).await;
                match put.map_err(|e| io("write", &key, &e))? {
                    Surely::Written(_) => {}
                    Surely::Taken | Surely::Gone => {
                        return Err(io("write", &key, &"there is a run of this id"));
                    }
                }
                let log = SharedLog::new(Arc::clone(store), self::key(run, SEGMENTS));
                Ok(Journal::new(Box::new(log)))
            }
        }
    }

    /// Opens a run to go on with it. Only whoever holds the lock may.
    ///
    /// # Errors
    ///
    /// If it is not whole.
    pub async fn go_on(&self, run: &str) -> Result<(StoredRun, Journal), StoreError> {
        let (texts, last) = self.found(run).await?;
        let stored = texts.parse()?;
        let log: Box<dyn Log> = match self {
            Self::Folder(dir) => Box::new(FolderLog::reopen(&folder_of(dir, run).join(JOURNAL))?),
            Self::Shared(store) => {
                let prefix = key(run, SEGMENTS);
                Box::new(SharedLog::reopen(Arc::clone(store), prefix, last))
            }
        };
        let journal = Journal::after(log, stored.records.lines.last());
        Ok((stored, journal))
    }

    /// Reads a run.
    ///
    /// # Errors
    ///
    /// If it is not whole.
    pub async fn open(&self, run: &str) -> Result<StoredRun, StoreError> {
        self.texts(run).await?.parse()
    }

    /// The texts of a run, whatever is wrong with them.
    ///
    /// # Errors
    ///
    /// If they cannot be read.
    pub async fn texts(&self, run: &str) -> Result<Texts, StoreError> {
        Ok(self.found(run).await?.0)
    }

    /// The text of a run's journal alone.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub async fn journal(&self, run: &str) -> Result<String, StoreError> {
        Ok(decoded_journal(&self.log(run).await?.0))
    }

    /// A run's journal, and its last segment. A run that died while it began has none.
    async fn log(&self, run: &str) -> Result<(Vec<u8>, Segment), StoreError> {
        match self {
            Self::Folder(_) => {
                let bytes = self.bytes(run, JOURNAL).await?;
                Ok((bytes.unwrap_or_default(), Segment::default()))
            }
            Self::Shared(store) => Ok(shared::read(&**store, &key(run, SEGMENTS)).await?),
        }
    }

    /// The texts of a run, and the last segment of its journal.
    async fn found(&self, run: &str) -> Result<(Texts, Segment), StoreError> {
        let (journal, last) = self.log(run).await?;
        let texts = Texts {
            id: run.to_owned(),
            place: format!("{}/runs/{run}", self.name().trim_end_matches('/')),
            plan: needed(run, PLAN, self.text(run, PLAN).await?)?,
            journal: decoded_journal(&journal),
            frontier: self.text(run, FRONTIER).await?,
        };
        Ok((texts, last))
    }

    /// Keeps where a run stands.
    ///
    /// # Errors
    ///
    /// If it cannot be kept.
    pub async fn keep(&self, frontier: &Frontier) -> Result<(), StoreError> {
        self.write(&frontier.run, FRONTIER, frontier).await
    }

    /// What somebody wishes of a run; nothing if nobody does.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub async fn wish(&self, run: &str) -> Result<Option<Wish>, StoreError> {
        self.read(run, WISH).await
    }

    /// Keeps what somebody wishes of a run.
    ///
    /// # Errors
    ///
    /// If it cannot be kept.
    pub async fn set_wish(&self, run: &str, wish: &Wish) -> Result<(), StoreError> {
        self.write(run, WISH, wish).await
    }

    /// All runs, the oldest first. An id begins with its time.
    ///
    /// # Errors
    ///
    /// If the place cannot be listed.
    pub async fn runs(&self) -> Result<Vec<String>, StoreError> {
        let mut runs = match self {
            Self::Folder(dir) => folders(&dir.join("runs"))?,
            Self::Shared(store) => {
                // A run begins with its plan, so where anything lies there is one.
                let runs = store.folders("runs/").await;
                runs.map_err(|e| io("list", &self.name(), &e))?
            }
        };
        runs.sort_unstable();
        Ok(runs)
    }

    /// Finds a run by the beginning of its id; without one, the newest.
    ///
    /// # Errors
    ///
    /// If there is none, or more than one.
    pub async fn find(&self, wanted: Option<&str>) -> Result<String, StoreError> {
        self.choose(&self.runs().await?, wanted)
    }

    /// The same among runs that were listed already.
    ///
    /// # Errors
    ///
    /// If there is none, or more than one.
    pub fn choose(&self, runs: &[String], wanted: Option<&str>) -> Result<String, StoreError> {
        let Some(wanted) = wanted else {
            return runs
                .last()
                .cloned()
                .ok_or_else(|| StoreError::None { place: self.name() });
        };
        let newest = |runs: &mut dyn DoubleEndedIterator<Item = &String>| {
            runs.rev().take(NAMED_MAX).cloned().collect::<Vec<_>>()
        };
        let mut fitting = runs.iter().filter(|run| run.starts_with(wanted));
        match (fitting.next(), fitting.next()) {
            (Some(run), None) => Ok(run.clone()),
            (Some(_), Some(_)) if runs.iter().any(|run| run == wanted) => Ok(wanted.to_owned()),
            (Some(_), Some(_)) => Err(StoreError::Ambiguous {
                run: wanted.to_owned(),
                known: newest(&mut runs.iter().filter(|run| run.starts_with(wanted))),
            }),
            (None, _) => Err(StoreError::Unknown {
                run: wanted.to_owned(),
                known: newest(&mut runs.iter()),
            }),
        }
    }

    async fn read<T: DeserializeOwned>(
        &self,
        run: &str,
        file: &str,
    ) -> Result<Option<T>, StoreError> {
        let text = self.text(run, file).await?;
        let parse = |text: String| serde_json::from_str(&text);
        text.map(parse)
            .transpose()
            .map_err(|e| io("read", &key(run, file), &e))
    }

    async fn text(&self, run: &str, file: &str) -> Result<Option<String>, StoreError> {
        let text = self.bytes(run, file).await?.map(String::from_utf8);
        text.transpose()
            .map_err(|e| io("read", &key(run, file), &e))
    }

    async fn bytes(&self, run: &str, file: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let name = key(run, file);
        let failed = |why: &dyn std::fmt::Display| io("read", &name, why);
        match self {
            Self::Folder(dir) => match std::fs::read(folder_of(dir, run).join(file)) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(e) => Err(failed(&e)),
            },
            Self::Shared(store) => {
                let found = get_surely(&**store, &name).await.map_err(|e| failed(&e))?;
                Ok(found.map(|(bytes, _)| bytes))
            }
        }
    }

    async fn write(&self, run: &str, file: &str, data: &impl Serialize) -> Result<(), StoreError> {
        let name = key(run, file);
        let failed = |why: &dyn std::fmt::Display| io("write", &name, why);
        let mut bytes = serde_json::to_vec_pretty(data).map_err(|e| failed(&e))?;
        bytes.push(b'\n');
        match self {
            Self::Folder(dir) => {
                let path = folder_of(dir, run).join(file);
                private::folder(&folder_of(dir, run))
                    .and_then(|()| private::write(&path, &bytes))
                    .map_err(|e| unwritten("write", &path.display(), &e))
            }
            Self::Shared(store) => overwrite(&**store, &name, &bytes)
                .await
                .map_err(|e| failed(&e)),
        }
    }
}

/// Puts an object in the place of whatever lies there now.
async fn overwrite(store: &dyn SharedStore, key: &str, bytes: &[u8]) -> Result<(), ProviderError> {
    let mut left = OVERWRITES_MAX;
    loop {
        let found = get_surely(store, key).await?;
        let when = found.map_or(When::Absent, |(_, tag)| When::Is(tag));
        if let Surely::Written(_) = put_surely(store, key, bytes, when).await? {
            return Ok(());
        }
        left -= 1;
        if left == 0 {
            return Err(ProviderError::new(
                drplan_api::ErrorKind::Conflict,
                format!("write `{key}`"),
                store.name(),
            )
            .because("somebody else writes it all the time"));
        }
    }
}

/// The names of the folders in a folder; none if it is not there.
fn folders(dir: &Path) -> Result<Vec<String>, StoreError> {
    let failed = |e: std::io::Error| io("list", &dir.display(), &e);
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(failed(e)),
    };
    let mut out = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        if entry.path().join(PLAN).is_file() {
            out.extend(entry.file_name().into_string().ok());
        }
    }
    Ok(out)
}

/// Where a run is kept in a folder.
fn folder_of(dir: &Path, run: &str) -> PathBuf {
    dir.join("runs").join(run)
}

fn key(run: &str, file: &str) -> String {
    format!("runs/{run}/{file}")
}

fn needed(run: &str, file: &'static str, text: Option<String>) -> Result<String, StoreError> {
    text.ok_or_else(|| io("read", &key(run, file), &"it is not there"))
}

fn io(
    during: &'static str,
    name: &dyn std::fmt::Display,
    why: &dyn std::fmt::Display,
) -> StoreError {
    StoreError::Io {
        during,
        name: name.to_string(),
        why: why.to_string(),
        remedy: None,
    }
}

/// A file or folder that the system does not let be written.
fn unwritten(
    during: &'static str,
    name: &dyn std::fmt::Display,
    why: &std::io::Error,
) -> StoreError {
    StoreError::Io {
        during,
        name: name.to_string(),
        why: why.to_string(),
        remedy: private::remedy(why.kind()),
    }
}
