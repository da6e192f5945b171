//! Runs all sequences against a server and holds the answers to the recording.
//!
//! Knows nothing about which server it is.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;

use anyhow::Context as _;
use anyhow::Result;
use futures::FutureExt as _;

use crate::compare;
use crate::compare::Difference;
use crate::outcome::Outcomes;
use crate::recording::Recording;
use crate::report::Tally;
use crate::run::Runner;
use crate::sequence;
use crate::sequence::Topic;

/// The answers, by the name of the sequence.
pub type Answers = BTreeMap<String, Outcomes>;

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The answers of the sequences that ran to their end.
    pub answers: Answers,
    /// The counts, and what broke off.
    pub tally: Tally,
}

/// Whether anything goes on in the server by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controllers {
    /// Namespaces and garbage are collected, workloads come up.
    Running,
    /// Only requests change anything.
    Stopped,
}

/// Reads the sequences, or those whose name or topic holds a word.
///
/// # Errors
///
/// When they cannot be read.
pub fn topics(only: Option<&str>) -> Result<Vec<Topic>> {
    let mut topics = sequence::load(&sequence::root().join("kubernetes"))?;
    if let Some(word) = only {
        for topic in &mut topics {
            if !topic.name.contains(word) {
                topic
                    .sequences
                    .retain(|sequence| sequence.name.contains(word));
            }
        }
        topics.retain(|topic| !topic.sequences.is_empty());
    }
    Ok(topics)
}

/// Asks a server everything that wants controllers to be as they are there.
pub async fn ask(
    runner: &mut Runner,
    topics: &[Topic],
    controllers: Controllers,
    asked: &mut Asked,
) {
    for sequence in topics.iter().flat_map(|topic| &topic.sequences) {
        if sequence.needs.controllers != (controllers == Controllers::Running) {
            continue;
        }
        asked.tally.sequences += 1;
        asked.tally.steps += sequence.steps.len();
        // A server in this process may panic; the other sequences still tell something.
        let done = AssertUnwindSafe(runner.run(sequence)).catch_unwind().await;
        let why = match done {
            Ok(Ok(outcomes)) => {
                asked.answers.insert(sequence.name.clone(), outcomes);
                continue;
            }
            Ok(Err(error)) => format!("{error:#}"),
            Err(_) => "the server panicked".to_owned(),
        };
        asked.tally.broken.insert(sequence.name.clone(), why);
    }
}

/// Finds where answers differ from the recording.
///
/// # Errors
///
/// When something is not recorded.
pub fn differences(topics: &[Topic], answers: &Answers) -> Result<Vec<Difference>> {
    let kept = sequence::root().join("kubernetes/recorded");
    let mut found = Vec::new();
    for topic in topics {
        let recording = Recording::load(&kept, &topic.name)?;
        for sequence in &topic.sequences {
            let Some(outcomes) = answers.get(&sequence.name) else {
                continue;
            };
            let recorded = recording
                .sequences
                .get(&sequence.name)
                .with_context(|| format!("`{}` is not recorded", sequence.name))?;
            found.extend(compare::sequence(&sequence.name, recorded, outcomes));
        }
    }
    Ok(found)
}
