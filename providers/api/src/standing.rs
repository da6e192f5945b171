//! What recorded answers say about what stood behind a connection: where a rehearsal begins.
//!
//! Only who gives the answers knows what they mean; who makes a world of it knows nothing of questions. What
//! stands here comes from a file that anybody may have edited: it has the shape of its type and no other
//! promise. A secret is a digest or `(secret)` in it, never the value.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::Answer;
use crate::Ask;
use crate::ErrorKind;
use crate::Json;
use crate::Timestamp;

/// How many questions a sentence names.
const QUESTIONS_MAX: usize = 5;

/// Something that stood behind a connection when it was asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// Who it was, in the system's own words: two that differ were two.
    Identity(String),
    /// Which version it had.
    Version(String),
    /// A type of objects that it served.
    Type(StandingType),
    /// All objects of a type: there were no others.
    All {
        /// The group of the type; empty for the core group.
        group: String,
        /// The name of the type in paths.
        plural: String,
        /// The objects; what was hidden in them is `{"$digest": …}`.
        objects: Vec<Json>,
    },
    /// Some objects, as in [`Standing::All`]; there may have been others.
    Objects(Vec<Json>),
    /// An object could be applied as it is here, past nobody who owns a field of it.
    Applied {
        /// Who would have applied it.
        manager: String,
        /// What would have been applied, with namespace and name.
        object: Json,
    },
    /// A zone of names, and its record sets in the shape of the AWS command line, if they were asked for.
    Zone {
        /// Its name.
        name: String,
        /// Whether only a private network sees it.
        private: bool,
        /// Its record sets.
        sets: Option<Vec<Json>>,
    },
    /// What lay under a prefix of a bucket: there was nothing else.
    Keys {
        /// The bucket.
        bucket: String,
        /// The prefix.
        prefix: String,
        /// What cuts keys to common prefixes, if anything does.
        delimiter: Option<String>,
        /// The keys.
        keys: Vec<StandingKey>,
        /// The common prefixes.
        prefixes: Vec<String>,
    },
    /// An object of a bucket whose content follows from what was read of it.
    Content {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
        /// What reads as the same again.
        bytes: Vec<u8>,
    },
    /// All roles of a database server.
    Roles(Vec<String>),
    /// All databases of a database server, templates left out.
    Databases(Vec<String>),
    /// What users kept in a database.
    Tables {
        /// The database.
        database: String,
        /// Its tables, views and sequences.
        tables: Vec<StandingTable>,
    },
    /// The row by which a restore marked a database.
    Marker {
        /// The database.
        database: String,
        /// The row.
        row: Json,
    },
    /// How a program ended that changes nothing.
    Ended {
        /// The program and its arguments.
        argv: Vec<String>,
        /// What its environment had beside that of drplan.
        env: BTreeMap<String, String>,
        /// Where it ran, relative to the folder of the spec; empty for there.
        cwd: String,
        /// Its exit code.
        code: i32,
        /// What it printed, as far as that was kept.
        stdout: String,
        /// What it complained of, as far as that was kept.
        stderr: String,
    },
    /// A file, relative to the folder of the spec.
    File {
        /// Where.
        path: String,
        /// Whether it was there.
        present: bool,
        /// What stood in it; `None` if that is a secret.
        content: Option<String>,
    },
    /// What no world can be made of, as a sentence without a full stop.
    Unknown(String),
}

impl Standing {
    /// What questions to which there was no answer would have found, a sentence for each sort of failure. That
    /// something is not there is an answer.
    pub fn unanswered(answers: &[(&Ask, &Answer)]) -> Vec<Self> {
        let mut failed: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for error in answers
            .iter()
            .filter_map(|(_, answer)| answer.as_ref().err())
        {
            if !matches!(error.kind, ErrorKind::NotFound | ErrorKind::NoSuchType) {
                failed
                    .entry(error.kind.word())
                    .or_default()
                    .insert(&error.during);
            }
        }
        let sentence = |(why, during): (&str, BTreeSet<&str>)| {
            let shown: Vec<&str> = during.iter().copied().take(QUESTIONS_MAX).collect();
            let more = match during.len().saturating_sub(QUESTIONS_MAX) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            Self::Unknown(format!("the answer to {}{more}: {why}", shown.join(", ")))
        };
        failed.into_iter().map(sentence).collect()
    }
}

/// A type of objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandingType {
    /// The group; empty for the core group.
    pub group: String,
    /// The version.
    pub version: String,
    /// The kind.
    pub kind: String,
    /// The name in paths.
    pub plural: String,
    /// Whether objects lie in namespaces.
    pub namespaced: bool,
}

/// A key of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandingKey {
    /// The key.
    pub key: String,
    /// The size in bytes.
    pub size: u64,
    /// When it was written.
    pub modified: Option<Timestamp>,
    /// Its ETag, without quotes.
    pub etag: String,
}

/// A table, a view or a sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandingTable {
    /// Its name with its schema.
    pub name: String,
    /// What it is, `table`, `sequence`.
    pub sort: String,
    /// How many bytes it has on disk.
    pub bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ProviderError;

    #[test]
    fn a_question_that_failed_is_told_and_one_about_what_is_not_there_was_answered() {
        let failed =
            |kind, during: &str| -> Answer { Err(ProviderError::new(kind, during, "here")) };
        let ask = Ask::new("list", &());
        let mut said: Vec<Answer> = (0..7)
            .map(|n| failed(ErrorKind::Denied, &format!("list `{n}`")))
            .collect();
        said.push(failed(ErrorKind::Denied, "list `0`"));
        said.push(failed(ErrorKind::NotFound, "get `a`"));
        said.push(failed(ErrorKind::Unreachable, "get `b`"));
        let answers: Vec<(&Ask, &Answer)> = said.iter().map(|answer| (&ask, answer)).collect();
        let told = [
            "the answer to list `0`, list `1`, list `2`, list `3`, list `4` and 2 more: denied",
            "the answer to get `b`: no answer",
        ];
        let told = told.map(|text| Standing::Unknown(text.to_owned()));
        assert_eq!(Standing::unanswered(&answers), told);
    }
}
