//! What a run left behind, as it was found.

use super::runs::StoreError;
use crate::apply::BrokenJournal;
use crate::apply::Event;
use crate::apply::Frontier;
use crate::apply::JournalError;
use crate::apply::Records;
use crate::apply::parse_journal;
use crate::plan::Plan;

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
#[derive(Clone, Debug)]
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

/// What a person does about a journal that is not as drplan wrote it.
const BROKEN: &str = "nothing goes on with a run whose journal was changed: keep it for whoever must know, and \
                      `drplan plan` says what there is to do now";

impl StoredRun {
    /// Whether it ended, and nothing of it is left.
    pub fn has_ended_well(&self) -> bool {
        let last = self.records.lines.last().map(|line| &line.record);
        matches!(last, Some(Event::RunEnded { exit_code: 0 }))
    }
}

impl Texts {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// If one of them is not intact. A frontier that cannot be read is left out: nothing rests on it.
    pub fn parse(&self) -> Result<StoredRun, StoreError> {
        let (plan, seal) = crate::plan::parse(&self.plan, &format!("{}/plan.json", self.place))?;
        let records = parse_journal(&self.journal).map_err(|broken: BrokenJournal| {
            JournalError::new("read", &self.place, broken).with_remedy(Some(BROKEN))
        })?;
        let frontier = self.frontier.as_deref();
        Ok(StoredRun {
            frontier: frontier.and_then(|text| serde_json::from_str(text).ok()),
            id: self.id.clone(),
            plan,
            seal,
            records,
        })
    }
}
