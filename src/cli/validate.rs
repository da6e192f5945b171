//! `drplan validate`: the spec alone, without reading anything else.

use serde_json::json;

use super::Ambient;
use super::args::Cli;
use super::args::PlanningArgs;
use super::args::ValidateArgs;
use super::failure::Failure;
use super::failure::diagnostics;
use super::print;
use super::session::Session;
use crate::diag::Diagnostics;
use crate::diag::Sources;
use crate::plan::Plan;
use crate::render::style::count;
use crate::report::Exit;

pub(super) async fn run(
    cli: &Cli,
    args: &ValidateArgs,
    ambient: &Ambient,
) -> Result<Exit, Failure> {
    let checked = match Session::open(&cli.chdir, &args.vars, ambient) {
        Ok(session) => {
            let planning = PlanningArgs {
                vars: args.vars.clone(),
                ..PlanningArgs::default()
            };
            let plan = session.plan(&planning, ambient, true).await;
            plan.map(|plan| (plan, session.warnings, session.source.sources))
        }
        Err(failure) => Err(failure),
    };
    match checked {
        Ok((plan, warnings, sources)) => {
            valid(&plan, &warnings, &sources, args.json, ambient)?;
            Ok(Exit::Ok)
        }
        Err(Failure::Spec(both)) if args.json => {
            document(&both.0, &both.1)?;
            Ok(Exit::Error)
        }
        Err(failure) => Err(failure),
    }
}

fn valid(
    plan: &Plan,
    warnings: &Diagnostics,
    sources: &Sources,
    json: bool,
    ambient: &Ambient,
) -> Result<(), Failure> {
    if json {
        return document(warnings, sources);
    }
    if !warnings.is_empty() {
        super::talk(&diagnostics(warnings, sources, ambient.style()));
    }
    for finding in &plan.findings {
        let at = finding
            .at
            .as_ref()
            .map(|w| format!(" ({}:{})", w.file, w.line))
            .unwrap_or_default();
        super::talk(&format!("note[{}]: {}{at}", finding.code, finding.message));
    }
    let resources = plan
        .steps
        .iter()
        .filter(|s| s.want.is_some() && !s.address.is_data())
        .count();
    let data = plan.steps.iter().filter(|s| s.address.is_data()).count();
    print(&format!(
        "The spec is valid: recovery `{}`, {}, {}.\n",
        plan.head.recovery,
        count(resources as u64, "resource", "resources"),
        count(data as u64, "data source", "data sources"),
    ))
}

fn document(diags: &Diagnostics, sources: &Sources) -> Result<(), Failure> {
    let list: Vec<_> = diags.clone().sorted().into_iter().collect();
    let errors = list
        .iter()
        .filter(|d| d.severity == crate::diag::Severity::Error)
        .count();
    let warnings = list
        .iter()
        .filter(|d| d.severity == crate::diag::Severity::Warning)
        .count();
    let json = json!({
        "format_version": "1.0",
        "valid": errors == 0,
        "error_count": errors,
        "warning_count": warnings,
        "diagnostics": list.iter().map(|d| crate::diag::to_json(d, sources)).collect::<Vec<_>>(),
    });
    print(&(serde_json::to_string_pretty(&json).map_err(anyhow::Error::from)? + "\n"))
}
