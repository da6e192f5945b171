//! What every plan can be told.

use std::path::PathBuf;

use clap::Args;

use drplan_api::Stage;

use crate::plan::Forbidden;

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
