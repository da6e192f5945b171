//! Arguments of the commands that look and change nothing.

use std::path::PathBuf;

use clap::Args;
use clap::ValueEnum;

use super::PlanningArgs;
use super::VarArgs;

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
