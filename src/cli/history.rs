//! How long steps took in earlier runs of a spec. Best effort: without it a plan only knows less.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;

use drplan_api::Action;
use drplan_api::Address;

use super::open_store::FOLDER;
use crate::apply::Event;
use crate::apply::Line;
use crate::apply::Outcome;
use crate::apply::parse_journal;
use crate::plan::History;
use crate::store::RunStore;

/// Of how many of the newest runs the journals are read.
const RUNS_MAX: usize = 20;

/// Reads the newest runs beside a spec; makes nothing there.
pub(super) async fn beside(dir: &Path) -> History {
    let folder = dir.join(FOLDER);
    if folder.join("runs").is_dir() {
        of(&RunStore::Folder(folder)).await
    } else {
        History::default()
    }
}

/// Reads the newest runs of a store.
pub(super) async fn of(store: &RunStore) -> History {
    let mut history = History::default();
    let runs = store.runs().await.unwrap_or_default();
    for run in runs.iter().rev().take(RUNS_MAX) {
        // What cannot be read tells nothing, and is no reason not to plan.
        if let Ok(texts) = store.texts(run).await
            && let Ok(records) = parse_journal(&texts.journal)
        {
            add(&records.lines, &mut history);
        }
    }
    history
}

/// Adds what one run measured: steps that it did whole, and did itself.
fn add(lines: &[Line], history: &mut History) {
    let mut doing: BTreeMap<&Address, Action> = BTreeMap::new();
    let mut found: BTreeSet<&Address> = BTreeSet::new();
    for line in lines {
        match &line.record {
            Event::StepStarted {
                address,
                action: Some(action),
                ..
            } => {
                doing.insert(address, *action);
            }
            Event::EffectFinished {
                address,
                found: true,
                ..
            } => {
                found.insert(address);
            }
            Event::StepEnded {
                address,
                outcome: Outcome::Done,
                elapsed_ms,
                ..
            } if !found.contains(address) => {
                if let Some(action) = doing.get(address) {
                    history.add(address, *action, *elapsed_ms);
                }
            }
            _ => {}
        }
    }
}
