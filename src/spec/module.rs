//! A module: what a spec says, with a span on everything.

use std::collections::BTreeMap;
use std::time::Duration;

use drplan_api::Address;
use drplan_api::ConnId;
use drplan_api::Timestamp;

use super::variables::Variable;
use crate::lang::Attr;
use crate::lang::Expr;
use crate::lang::Span;

/// How stages order what no reference orders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ordering {
    /// Stage by stage, with a barrier between them.
    #[default]
    Staged,
    /// Only the edges that are needed.
    Inferred,
}

/// The `recovery` block.
#[derive(Clone, Debug)]
pub struct Recovery {
    /// Its name, which names lock and stamps.
    pub name: String,
    /// The most data that may be lost.
    pub rpo: Option<Duration>,
    /// The longest that the recovery may take.
    pub rto: Option<Duration>,
    /// When the disaster happened.
    pub incident_at: Option<Timestamp>,
    /// How stages order.
    pub ordering: Ordering,
    /// Whom to call.
    pub contacts: BTreeMap<String, String>,
    /// Where runs are kept, if not beside the spec.
    pub run_store: Option<RunStoreBlock>,
}

/// The `run_store` block of a recovery: where runs, journals and the lock are kept.
#[derive(Clone, Debug)]
pub struct RunStoreBlock {
    /// The connection.
    pub conn: ConnId,
    /// The bucket.
    pub bucket: String,
    /// What all keys begin with.
    pub prefix: String,
    /// The header.
    pub span: Span,
}

/// A `provider` block.
#[derive(Clone, Debug)]
pub struct ProviderBlock {
    /// `SYSTEM.NAME`.
    pub conn: ConnId,
    /// The system.
    pub system: String,
    /// Its arguments without meta-arguments.
    pub args: BTreeMap<String, Attr>,
    /// The failure domains that it lies in.
    pub failure_domain: Option<Expr>,
    /// The header.
    pub span: Span,
}

/// A `resource` or `data` block.
#[derive(Clone, Debug)]
pub struct ResourceBlock {
    /// The address without instance key.
    pub address: Address,
    /// The kind.
    pub kind: String,
    /// The kind's own arguments; nested blocks are objects.
    pub args: BTreeMap<String, Attr>,
    /// Meta-arguments such as `stage`, `depends_on`, `for_each`.
    pub meta: BTreeMap<String, Attr>,
    /// The header.
    pub span: Span,
}

/// A `check` block.
#[derive(Clone, Debug)]
pub struct CheckBlock {
    /// `check.NAME`.
    pub address: Address,
    /// Condition and message.
    pub asserts: Vec<(Expr, Expr)>,
    /// Whether a failed assertion fails the run.
    pub warning: bool,
    /// Explicit dependencies.
    pub depends_on: Option<Attr>,
    /// The header.
    pub span: Span,
}

/// A `scenario` block: a disaster that has not happened.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The failure domains that it takes away, each with where it stands.
    pub lost: Vec<(String, Span)>,
    /// The header.
    pub span: Span,
}

/// What a spec says.
#[derive(Clone, Debug)]
pub struct Module {
    /// The recovery.
    pub recovery: Recovery,
    /// Input variables.
    pub variables: BTreeMap<String, Variable>,
    /// Named expressions.
    pub locals: BTreeMap<String, Attr>,
    /// Connections.
    pub providers: BTreeMap<ConnId, ProviderBlock>,
    /// Resources and data sources.
    pub resources: BTreeMap<Address, ResourceBlock>,
    /// Checks.
    pub checks: BTreeMap<Address, CheckBlock>,
    /// Outputs.
    pub outputs: BTreeMap<String, Attr>,
    /// Failure domains and those that they lie in.
    pub domains: BTreeMap<String, Vec<String>>,
    /// Disasters to plan for.
    pub scenarios: BTreeMap<String, Scenario>,
}

/// The meta-arguments that every resource takes.
pub(super) const META: &[&str] = &[
    "count",
    "criticality",
    "depends_on",
    "expected",
    "failure_domain",
    "for_each",
    "guards",
    "provider",
    "providers",
    "read",
    "stage",
    "timeout",
];

/// The meta-arguments that every provider takes.
pub(super) const META_OF_PROVIDERS: &[&str] = &["failure_domain"];

impl Module {
    /// The module of a spec that says nothing.
    pub(super) fn empty() -> Self {
        Self {
            recovery: Recovery {
                name: "recovery".to_owned(),
                rpo: None,
                rto: None,
                incident_at: None,
                ordering: Ordering::Staged,
                contacts: BTreeMap::new(),
                run_store: None,
            },
            variables: BTreeMap::new(),
            locals: BTreeMap::new(),
            providers: BTreeMap::new(),
            resources: BTreeMap::new(),
            checks: BTreeMap::new(),
            outputs: BTreeMap::new(),
            domains: BTreeMap::new(),
            scenarios: BTreeMap::new(),
        }
    }
}
