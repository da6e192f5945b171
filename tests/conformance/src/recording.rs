//! The answers of the real server, as they are kept in the tree.
//!
//! One file for each topic, so that a change of a server shows where it belongs. Knows nothing
//! about comparing.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use anyhow::Result;
use serde::Deserialize;
use serde::Serialize;

use crate::outcome::Outcomes;

/// Where the answers come from and under which licence that program stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The program that answered.
    pub component: String,
    /// Its version.
    pub version: String,
    /// The licence of the program, whose words these answers quote.
    pub licence: String,
    /// How the file is made again.
    pub made_by: String,
}

/// The answers to one topic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    /// Where they come from.
    pub origin: Origin,
    /// The answers, by the name of the sequence.
    pub sequences: BTreeMap<String, Outcomes>,
}

impl Recording {
    /// Reads the recording of a topic.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn load(folder: &Path, topic: &str) -> Result<Self> {
        let path = folder.join(format!("{topic}.json"));
        let text = std::fs::read(&path).with_context(|| {
            format!(
                "cannot read `{}`; `cargo run -p drplan-conformance -- record` makes it",
                path.display()
            )
        })?;
        serde_json::from_slice(&text).with_context(|| format!("in `{}`", path.display()))
    }

    /// Writes the recording of a topic.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn save(&self, folder: &Path, topic: &str) -> Result<()> {
        let path = folder.join(format!("{topic}.json"));
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        std::fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))
    }
}
