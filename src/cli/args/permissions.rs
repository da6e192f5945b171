//! Arguments of `permissions`.

use std::path::PathBuf;

use clap::Args;
use clap::ValueEnum;

use super::PlanningArgs;

/// `permissions`.
#[derive(Debug, Args)]
pub struct PermissionsArgs {
    /// What the plan is told.
    #[command(flatten)]
    pub planning: PlanningArgs,
    /// Read a snapshot instead of the world.
    #[arg(long, value_name = "SNAPSHOT")]
    pub live: Option<PathBuf>,
    /// For what: `plan` lists only what reading takes; `apply`, or nothing, lists all.
    #[arg(long = "for", value_name = "WHAT")]
    pub purpose: Option<Purpose>,
    /// Only this connection.
    #[arg(long, value_name = "SYSTEM.NAME")]
    pub connection: Option<String>,
    /// How to print it.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: PermissionsFormat,
    /// Whom a grant is for: a user of the cluster, a role of the database.
    #[arg(long, value_name = "NAME", default_value = "drplan")]
    pub to: String,
    /// Fail if a target that answers refuses one of them.
    #[arg(long)]
    pub check: bool,
}

/// What rights are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Purpose {
    /// Reading alone.
    Plan,
    /// All: whoever applies plans, too.
    Apply,
}

/// How rights are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PermissionsFormat {
    /// For people.
    Text,
    /// One JSON document.
    Json,
    /// What an administrator gives: a ClusterRole, an IAM policy, SQL statements.
    Grant,
}
