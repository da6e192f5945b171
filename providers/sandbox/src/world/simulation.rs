//! What stands in for each kind's system, so that a report can say what a rehearsal proves.

use serde::Serialize;

/// Who does the work of a kind in a rehearsal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The kind's own requests, answered by a server of the world that is held against the real one.
    Server,
    /// A simulator reads the real inputs and does in the world what the real program or controller
    /// would; what it proves is marked as simulated.
    Simulator,
    /// Nobody is asked: the rehearsal answers for the person.
    Nobody,
}

/// How a kind is rehearsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Simulation {
    /// The kind.
    pub kind: &'static str,
    /// Who does its work.
    pub by: By,
    /// What that is, in words.
    pub what: &'static str,
}

const fn is(kind: &'static str, by: By, what: &'static str) -> Simulation {
    Simulation { kind, by, what }
}

/// Every kind that can be rehearsed, in order of name.
pub const SIMULATIONS: &[Simulation] = &[
    is("approval", By::Nobody, "approved by the rehearsal"),
    is(
        "command",
        By::Simulator,
        "what the world file says of the program",
    ),
    is(
        "helm_release",
        By::Simulator,
        "a Helm that renders simple charts",
    ),
    is(
        "http_check",
        By::Simulator,
        "the world's network, records and pods",
    ),
    is(
        "kubernetes_cluster",
        By::Server,
        "the embedded Kubernetes API",
    ),
    is(
        "kubernetes_manifest",
        By::Server,
        "the embedded Kubernetes API",
    ),
    is(
        "kubernetes_pause",
        By::Server,
        "the embedded Kubernetes API",
    ),
    is(
        "kubernetes_release",
        By::Server,
        "the embedded Kubernetes API",
    ),
    is(
        "postgres_restore",
        By::Simulator,
        "a PostgreSQL and a pg_restore that read the real archive",
    ),
    is("route53_record", By::Server, "the strict Route 53 server"),
    is(
        "velero_backup_location",
        By::Simulator,
        "the embedded Kubernetes API and Velero's simulator",
    ),
    is(
        "velero_restore",
        By::Simulator,
        "a Velero that restores the real archive",
    ),
];

/// A kind whose steps start programs that a world file stands in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Starter {
    /// The kind.
    pub kind: &'static str,
    /// The arguments that are command lines.
    pub lines: &'static [&'static str],
    /// The argument that names the folder that they run in, relative to that of the spec.
    pub folder: &'static str,
}

/// All of them.
pub const STARTERS: &[Starter] = &[Starter {
    kind: "command",
    lines: &["check", "apply"],
    folder: "working_dir",
}];

/// The client programs that the world itself stands in for; a world file may replace them.
pub const CLIENTS: &[&str] = &["helm", "pg_restore", "psql"];

/// How a resource kind is rehearsed, if it can be.
#[must_use]
pub fn simulation(kind: &str) -> Option<&'static Simulation> {
    SIMULATIONS.iter().find(|s| s.kind == kind)
}
