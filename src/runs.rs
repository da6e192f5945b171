//! What earlier runs left behind: plan, journal and frontier of each. The one door to a run by its id.
#![expect(clippy::disallowed_methods, reason = "the folder of runs is read here")]

use std::cmp::Reverse;
use std::path::Path;
use std::path::PathBuf;

use crate::apply::BrokenJournal;
use crate::apply::Frontier;
use crate::apply::Records;
use crate::apply::parse_journal;
use crate::plan::Plan;
use crate::plan::PlanFileError;

/// How many runs an error names.
const RUNS_NAMED_MAX: usize = 10;

/// Why a run cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no run at all.
    #[error("there is no run in `{folder}`")]
    None {
        /// Where it was looked for.
        folder: String,
    },
    /// No run has this id.
    #[error("there is no run `{given}`")]
    Unknown {
        /// What was given.
        given: String,
        /// The runs that there are, newest first.
        known: Vec<String>,
    },
    /// Several runs begin like this.
    #[error("several runs begin with `{given}`")]
    Ambiguous {
        /// What was given.
        given: String,
        /// Those, newest first.
        known: Vec<String>,
    },
    /// A file of the run cannot be read.
    #[error("cannot read `{path}`: {why}")]
    Io {
        /// Which.
        path: String,
        /// What the system said.
        why: String,
    },
    /// Its plan cannot be used.
    #[error(transparent)]
    Plan(#[from] PlanFileError),
    /// Its journal is not intact.
    #[error("the journal `{path}` is not intact")]
    Journal {
        /// Which.
        path: String,
        /// Where it breaks.
        source: BrokenJournal,
    },
}

/// The runs of one spec.
pub struct Runs {
    folder: PathBuf,
}

/// The texts that a run left behind, as they were found.
pub struct Texts {
    /// The run's id.
    pub id: String,
    /// Where they lie, for messages.
    pub place: String,
    /// The plan file.
    pub plan: String,
    /// The journal.
    pub journal: String,
    /// The frontier; a killed run has none.
    pub frontier: Option<String>,
}

/// A run, read and checked as far as one can without asking anybody.
pub struct StoredRun {
    /// Its id.
    pub id: String,
    /// Its plan.
    pub plan: Plan,
    /// The digest of its plan.
    pub seal: String,
    /// Its journal.
    pub records: Records,
    /// Where it stood when it ended.
    pub frontier: Option<Frontier>,
}

impl Runs {
    /// The runs of the spec in a folder.
    pub fn of(spec: &Path) -> Self {
        Self {
            folder: spec.join(".drplan").join("runs"),
        }
    }

    /// Opens a run by its id, by the beginning of its id, or the newest.
    ///
    /// # Errors
    ///
    /// If there is no such run, or it cannot be read.
    pub fn open(&self, given: Option<&str>) -> Result<StoredRun, RunError> {
        self.texts(given)?.parse()
    }

    /// The texts of a run.
    ///
    /// # Errors
    ///
    /// If there is no such run, or it cannot be read.
    pub fn texts(&self, given: Option<&str>) -> Result<Texts, RunError> {
        let id = self.find(given)?;
        let folder = self.folder.join(&id);
        let frontier = folder.join("frontier.json");
        Ok(Texts {
            plan: text(&folder.join("plan.json"))?,
            journal: text(&folder.join("journal.jsonl"))?,
            frontier: frontier.exists().then(|| text(&frontier)).transpose()?,
            place: folder.display().to_string(),
            id,
        })
    }

    fn find(&self, given: Option<&str>) -> Result<String, RunError> {
        let known = self.newest_first();
        let Some(newest) = known.first() else {
            let folder = self.folder.display().to_string();
            return Err(RunError::None { folder });
        };
        let Some(given) = given else {
            return Ok(newest.clone());
        };
        if known.iter().any(|id| id == given) {
            return Ok(given.to_owned());
        }
        let given = given.to_owned();
        let mut fitting: Vec<String> = known
            .iter()
            .filter(|id| id.starts_with(&given))
            .take(RUNS_NAMED_MAX)
            .cloned()
            .collect();
        match (fitting.len(), fitting.pop()) {
            (1, Some(id)) => Ok(id),
            (_, Some(last)) => {
                fitting.push(last);
                Err(RunError::Ambiguous {
                    given,
                    known: fitting,
                })
            }
            (_, None) => Err(RunError::Unknown {
                given,
                known: known.into_iter().take(RUNS_NAMED_MAX).collect(),
            }),
        }
    }

    /// Ids begin with the second of their start; within one second the journal tells.
    fn newest_first(&self) -> Vec<String> {
        let Ok(folder) = std::fs::read_dir(&self.folder) else {
            return Vec::new();
        };
        let mut ids: Vec<String> = folder
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|id| self.folder.join(id).join("journal.jsonl").exists())
            .collect();
        let second = |id: &str| id.split('-').next().unwrap_or_default().to_owned();
        ids.sort_by_cached_key(|id| Reverse(second(id)));
        let newest = ids.first().map(|id| second(id));
        let tied = ids
            .iter()
            .take_while(|id| Some(second(id)) == newest)
            .count();
        if tied > 1 {
            ids[..tied].sort_by_cached_key(|id| Reverse(self.began(id)));
        }
        ids
    }

    fn began(&self, id: &str) -> Option<drplan_api::Timestamp> {
        let journal = text(&self.folder.join(id).join("journal.jsonl")).ok()?;
        let records = parse_journal(&journal).ok()?;
        records.lines.first().map(|line| line.at)
    }
}

impl Texts {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// If one of them is not intact. A frontier that cannot be read is left out: nothing rests on it.
    pub fn parse(self) -> Result<StoredRun, RunError> {
        let (plan, seal) = crate::plan::parse(&self.plan, &format!("{}/plan.json", self.place))?;
        let records = parse_journal(&self.journal).map_err(|source| RunError::Journal {
            path: format!("{}/journal.jsonl", self.place),
            source,
        })?;
        let frontier = self.frontier.as_deref();
        Ok(StoredRun {
            frontier: frontier.and_then(|text| serde_json::from_str(text).ok()),
            id: self.id,
            plan,
            seal,
            records,
        })
    }
}

fn text(path: &Path) -> Result<String, RunError> {
    std::fs::read_to_string(path).map_err(|e| RunError::Io {
        path: path.display().to_string(),
        why: e.to_string(),
    })
}
