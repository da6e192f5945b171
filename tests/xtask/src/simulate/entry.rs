//! One thing that happened in a simulated life, as the world saw it or as the engine said it.

use drplan::apply::Event;
use drplan_api::Timestamp;
use drplan_api::process::Program;
use drplan_sandbox::world::Request;
use serde::Serialize;
use serde_json::Value;

/// What marks drplan's own writes to a cluster in a query.
const OURS: &str = "fieldManager=drplan";
/// What names the step that a written object belongs to: a label, and an annotation with the whole
/// address where there is one.
const STEP: &str = "drplan.io/step";
/// The annotation that keeps what a paused object was. Whoever pauses or releases writes it.
const PAUSED: &str = "drplan.io/paused";
/// What tells the database that a restore fills.
const DATABASE: &str = "PGDATABASE";
/// How many digits of a body's digest are kept.
const DIGITS: usize = 12;

/// One thing that happened.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Entry {
    /// When, by the world's clock.
    pub(super) at: Timestamp,
    /// In which run.
    pub(super) run: usize,
    /// What.
    pub(super) what: What,
}

/// What happened.
#[derive(Clone, Debug, Serialize)]
pub(super) enum What {
    /// A run began, with planning.
    Began,
    /// The engine said so.
    Event(Event),
    /// A request reached a server.
    Came(Asked),
    /// It was answered with this status.
    Left(Asked, u16),
    /// It was served with this status, and the answer was lost.
    Lost(Asked, u16),
    /// Its connection broke before it was served.
    Broke(Asked),
    /// A program started.
    Starts(Ran),
    /// A program ended with this exit code; without one it was killed.
    Ends(Ran, Option<i32>),
    /// The run was cut off.
    Crashed,
}

/// A request.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Asked {
    /// The host.
    pub(super) host: String,
    /// The method.
    pub(super) method: String,
    /// Path and query.
    pub(super) target: String,
    /// What it brought, by digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<String>,
    /// Who sent it, as far as it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) by: Option<Sender>,
}

/// Who a write says that it comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) enum Sender {
    /// This step.
    Step(String),
    /// Whoever pauses or releases.
    Pauser,
}

impl Asked {
    pub(super) fn of(request: Request<'_>) -> Self {
        let target = request.uri.path_and_query();
        let brought = Some(request.body).filter(|body| !body.is_empty());
        Self {
            host: request.host.to_owned(),
            method: request.method.to_string(),
            target: target.map(ToString::to_string).unwrap_or_default(),
            body: brought.map(|body| drplan_api::digest(body).chars().take(DIGITS).collect()),
            by: brought.and_then(sender),
        }
    }

    /// The path without the query.
    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Whether it changes something where it is carried out. Reviews and trials do not.
    pub(super) fn changes(&self) -> bool {
        let reads = ["GET", "HEAD"].contains(&self.method.as_str());
        let tries = self.target.contains("dryRun") || self.target.contains("reviews");
        !reads && !tries
    }

    /// Whether it changes records of a zone.
    pub(super) fn changes_records(&self) -> bool {
        self.method == "POST" && self.path().trim_end_matches('/').ends_with("/rrset")
    }

    /// Whether drplan itself sent it to change something; programs that it started do so under names
    /// of their own.
    pub(super) fn is_our_change(&self) -> bool {
        self.changes() && (self.target.contains(OURS) || self.changes_records())
    }
}

fn sender(body: &[u8]) -> Option<Sender> {
    let object: Value = serde_json::from_slice(body).ok()?;
    let metadata = &object["metadata"];
    let step = ["annotations", "labels"]
        .iter()
        .find_map(|part| metadata[*part][STEP].as_str());
    if let Some(step) = step {
        return Some(Sender::Step(step.to_owned()));
    }
    let annotations = metadata["annotations"].as_object();
    annotations
        .filter(|all| all.contains_key(PAUSED))
        .map(|_| Sender::Pauser)
}

/// A program that ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Ran {
    /// Program and arguments.
    pub(super) argv: Vec<String>,
    /// The database that it works on, if it is the client of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) database: Option<String>,
}

impl Ran {
    pub(super) fn of(program: &Program) -> Self {
        Self {
            argv: program.argv.clone(),
            database: program.env.get(DATABASE).cloned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_tells_its_step_by_the_stamp_in_its_body() {
        let stamped = br#"{"metadata":{"labels":{"drplan.io/step":"a.b"}}}"#;
        assert_eq!(sender(stamped), Some(Sender::Step("a.b".to_owned())));
        let paused = br#"{"metadata":{"annotations":{"drplan.io/paused":null}}}"#;
        assert_eq!(sender(paused), Some(Sender::Pauser));
        assert_eq!(sender(b"<ChangeBatch/>"), None);
    }

    #[test]
    fn trials_and_reviews_change_nothing_and_helm_is_not_drplan() {
        let asked = |method: &str, target: &str| Asked {
            method: method.to_owned(),
            target: target.to_owned(),
            ..Asked::default()
        };
        assert!(asked("PATCH", "/api/v1/nodes/a?fieldManager=drplan").is_our_change());
        assert!(!asked("PATCH", "/api/v1/nodes/a?fieldManager=helm").is_our_change());
        assert!(!asked("PATCH", "/a?fieldManager=drplan&dryRun=All").changes());
        assert!(
            !asked(
                "POST",
                "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
            )
            .changes()
        );
        assert!(asked("POST", "/2013-04-01/hostedzone/Z/rrset").changes_records());
    }
}
