//! What was asked of a cluster, one entry for each write.

use serde::Serialize;

/// A write that was asked for, whatever came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Audited {
    /// Who asked.
    pub user: String,
    /// The verb, such as `create` or `patch`.
    pub verb: &'static str,
    /// The resource with its group and, after a slash, its subresource: `deployments.apps/status`.
    pub resource: String,
    /// The namespace, if there is one.
    pub namespace: Option<String>,
    /// The name; of a creation, the name that the object got.
    pub name: String,
    /// Whether it was only tried.
    pub dry_run: bool,
    /// The code of the answer.
    pub code: u16,
}
