//! The arguments of all commands.

mod applying;
mod looking;
mod permissions;
mod planning;
#[cfg(feature = "rehearse")]
mod rehearsing;
mod runs;
mod spelling;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::CommandFactory as _;
use clap::FromArgMatches as _;
use clap::Parser;
use clap::Subcommand;
use clap::parser::ValueSource;

pub(crate) use applying::ApplyArgs;
pub(crate) use applying::OnFailureArg;
pub(crate) use applying::OrderArgs;
pub(crate) use applying::ProveArg;
pub(crate) use applying::ReleaseArgs;
pub(crate) use applying::RevertArgs;
pub(crate) use applying::RevertCommand;
pub(crate) use applying::RevertOf;
pub(crate) use looking::DoctorArgs;
pub(crate) use looking::GraphArgs;
pub(crate) use looking::GraphFormat;
pub(crate) use looking::PlanArgs;
pub(crate) use looking::PlanForm;
pub(crate) use looking::PlanFormat;
pub(crate) use looking::PointsArgs;
pub(crate) use looking::SchemaArgs;
pub(crate) use looking::SchemaOf;
pub(crate) use looking::ShowArgs;
pub(crate) use looking::SnapshotArgs;
pub(crate) use looking::ValidateArgs;
pub(crate) use looking::WhyArgs;
pub(crate) use permissions::PermissionsArgs;
pub(crate) use permissions::PermissionsFormat;
pub(crate) use permissions::Purpose;
pub(crate) use planning::PlanningArgs;
pub use planning::VarArgs;
#[cfg(feature = "rehearse")]
pub(crate) use rehearsing::RehearseArgs;
pub(crate) use runs::EvidenceArgs;
pub(crate) use runs::EvidenceCommand;
pub(crate) use runs::ExportArgs;
pub(crate) use runs::ReportArgs;
pub(crate) use runs::ReportFormat;
pub(crate) use runs::RunArgs;
pub(crate) use runs::StatusArgs;
pub(crate) use runs::UnlockArgs;
pub(crate) use runs::VerifyArgs;
pub(super) use spelling::normalised;

/// The heading of options that every command takes.
const EVERYWHERE: &str = "Options of every command";

/// Plan, apply and prove disaster recoveries.
#[derive(Debug, Parser)]
#[command(
    name = "drplan",
    version,
    disable_help_subcommand = true,
    after_help = "Begin with `drplan validate` and `drplan plan` in the folder of a spec, or with docs/tutorial.md."
)]
pub struct Cli {
    /// The folder of the spec.
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = ".",
        help_heading = EVERYWHERE
    )]
    pub chdir: PathBuf,
    /// Whether the folder was named, were it the one that is meant anyway.
    #[arg(skip)]
    pub is_chdir_given: bool,
    /// Write no colours; `NO_COLOR` does the same.
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub no_color: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Reads the arguments of a process.
    pub(crate) fn read(argv: Vec<OsString>) -> Result<Self, clap::Error> {
        let matches = Self::command().try_get_matches_from(argv)?;
        let mut cli = Self::from_arg_matches(&matches)?;
        let mut innermost = &matches;
        while let Some((_, inner)) = innermost.subcommand() {
            innermost = inner;
        }
        // It may stand in front of the command or behind it.
        cli.is_chdir_given = innermost.value_source("chdir") == Some(ValueSource::CommandLine);
        Ok(cli)
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check a spec without reading anything but its files.
    Validate(ValidateArgs),
    /// Show what would be done, in order, with what the backups really hold; changes nothing.
    Plan(PlanArgs),
    /// List all recovery points: usable or not, how old, which ones a plan takes.
    Points(PointsArgs),
    /// Look for what would stand in the way of a recovery: targets, clocks, programs, room, rights.
    Doctor(DoctorArgs),
    /// List the least rights that planning and applying take, and which of them are missing.
    Permissions(PermissionsArgs),
    /// Keep what a plan rests on in a file, for `plan --live` where nothing can be read.
    Snapshot(SnapshotArgs),
    /// Show a plan file; needs neither spec nor cluster nor credentials.
    Show(ShowArgs),
    /// Do what a plan says, step by step, and prove each step.
    Apply(ApplyArgs),
    /// Play the whole recovery in a simulated world, in virtual time; nothing real is touched.
    #[cfg(feature = "rehearse")]
    Rehearse(RehearseArgs),
    /// Tell what a run did, how long it took, and what proves it.
    Report(ReportArgs),
    /// Check what a run left behind as proof, or pack it into one file.
    Evidence(EvidenceArgs),
    /// Take back what a run changed in DNS.
    Revert(RevertOf),
    /// Set going again what the recovery paused and nothing has released.
    Release(ReleaseArgs),
    /// Draw the order of the steps, for Graphviz or Markdown.
    Graph(GraphArgs),
    /// Say why a step is what it is, or why one waits for another.
    Why(WhyArgs),
    /// Say where runs stand and who holds the lock.
    Status(StatusArgs),
    /// Let a running apply begin nothing new, until `resume`.
    Pause(RunArgs),
    /// Let a paused apply go on, and try again what failed; a run that ended goes on with `apply --resume`.
    Resume(RunArgs),
    /// Take away the lock of a run that is surely dead.
    Unlock(UnlockArgs),
    /// Print all kinds with their arguments, or another schema, as JSON.
    Schema(SchemaArgs),
    /// Print the version.
    Version,
}

fn duration(text: &str) -> Result<Duration, String> {
    crate::lang::parse_duration(text)
        .ok_or_else(|| "write for example \"90s\", \"15m\" or \"1h30m\"".to_owned())
}

/// A duration that is not zero.
fn some_time(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("that is no time at all: nothing could begin".to_owned()),
        length => Ok(length),
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("write a number, 1 or more".to_owned()),
        Ok(number) => Ok(number),
    }
}
