//! The arguments of all commands.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::Parser;
use clap::Subcommand;
use clap::ValueEnum;

use drplan_api::Stage;

use super::ambient::Ambient;
use crate::plan::Forbidden;

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
    /// Write no colours; `NO_COLOR` does the same.
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub no_color: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
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

/// Values of variables.
#[derive(Clone, Debug, Default, Args)]
pub struct VarArgs {
    /// Give a variable a value; `DRPLAN_VAR_NAME` in the environment does the same.
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub vars: Vec<String>,
    /// Read values of variables from a file of `name = value` lines.
    #[arg(long = "var-file", value_name = "FILE")]
    pub var_files: Vec<PathBuf>,
}

/// What a plan is told.
#[derive(Clone, Debug, Default, Args)]
pub struct PlanningArgs {
    /// Values of variables.
    #[command(flatten)]
    pub vars: VarArgs,
    /// Declare a failure domain of the spec lost: nothing in it is read or written.
    #[arg(long, value_name = "DOMAIN")]
    pub lost: Vec<String>,
    /// Plan for a scenario of the spec, which has not happened; such a plan cannot be applied.
    #[arg(long, value_name = "NAME")]
    pub scenario: Option<String>,
    /// Assume that a failure domain is lost, to see what would be done; such a plan cannot be applied.
    #[arg(long, value_name = "DOMAIN")]
    pub assume_lost: Vec<String>,
    /// When the disaster happened (RFC 3339): bounds recovery points and is the zero of all ages.
    #[arg(long, value_name = "TIME")]
    pub incident_at: Option<String>,
    /// Plan only this and what it depends on; `*` and `?` are wildcards; may be given several times.
    #[arg(long, value_name = "ADDRESS")]
    pub target: Vec<String>,
    /// Leave this out and what depends on it; `*` and `?` are wildcards; may be given several times.
    #[arg(long, value_name = "ADDRESS")]
    pub exclude: Vec<String>,
    /// Hold everything of this stage and of later ones.
    #[arg(long, value_name = "STAGE", value_parser = stage)]
    pub stop_before: Option<Stage>,
    /// Refuse a plan that does this; several with commas.
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',')]
    pub forbid: Vec<Forbidden>,
    /// Refuse a plan in which more steps than this change the world.
    #[arg(long, value_name = "N")]
    pub max_changes: Option<u64>,
    /// Take this recovery point of a data source; `drplan points` lists them.
    #[arg(long, value_name = "ADDRESS=ID")]
    pub point: Vec<String>,
    /// Do a step again though it is true; every instance if it is the address of a block.
    #[arg(long, value_name = "ADDRESS")]
    pub redo: Vec<String>,
    /// Accept that foreign data at this one address is overwritten.
    #[arg(long, value_name = "ADDRESS=overwrite")]
    pub accept: Vec<String>,
}

fn stage(text: &str) -> Result<Stage, String> {
    Stage::parse(text).ok_or_else(|| {
        let names: Vec<&str> = Stage::ALL.iter().map(|s| s.as_str()).collect();
        format!("the stages are, in order: {}", names.join(", "))
    })
}

impl PlanningArgs {
    /// Whether anything is given that a plan file has decided already.
    pub(crate) fn decides(&self) -> bool {
        let Self {
            vars: _,
            lost,
            scenario,
            assume_lost,
            incident_at,
            target,
            exclude,
            stop_before,
            forbid,
            max_changes,
            point,
            redo,
            accept,
        } = self;
        let lists = [lost, assume_lost, target, exclude, point, redo, accept];
        let said = scenario.is_some() || incident_at.is_some() || stop_before.is_some();
        let limited = !forbid.is_empty() || max_changes.is_some();
        lists.iter().any(|list| !list.is_empty()) || said || limited
    }
}

/// `validate`.
#[derive(Debug, Args)]
pub struct ValidateArgs {
    /// Values of variables.
    #[command(flatten)]
    pub vars: VarArgs,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// What the plan is told.
    #[command(flatten)]
    pub planning: PlanningArgs,
    /// Plan from a file of `drplan snapshot`: nothing is opened, no credentials are needed.
    #[arg(long, value_name = "SNAPSHOT")]
    pub live: Option<PathBuf>,
    /// Save the plan, for `drplan apply FILE` and `drplan show FILE`.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Sign the saved plan with a private Ed25519 key.
    #[arg(long, value_name = "KEY", requires = "out")]
    pub sign: Option<PathBuf>,
    /// End with exit code 2, not 0, if there is something to do.
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// In which form it is shown.
    #[command(flatten)]
    pub form: PlanForm,
}

/// Formats of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// For a terminal.
    Text,
    /// The plan as data.
    Json,
    /// For a comment on a pull request.
    Markdown,
}

/// In which form a plan is shown.
#[derive(Debug, Args)]
pub struct PlanForm {
    /// The format.
    #[arg(long, value_enum, default_value_t = PlanFormat::Text)]
    pub format: PlanFormat,
    /// Print one JSON document; the same as `--format json`.
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// Name every object.
    #[arg(long)]
    pub full: bool,
    /// The most bytes of Markdown; what does not fit is counted.
    #[arg(
        long,
        value_name = "N",
        default_value_t = crate::render::plan::BYTES_MAX,
        value_parser = bytes
    )]
    pub max_bytes: usize,
}

impl PlanForm {
    /// The format, however it is asked for.
    pub(crate) fn format(&self) -> PlanFormat {
        if self.json {
            PlanFormat::Json
        } else {
            self.format
        }
    }
}

fn bytes(text: &str) -> Result<usize, String> {
    const MIN: usize = crate::render::plan::BYTES_MIN;
    let number: usize = text.parse().map_err(|_| "not a number".to_owned())?;
    if number < MIN {
        return Err(format!("{MIN} is the least: counts must have room"));
    }
    Ok(number)
}

/// `points`.
#[derive(Debug, Args)]
pub struct PointsArgs {
    /// What the plan is told.
    #[command(flatten)]
    pub planning: PlanningArgs,
    /// Read a file of `drplan snapshot` instead of the world.
    #[arg(long, value_name = "SNAPSHOT")]
    pub live: Option<PathBuf>,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// What the plan is told.
    #[command(flatten)]
    pub planning: PlanningArgs,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// `permissions`.
#[derive(Debug, Args)]
pub struct PermissionsArgs {
    /// What the plan is told.
    #[command(flatten)]
    pub planning: PlanningArgs,
    /// Read a snapshot instead of the world.
    #[arg(long, value_name = "SNAPSHOT")]
    pub live: Option<PathBuf>,
    /// Only what this takes; without it, both.
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
    /// Both: whoever applies plans too.
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

/// `snapshot`.
#[derive(Debug, Args)]
pub struct SnapshotArgs {
    /// What the plan is told.
    #[command(flatten)]
    pub planning: PlanningArgs,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// `show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The plan file.
    #[arg(value_name = "PLAN")]
    pub plan: PathBuf,
    /// Show it only if it is signed by this public key.
    #[arg(long, value_name = "KEY")]
    pub signed_by: Option<PathBuf>,
    /// In which form it is shown.
    #[command(flatten)]
    pub form: PlanForm,
}

/// `apply`.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// The plan file; without one, plan and ask, and repeat that until nothing is left.
    #[arg(value_name = "PLAN")]
    pub plan: Option<PathBuf>,
    /// Apply the plan file, or go on with the run, only if its plan is signed by this public key.
    #[arg(long, value_name = "KEY")]
    pub signed_by: Option<PathBuf>,
    /// Go on with a run that ended or died, by the beginning of its id: its plan, its answers.
    #[arg(long, value_name = "RUN", conflicts_with = "plan")]
    pub resume: Option<String>,
    /// What the plan is told; not together with a plan file, except for variables.
    #[command(flatten)]
    pub planning: PlanningArgs,
    /// Do not ask before starting; gates of the plan are still asked.
    #[arg(long)]
    pub auto_approve: bool,
    /// Answer a gate of the plan (an `approval`) with yes.
    #[arg(long, value_name = "ADDRESS")]
    pub approve: Vec<String>,
    /// What a person orders for this run.
    #[command(flatten)]
    pub orders: OrderArgs,
    /// How long to wait for another apply's lock.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    pub lock_timeout: Duration,
    /// Print one JSON object for each event.
    #[arg(long)]
    pub json: bool,
    /// How many steps may run at once.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 10,
        env = "DRPLAN_PARALLELISM"
    )]
    pub parallelism: usize,
}

impl ApplyArgs {
    /// Applies a plan that is made and approved already.
    pub(super) fn plain(vars: VarArgs) -> Self {
        Self {
            plan: None,
            signed_by: None,
            resume: None,
            planning: PlanningArgs {
                vars,
                ..PlanningArgs::default()
            },
            auto_approve: true,
            approve: Vec::new(),
            orders: OrderArgs {
                on_failure: OnFailureArg::Prune,
                skip: Vec::new(),
                by_hand: Vec::new(),
                deadline: None,
                slots: Vec::new(),
                prove: ProveArg::All,
            },
            lock_timeout: Duration::ZERO,
            json: false,
            parallelism: 1,
        }
    }
}

/// What a person orders for one run.
#[derive(Debug, Args)]
pub struct OrderArgs {
    /// What a critical failure does to the rest: block what depends on it, begin nothing new, or wait
    /// for `drplan resume`, which tries it again.
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = OnFailureArg::Prune)]
    pub on_failure: OnFailureArg,
    /// Leave a step out. What depends on it goes on; the run is no pass.
    #[arg(long, value_name = "ADDRESS=REASON")]
    pub skip: Vec<String>,
    /// A step was done by hand: begin nothing, and let its own proof decide.
    #[arg(long, value_name = "ADDRESS=REASON")]
    pub by_hand: Vec<String>,
    /// How long the run may take; then it stops at a safe point.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub deadline: Option<Duration>,
    /// How many steps may act on one target at once, in place of what its system allows.
    #[arg(long, value_name = "CONNECTION=N")]
    pub slots: Vec<String>,
    /// Whether what is true already is evidence too, or only what the run changed.
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = ProveArg::All)]
    pub prove: ProveArg,
}

/// What a critical failure does to the rest.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum OnFailureArg {
    /// Block what depends on it.
    Prune,
    /// Begin nothing new.
    Stop,
    /// Wait for `drplan resume`.
    Pause,
}

/// What evidence is kept of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProveArg {
    /// Every step.
    All,
    /// What the run changed.
    Changed,
}

fn duration(text: &str) -> Result<Duration, String> {
    crate::lang::parse_duration(text)
        .ok_or_else(|| "write for example \"90s\", \"15m\" or \"1h30m\"".to_owned())
}

#[cfg(feature = "rehearse")]
/// An address, and behind a colon how many attempts, which is a number. A key of an instance may hold colons.
fn failure(text: &str) -> Result<String, String> {
    let behind_key = text.rfind(']').map_or(0, |at| at + 1);
    let count = text.get(behind_key..).and_then(|rest| rest.split_once(':'));
    match count {
        Some((_, n)) if n.parse().unwrap_or(0_u32) == 0 => Err(format!(
            "`{n}` is no number of attempts: write 1 or more, or only the address, which then fails for good"
        )),
        _ => Ok(text.to_owned()),
    }
}

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

/// `rehearse`.
#[cfg(feature = "rehearse")]
#[derive(Debug, Args)]
pub struct RehearseArgs {
    /// The folder of the spec and its `rehearsal.hcl`; `--chdir` if it is not given.
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Values of variables, over those of the world file.
    #[command(flatten)]
    pub vars: VarArgs,
    /// Let a step fail: for good, or only its first N attempts.
    #[arg(long, value_name = "ADDRESS[:N]", value_parser = failure)]
    pub fail: Vec<String>,
    /// Let requests meet faults, drawn from a seed, which is any number; with `--listen` yours, too.
    #[arg(long, value_name = "SEED")]
    pub faults: Option<u64>,
    /// Keep the world open on loopback until Ctrl-C, in real time; by default on free ports.
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        num_args = 0..=1,
        default_missing_value = "127.0.0.1:0",
        require_equals = true
    )]
    pub listen: Option<std::net::SocketAddr>,
    /// With `--listen`: open the world as it is before the recovery, and rehearse nothing.
    #[arg(long, requires = "listen", conflicts_with_all = ["fail", "json", "full"])]
    pub before: bool,
    /// Keep what a plan rests on before the recovery, as `drplan snapshot` does, and rehearse nothing.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["fail", "faults", "json", "full", "listen"])]
    pub snapshot: Option<PathBuf>,
    /// Begin as `drplan snapshot --out FILE` recorded it: what the world file declares is then as it was.
    #[arg(long, value_name = "FILE")]
    pub from_snapshot: Option<PathBuf>,
    /// Print one JSON object for each event, and one for the report.
    #[arg(long)]
    pub json: bool,
    /// Print the whole plan, and all evidence in the report.
    #[arg(long)]
    pub full: bool,
    /// How many steps may run at once.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 10,
        env = "DRPLAN_PARALLELISM"
    )]
    pub parallelism: usize,
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

/// `revert`.
#[derive(Debug, Args)]
pub struct RevertOf {
    /// What to take back.
    #[command(subcommand)]
    pub command: RevertCommand,
}

/// What can be taken back.
#[derive(Debug, Subcommand)]
pub enum RevertCommand {
    /// Take back the change of DNS, if nobody changed the record since.
    Dns(RevertArgs),
}

/// `revert dns`.
#[derive(Debug, Args)]
pub struct RevertArgs {
    /// The run, or the beginning of its id.
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Values of variables.
    #[command(flatten)]
    pub vars: VarArgs,
    /// Do not ask before starting.
    #[arg(long)]
    pub auto_approve: bool,
}

/// `release`.
#[derive(Debug, Args)]
pub struct ReleaseArgs {
    /// Values of variables.
    #[command(flatten)]
    pub vars: VarArgs,
    /// A failure domain that is lost; nothing in it is looked at.
    #[arg(long, value_name = "DOMAIN")]
    pub lost: Vec<String>,
    /// Do not ask before starting.
    #[arg(long)]
    pub auto_approve: bool,
}

/// `evidence export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The run, or the beginning of its id; the newest if it is not given.
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Sign it with a private Ed25519 key.
    #[arg(long, value_name = "KEY")]
    pub sign: Option<PathBuf>,
}

/// What a schema is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// All kinds, functions and codes.
    Kinds,
    /// The report of a run: JSON Schema.
    Report,
    /// The world file of a rehearsal: blocks and arguments.
    #[cfg(feature = "rehearse")]
    Rehearsal,
}

/// `schema`.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// What the schema is of.
    #[arg(value_enum, default_value_t = SchemaOf::Kinds)]
    pub of: SchemaOf,
}

/// Formats of a graph.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum GraphFormat {
    /// Graphviz.
    Dot,
    /// For Markdown.
    Mermaid,
}

/// `graph`.
#[derive(Debug, Args)]
pub struct GraphArgs {
    /// The plan file; without one, the spec is drawn without reading anything else.
    #[arg(value_name = "PLAN")]
    pub plan: Option<PathBuf>,
    /// Values of variables.
    #[command(flatten)]
    pub vars: VarArgs,
    /// The format.
    #[arg(long, value_enum, default_value_t = GraphFormat::Dot)]
    pub format: GraphFormat,
}

/// `why`.
#[derive(Debug, Args)]
pub struct WhyArgs {
    /// The step: `KIND.NAME`, as a plan shows it.
    pub address: String,
    /// Another step: say why the first waits for it, through others too.
    pub waits: Option<String>,
    /// Read a plan file; without one, a plan is made.
    #[arg(long, value_name = "PLAN")]
    pub plan: Option<PathBuf>,
    /// What the plan is told.
    #[command(flatten)]
    pub planning: PlanningArgs,
}

/// Brings arguments into one spelling: `-name` is accepted for `--name`, and arguments of
/// `DRPLAN_CLI_ARGS` and `DRPLAN_CLI_ARGS_command` come right behind the command.
pub(super) fn normalised(
    argv: impl IntoIterator<Item = OsString>,
    ambient: &Ambient,
) -> Vec<OsString> {
    let mut out = Vec::new();
    let mut command_seen = false;
    let mut value_of_global = false;
    for (i, arg) in argv.into_iter().enumerate() {
        let Some(text) = arg.to_str() else {
            out.push(arg);
            continue;
        };
        let long = text.starts_with('-') && !text.starts_with("--") && text.len() > 2;
        let spelled = if long {
            format!("-{text}")
        } else {
            text.to_owned()
        };
        let is_command = i > 0 && !command_seen && !value_of_global && !spelled.starts_with('-');
        value_of_global = !command_seen && spelled == "--chdir";
        out.push(OsString::from(&spelled));
        if is_command {
            command_seen = true;
            for name in [
                "DRPLAN_CLI_ARGS".to_owned(),
                format!("DRPLAN_CLI_ARGS_{spelled}"),
            ] {
                if let Some(extra) = ambient.env.get(&name) {
                    out.extend(extra.split_whitespace().map(OsString::from));
                }
            }
        }
    }
    out
}
