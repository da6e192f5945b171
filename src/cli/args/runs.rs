//! Arguments of the commands that tell of runs.

use std::path::PathBuf;

use clap::Args;
use clap::Subcommand;
use clap::ValueEnum;

use super::VarArgs;

/// `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// A run, by the beginning of its id; without one, the newest.
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// Values of variables, for the place where runs are kept.
    #[command(flatten)]
    pub vars: VarArgs,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// `pause` and `resume`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// A run, by the beginning of its id; without one, the newest.
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// Values of variables, for the place where runs are kept.
    #[command(flatten)]
    pub vars: VarArgs,
}

/// `unlock`.
#[derive(Debug, Args)]
pub struct UnlockArgs {
    /// The whole id of the run that holds the lock, as `status` shows it.
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Values of variables, for the place where runs are kept.
    #[command(flatten)]
    pub vars: VarArgs,
}

/// Formats of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For a terminal.
    Text,
    /// The report as data.
    Json,
    /// For a ticket.
    Markdown,
    /// For CI.
    Junit,
    /// One file with pictures.
    Html,
}

/// `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The run, or the beginning of its id; the newest if it is not given.
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// Values of variables, for the place where runs are kept.
    #[command(flatten)]
    pub vars: VarArgs,
    /// The format.
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub format: ReportFormat,
    /// Print one JSON document; the same as `--format json`.
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// Write it to a file.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// `evidence`.
#[derive(Debug, Args)]
pub struct EvidenceArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub command: EvidenceCommand,
}

/// What is done with evidence.
#[derive(Debug, Subcommand)]
pub enum EvidenceCommand {
    /// Check the chain of the journal and that the plan is the one that was applied.
    Verify(VerifyArgs),
    /// Pack plan, journal and report into one file.
    Export(ExportArgs),
}

/// `evidence verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The run, or the beginning of its id; the newest if it is not given.
    #[arg(value_name = "RUN", conflicts_with = "file")]
    pub run: Option<String>,
    /// Values of variables, for the place where runs are kept.
    #[command(flatten)]
    pub vars: VarArgs,
    /// Hold it against the last link of the chain, as it was kept elsewhere.
    #[arg(long, value_name = "HEX")]
    pub head: Option<String>,
    /// Check a file that `evidence export` wrote.
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The public key that must have signed the file.
    #[arg(long, value_name = "KEY", requires = "file")]
    pub signed_by: Option<PathBuf>,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// `evidence export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The run, or the beginning of its id; the newest if it is not given.
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// Values of variables, for the place where runs are kept.
    #[command(flatten)]
    pub vars: VarArgs,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Sign it with a private Ed25519 key.
    #[arg(long, value_name = "KEY")]
    pub sign: Option<PathBuf>,
}
