//! Arguments of the commands that change the world.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::Subcommand;
use clap::ValueEnum;

use super::PlanningArgs;
use super::VarArgs;
use super::at_least_one;
use super::duration;
use super::some_time;

/// `apply`.
#[derive(Clone, Debug, Args)]
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
        default_value_t = Self::PARALLELISM,
        value_parser = at_least_one,
        env = "DRPLAN_PARALLELISM"
    )]
    pub parallelism: usize,
}

impl ApplyArgs {
    /// How many steps run at once unless somebody says otherwise.
    pub(crate) const PARALLELISM: usize = 10;

    /// Applies a plan that is made and approved already.
    pub(crate) fn plain(vars: VarArgs) -> Self {
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
#[derive(Clone, Debug, Args)]
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
    #[arg(long, value_name = "DURATION", value_parser = some_time)]
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
