//! How long steps took in earlier runs of a spec. Best effort: without it a plan only knows less.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use drplan_api::Action;
use drplan_api::Address;

use super::open_store::FOLDER;
use crate::apply::Event;
use crate::apply::Line;
use crate::apply::Outcome;
use crate::apply::parse_journal;
use crate::plan::History;
use crate::plan::RUNS_MIN;
use crate::store::RunStore;

/// Of how many runs that say something the times are kept.
const RUNS_MAX: usize = 20;

/// How many of the newest runs are looked at: those in which nothing was left to do say nothing.
const LOOKS_MAX: usize = 60;

/// How long a plan waits for all of it.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads the newest runs beside a spec; makes nothing there.
pub(super) async fn beside(dir: &Path) -> History {
    let folder = dir.join(FOLDER);
    if folder.join("runs").is_dir() {
        of(&RunStore::Folder(folder)).await
    } else {
        History::default()
    }
}

/// Reads the newest runs of a store, as far as that goes in [`READ_TIMEOUT`].
pub(super) async fn of(store: &RunStore) -> History {
    let mut history = History::default();
    // Half of it is as good as a store with fewer runs.
    let _ = tokio::time::timeout(READ_TIMEOUT, read(store, &mut history)).await;
    history
}

async fn read(store: &RunStore, history: &mut History) {
    let runs = store.runs().await.unwrap_or_default();
    // Fewer say nothing, and each may be long.
    if runs.len() < RUNS_MIN {
        return;
    }
    let mut told = 0;
    for run in runs.iter().rev().take(LOOKS_MAX) {
        // What cannot be read tells nothing, and is no reason not to plan.
        let Ok(text) = store.journal(run).await else {
            continue;
        };
        let records = parse_journal(&text);
        told += usize::from(records.is_ok_and(|records| add(&records.lines, history)));
        if told == RUNS_MAX {
            break;
        }
    }
}

/// What a step did since it was last begun.
#[derive(Default)]
struct Doing {
    action: Option<Action>,
    begun: BTreeSet<usize>,
    /// Whether something of it was done by somebody else, or before.
    is_part: bool,
}

impl Doing {
    /// The action, if all of it was done here and now. Otherwise its time is that of a part.
    fn whole(&self) -> Option<Action> {
        self.action
            .filter(|_| !self.is_part && !self.begun.is_empty())
    }
}

/// Adds what one run measured: steps that it did whole, and did itself. Returns whether there was one.
fn add(lines: &[Line], history: &mut History) -> bool {
    let mut doing: BTreeMap<&Address, Doing> = BTreeMap::new();
    let mut told = false;
    for line in lines {
        match &line.record {
            Event::StepStarted {
                address, action, ..
            } => {
                let fresh = Doing {
                    action: *action,
                    ..Doing::default()
                };
                doing.insert(address, fresh);
            }
            Event::EffectStarted {
                address, effect, ..
            } => {
                doing.entry(address).or_default().begun.insert(*effect);
            }
            Event::EffectFinished {
                address,
                effect,
                found,
            } => {
                let step = doing.entry(address).or_default();
                step.is_part |= *found || !step.begun.contains(effect);
            }
            Event::StepEnded {
                address,
                outcome: Outcome::Done,
                elapsed_ms,
                ..
            } => {
                if let Some(action) = doing.get(address).and_then(Doing::whole) {
                    history.add(address, action, *elapsed_ms);
                    told = true;
                }
            }
            _ => {}
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use drplan_api::Json;
    use drplan_api::Timestamp;

    use super::*;

    /// What a run with these records says.
    fn told(records: &[Event]) -> bool {
        let line = |(seq, record): (u64, &Event)| Line {
            v: 1,
            seq,
            at: Timestamp::UNIX_EPOCH,
            record: record.clone(),
            chain: String::new(),
        };
        let lines: Vec<Line> = (0..).zip(records).map(line).collect();
        let mut history = History::default();
        let told = add(&lines, &mut history);
        assert_eq!(told, !history.is_empty());
        told
    }

    fn finished(found: bool) -> Event {
        Event::EffectFinished {
            address: Address::new("command.a"),
            effect: 0,
            found,
        }
    }

    #[test]
    fn only_what_a_run_did_whole_and_itself_tells_how_long_it_takes() {
        let address = || Address::new("command.a");
        let started = Event::StepStarted {
            address: address(),
            action: Some(Action::Run),
        };
        let begun = Event::EffectStarted {
            address: address(),
            effect: 0,
            attempt: 1,
            verb: "run".to_owned(),
            object: "a".to_owned(),
            inverse: None,
        };
        let ended = Event::StepEnded {
            address: address(),
            outcome: Outcome::Done,
            evidence: Vec::new(),
            outputs: Json::Null,
            elapsed_ms: 5,
        };
        let (done, found) = (finished(false), finished(true));
        for (what, records, tells) in [
            ("done", vec![&started, &begun, &done, &ended], true),
            ("by hand", vec![&started, &ended], false),
            ("was there", vec![&started, &found, &ended], false),
            ("was begun before", vec![&started, &done, &ended], false),
            (
                "was begun before this run went on",
                vec![&started, &begun, &started, &done, &ended],
                false,
            ),
        ] {
            let records: Vec<Event> = records.into_iter().cloned().collect();
            assert_eq!(told(&records), tells, "{what}");
        }
    }
}
