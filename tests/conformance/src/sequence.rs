//! Sequences of requests, as they stand in the files.
//!
//! Knows nothing about sending them.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::ensure;
use serde::Deserialize;
use serde_json::Value;

/// The folder of this crate.
#[must_use]
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// One file of sequences about one subject.
#[derive(Clone, Debug)]
pub struct Topic {
    /// The file's name without its ending.
    pub name: String,
    /// The sequences, in the order of the file.
    pub sequences: Vec<Sequence>,
}

/// Stands in the place of a request: the server forgets its history.
pub const COMPACT: &str = "COMPACT";

/// Requests that follow each other in a namespace of their own.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sequence {
    /// Unique among all files.
    pub name: String,
    /// What it shows, in a sentence.
    pub says: String,
    /// What must be there.
    #[serde(default)]
    pub needs: Needs,
    /// The requests.
    pub steps: Vec<Step>,
}

/// What a sequence wants to find.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Needs {
    /// Namespaces and garbage are collected, workloads come up.
    #[serde(default)]
    pub controllers: bool,
    /// Names of setups that are done once for each server.
    #[serde(default)]
    pub setup: Vec<String>,
}

/// A user of the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Who {
    /// May do everything.
    #[default]
    Admin,
    /// Called `nobody`; has no rights beyond those of everybody who is known.
    Nobody,
    /// Called `viewer`; may get, list and watch ConfigMaps everywhere.
    Viewer,
    /// Sends no token.
    Anonymous,
    /// Sends a token that nobody gave out.
    Stranger,
}

/// One request and what is kept of its answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Method, path and query: `GET /api/v1/namespaces/<ns>/pods?limit=1`; or [`COMPACT`].
    pub r#do: String,
    /// Who asks.
    #[serde(default)]
    pub who: Who,
    /// The `Accept` header, or a short word for one.
    pub accept: Option<String>,
    /// The `Content-Type` header, or a short word for one.
    pub content: Option<String>,
    /// The body, as data.
    pub body: Option<Value>,
    /// The body, as text.
    pub text: Option<String>,
    /// The word `<fill>` in the body stands for so many bytes.
    pub fill_bytes: Option<usize>,
    /// The code that makes the sequence mean what it says.
    pub code: Option<u16>,
    /// Values of the answer that later steps use: word and pointer.
    #[serde(default)]
    pub keep: BTreeMap<String, String>,
    /// Repeats the request until its answer is so.
    pub until: Option<Until>,
    /// Compares only the values at these pointers.
    #[serde(default)]
    pub pick: Vec<String>,
    /// Compares only some items of a list.
    pub among: Option<Among>,
    /// Compares the items of a list or the objects of a watch as a whole, not by name.
    #[serde(default)]
    pub whole: bool,
    /// Compares `managedFields` too.
    #[serde(default)]
    pub managed_fields: bool,
    /// Compares the words of a refusal too.
    #[serde(default)]
    pub wording: bool,
    /// The request is a watch.
    pub watch: Option<Watch>,
}

/// What an answer must become.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Until {
    /// The HTTP code.
    pub code: Option<u16>,
    /// Pointer and value; `null` stands for a value that is not there.
    #[serde(default)]
    pub values: BTreeMap<String, Value>,
}

/// Which items of a list are compared, sorted by the value that names them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Among {
    /// Pointer to the list.
    pub list: String,
    /// Pointer to an item's name.
    pub by: String,
    /// The names.
    pub names: Vec<String>,
    /// Pointers that are kept of each item; all when empty.
    #[serde(default)]
    pub pick: Vec<String>,
}

/// What happens while a watch is open.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// Ends after so many events; without it when the server ends it.
    pub events: Option<usize>,
    /// Requests that are sent once the watch is open.
    #[serde(default)]
    pub during: Vec<Step>,
}

/// Reads all sequences of a folder, ordered by file name.
///
/// # Errors
///
/// When a file cannot be read, or a name stands twice.
pub fn load(folder: &Path) -> Result<Vec<Topic>> {
    let mut topics = Vec::new();
    let listed =
        std::fs::read_dir(folder).with_context(|| format!("cannot list `{}`", folder.display()))?;
    for entry in listed {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "yaml") {
            topics.push(topic(&path)?);
        }
    }
    topics.sort_by(|a: &Topic, b: &Topic| a.name.cmp(&b.name));
    let mut seen = BTreeMap::new();
    for topic in &topics {
        for sequence in &topic.sequences {
            let before = seen.insert(sequence.name.as_str(), topic.name.as_str());
            ensure!(
                before.is_none(),
                "the name `{}` stands twice: in `{}` and in `{}`",
                sequence.name,
                before.unwrap_or_default(),
                topic.name
            );
        }
    }
    Ok(topics)
}

fn topic(path: &Path) -> Result<Topic> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    Ok(Topic {
        name: name.into_owned(),
        sequences: yaml(path)?,
    })
}

/// Reads the steps that are done once for each server, by name.
///
/// # Errors
///
/// When the file cannot be read.
pub fn load_setups() -> Result<BTreeMap<String, Vec<Step>>> {
    yaml(&root().join("setups.yaml"))
}

/// Reads a YAML file.
pub(crate) fn yaml<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read `{}`", path.display()))?;
    // Words like `on` and `y` are names here, as they are in JSON.
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(&text, options)
        .with_context(|| format!("in `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_sequences_can_be_read_and_no_name_stands_twice() {
        let topics = load(&root().join("kubernetes")).unwrap();
        assert!(!topics.is_empty());
        load_setups().unwrap();
    }
}
