//! The facts that a plan rests on, in a file: read once with credentials, planned from anywhere without.
//!
//! It answers exactly what was asked when it was made. What it was not asked it cannot tell, and says so.
//! The values of Secrets are digests whose salt died with the process that read them: they tell equal
//! from different and nothing more.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use drplan_api::Answer;
use drplan_api::Ask;
use drplan_api::ConnId;
use drplan_api::ErrorKind;
use drplan_api::Facts;
use drplan_api::Json;
use drplan_api::ProviderError;
use drplan_api::Query;
use drplan_api::TargetId;
use drplan_api::TargetState;
use drplan_api::Timestamp;
use drplan_api::canonical;
use drplan_api::digest;
use drplan_api::is_hole;
use serde::Deserialize;
use serde::Serialize;

use crate::graph::Asks;
use crate::graph::TargetAsk;
use crate::lang::Expr;
use crate::plan::History;
use crate::sealed;
use crate::sealed::SealError;
use crate::sealed::Voucher;
use crate::secrets::Secrets;

/// The version of the format: major is refused if unknown, minor is additive.
const FORMAT: &str = "drplan-snapshot/1.0";

/// What the file is called in messages.
const NOUN: &str = "snapshot";

/// Why a snapshot cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// It cannot be read or written, or was changed.
    #[error(transparent)]
    Sealed(#[from] SealError),
    /// It was written by another version.
    #[error("`{path}` has the format `{found}`; this drplan reads `{FORMAT}`")]
    Version {
        /// Which.
        path: String,
        /// Its format.
        found: String,
    },
    /// It was made for another spec.
    #[error("`{path}` is a snapshot for the recovery `{found}`, and this spec is `{wanted}`")]
    Foreign {
        /// Which.
        path: String,
        /// The recovery that it was made for.
        found: String,
        /// The recovery of the spec.
        wanted: String,
    },
}

/// Recorded facts.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When the world was read.
    pub observed_at: Timestamp,
    /// How long steps took before.
    pub history: History,
    recovery: String,
    targets: BTreeMap<ConnId, Target>,
    answers: BTreeMap<Query, Answer>,
    sameness: Sameness,
}

/// When a connection of the spec is one of the snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sameness {
    /// If it has the same name and the same arguments.
    Arguments,
    /// If it has the same name.
    Name,
}

/// One connection.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Target {
    /// The digest of its arguments: with other arguments it would be another connection.
    arguments: String,
    state: Reached,
}

/// Whether a connection was opened.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reached {
    Ready(TargetId),
    Unreadable(ProviderError),
}

/// The file.
#[derive(Serialize, Deserialize)]
struct File {
    format: String,
    tool: String,
    recovery: String,
    observed_at: Timestamp,
    #[serde(default, skip_serializing_if = "History::is_empty")]
    history: History,
    targets: BTreeMap<ConnId, Target>,
    answers: Vec<Recorded>,
}

/// One question with its answer.
#[derive(Serialize, Deserialize)]
struct Recorded {
    #[serde(flatten)]
    query: Query,
    said: Said,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Said {
    Answer(Arc<Json>),
    Error(ProviderError),
}

/// The arguments of a connection as a digest. Holes count by what they stand for, not by where that is
/// kept, so that an unrelated change of the spec changes nothing here.
pub fn fingerprint(config: &Json, exprs: &[Arc<Expr>]) -> String {
    let mut config = config.clone();
    spell_out(&mut config, exprs);
    digest(canonical(&config).as_bytes())
}

fn spell_out(json: &mut Json, exprs: &[Arc<Expr>]) {
    if let Some(hole) = is_hole(json) {
        let expr = exprs.get(hole.expr).map(|e| serde_json::to_value(&**e));
        *json = expr.and_then(Result::ok).unwrap_or_default();
        without_places(json);
        return;
    }
    match json {
        Json::Array(items) => items.iter_mut().for_each(|item| spell_out(item, exprs)),
        Json::Object(map) => map.values_mut().for_each(|item| spell_out(item, exprs)),
        _ => {}
    }
}

/// Leaves out where in the spec the parts of an expression stand.
fn without_places(json: &mut Json) {
    match json {
        Json::Array(items) => items.iter_mut().for_each(without_places),
        Json::Object(map) => {
            map.remove("span");
            map.values_mut().for_each(without_places);
        }
        _ => {}
    }
}

impl Snapshot {
    /// Keeps facts. `fingerprints` are those of the connections' arguments.
    pub fn of(
        recovery: &str,
        observed_at: Timestamp,
        facts: &Facts,
        fingerprints: &BTreeMap<ConnId, String>,
        history: &History,
        secrets: &Secrets,
    ) -> Self {
        let mut targets = BTreeMap::new();
        for (conn, state) in &facts.targets {
            let state = match state {
                TargetState::Ready(id) => Reached::Ready(id.clone()),
                TargetState::Unreadable(error) => {
                    Reached::Unreadable(secrets.scrub_error(error.clone()))
                }
                // That follows from the spec and from what is declared, not from the world.
                TargetState::NotYet { .. } | TargetState::Lost { .. } => continue,
            };
            let arguments = fingerprints.get(conn).cloned().unwrap_or_default();
            targets.insert(conn.clone(), Target { arguments, state });
        }
        let answers = facts.answers.iter().map(|(query, answer)| {
            let answer = match answer {
                Ok(json) => Ok(Arc::new(secrets.scrub_json(json))),
                Err(error) => Err(secrets.scrub_error(error.clone())),
            };
            (query.clone(), answer)
        });
        Self {
            observed_at,
            history: history.clone(),
            recovery: recovery.to_owned(),
            targets,
            answers: answers.collect(),
            sameness: Sameness::Arguments,
        }
    }

    /// Takes connections for the same that have the same name: in another world they are reached otherwise.
    #[must_use]
    pub fn by_name(mut self) -> Self {
        self.sameness = Sameness::Name;
        self
    }

    /// The connections whose arguments are others now. `fingerprints` are those of now.
    pub fn with_other_arguments(&self, fingerprints: &BTreeMap<ConnId, String>) -> Vec<ConnId> {
        let other = |(conn, target): &(&ConnId, &Target)| {
            let now = fingerprints.get(*conn);
            now.is_some_and(|now| *now != target.arguments)
        };
        let found = self.targets.iter().filter(other);
        found.map(|(conn, _)| conn.clone()).collect()
    }

    /// What each connection was asked, with its answers.
    pub fn answers(&self) -> BTreeMap<ConnId, Vec<(&Ask, &Answer)>> {
        let mut out: BTreeMap<ConnId, Vec<(&Ask, &Answer)>> = BTreeMap::new();
        for (query, answer) in &self.answers {
            match out.get_mut(&query.conn) {
                Some(all) => all.push((&query.ask, answer)),
                None => {
                    out.insert(query.conn.clone(), vec![(&query.ask, answer)]);
                }
            }
        }
        out
    }

    /// How many answers it holds, and how many connections.
    pub fn size(&self) -> (usize, usize) {
        (self.answers.len(), self.targets.len())
    }

    /// Writes it: whole or not at all, readable by its owner only.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), SnapshotError> {
        let recorded = |(query, answer): (&Query, &Answer)| Recorded {
            query: query.clone(),
            said: match answer {
                Ok(json) => Said::Answer(Arc::clone(json)),
                Err(error) => Said::Error(error.clone()),
            },
        };
        let file = File {
            format: FORMAT.to_owned(),
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            recovery: self.recovery.clone(),
            observed_at: self.observed_at,
            history: self.history.clone(),
            targets: self.targets.clone(),
            answers: self.answers.iter().map(recorded).collect(),
        };
        Ok(sealed::write(NOUN, &file, Voucher::Nobody, path)?)
    }

    /// Reads one that was made for a recovery.
    ///
    /// # Errors
    ///
    /// If it cannot be read, was changed, or is of another version or recovery.
    pub fn read(path: &Path, recovery: &str) -> Result<Self, SnapshotError> {
        let name = path.display().to_string();
        let (raw, _) = sealed::parse(NOUN, &sealed::read(NOUN, path)?, &name)?;
        let found = raw["format"].as_str().unwrap_or("none").to_owned();
        if !sealed::same_major(&found, FORMAT) {
            return Err(SnapshotError::Version { path: name, found });
        }
        let file: File =
            serde_json::from_value(raw).map_err(|e| SealError::broken(NOUN, &name, e))?;
        if file.recovery != recovery {
            return Err(SnapshotError::Foreign {
                path: name,
                found: file.recovery,
                wanted: recovery.to_owned(),
            });
        }
        let answers = file.answers.into_iter().map(|recorded| {
            let answer = match recorded.said {
                Said::Answer(json) => Ok(json),
                Said::Error(error) => Err(error),
            };
            (recorded.query, answer)
        });
        Ok(Self {
            observed_at: file.observed_at,
            history: file.history,
            recovery: file.recovery,
            targets: file.targets,
            answers: answers.collect(),
            sameness: Sameness::Arguments,
        })
    }

    /// Answers what was asked when it was made; anything else cannot be told.
    pub fn answer(&self, asks: Asks, facts: &mut Facts) {
        for (conn, ask) in asks.targets {
            let state = match ask {
                TargetAsk::Lost(domain) => TargetState::Lost { domain },
                TargetAsk::NotYet(made_by) => TargetState::NotYet { made_by },
                TargetAsk::Open(config) => self.target(&conn, &fingerprint(&config, &asks.exprs)),
            };
            facts.targets.insert(conn, state);
        }
        self.fetch(asks.queries, facts);
    }

    /// Answers questions to connections that are open.
    pub fn fetch(&self, queries: BTreeSet<Query>, facts: &mut Facts) {
        for query in queries {
            let answer = self.answers.get(&query).cloned().unwrap_or_else(|| {
                let during = format!("answer the question `{}`", query.ask.op);
                Err(self.unasked(&during, &query.conn, "it was not asked for"))
            });
            facts.answers.insert(query, answer);
        }
    }

    fn target(&self, conn: &ConnId, arguments: &str) -> TargetState {
        let why = match self.targets.get(conn) {
            Some(target) if target.arguments == arguments || self.sameness == Sameness::Name => {
                return match &target.state {
                    Reached::Ready(id) => TargetState::Ready(id.clone()),
                    Reached::Unreadable(error) => TargetState::Unreadable(error.clone()),
                };
            }
            Some(_) => "it was made with other arguments",
            None => "it was not asked for",
        };
        TargetState::Unreadable(self.unasked("open a connection", conn, why))
    }

    /// A question of which the snapshot knows nothing. Never *not found*, which would say something about
    /// the world.
    fn unasked(&self, during: &str, conn: &ConnId, why: &str) -> ProviderError {
        let at = crate::render::style::time(self.observed_at);
        ProviderError::new(ErrorKind::Unreachable, during, conn.to_string()).because(format!(
            "not in the snapshot of {at} ({why}); make a new one with `drplan snapshot --out FILE`"
        ))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn facts() -> Facts {
        let site = ConnId::new("kubernetes.site");
        let mut facts = Facts::default();
        facts
            .targets
            .insert(site.clone(), TargetState::Ready(TargetId("uid".to_owned())));
        facts.answers.insert(
            Query::new(&site, "list", &json!({"plural": "pods"})),
            Ok(Arc::new(json!({"items": [{"env": "is hunter22!"}]}))),
        );
        facts
    }

    fn made(secrets: &Secrets) -> Snapshot {
        let site = ConnId::new("kubernetes.site");
        let prints = BTreeMap::from([(site, fingerprint(&json!({"context": "a"}), &[]))]);
        let history = History::default();
        Snapshot::of(
            "shop",
            Timestamp::UNIX_EPOCH,
            &facts(),
            &prints,
            &history,
            secrets,
        )
    }

    fn no_secrets() -> Secrets {
        Secrets::new(Path::new("."), BTreeMap::new())
    }

    fn ask(plural: &str, config: Json) -> Asks {
        let site = ConnId::new("kubernetes.site");
        let mut asks = Asks::default();
        asks.queries
            .insert(Query::new(&site, "list", &json!({ "plural": plural })));
        asks.targets.insert(site, TargetAsk::Open(config));
        asks
    }

    #[test]
    fn a_snapshot_says_again_what_was_said() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("s");
        made(&no_secrets()).write(&path).expect("written");
        let read = Snapshot::read(&path, "shop").expect("read");
        let mut again = Facts::default();
        read.answer(ask("pods", json!({"context": "a"})), &mut again);
        assert_eq!(again.targets, facts().targets);
        assert_eq!(again.answers, facts().answers);
        assert!(Snapshot::read(&path, "other").is_err());
    }

    #[test]
    fn what_was_not_asked_or_asked_of_another_is_unreadable_and_never_absent() {
        let mut again = Facts::default();
        made(&no_secrets()).answer(ask("secrets", json!({"context": "b"})), &mut again);
        let error = again.answers.values().next().expect("an answer").clone();
        let error = error.expect_err("not known");
        assert_eq!(error.kind, ErrorKind::Unreachable);
        assert!(error.to_string().contains("not in the snapshot"), "{error}");
        let target = again.targets.values().next().expect("a target");
        assert!(
            matches!(target, TargetState::Unreadable(e) if e.to_string().contains("other arguments")),
            "{target:?}"
        );
    }

    #[test]
    fn what_was_opened_as_a_secret_stands_in_no_answer() {
        let given = BTreeMap::from([("p".to_owned(), "hunter22".to_owned())]);
        let snapshot = made(&Secrets::new(Path::new("."), given));
        let text = format!("{snapshot:?}");
        assert!(
            !text.contains("hunter22") && text.contains("is (secret)!"),
            "{text}"
        );
    }
}
