//! `drplan plan`.

use super::Ambient;
use super::args::Cli;
use super::args::PlanArgs;
use super::failure::Failure;
use super::failure::diagnostics;
use super::print;
use super::session::Session;
use super::session::within_limits;
use super::talk;
use crate::plan::Plan;
use crate::render;
use crate::report::Exit;
use crate::report::plan_verdict;

pub(super) async fn run(cli: &Cli, args: &PlanArgs, ambient: &Ambient) -> Result<Exit, Failure> {
    let session = Session::open(&cli.chdir, &args.planning.vars, ambient)?;
    if !session.warnings.is_empty() {
        talk(&diagnostics(
            &session.warnings,
            &session.source.sources,
            ambient.style(),
        ));
    }
    let plan = session
        .plan_live(&args.planning, args.live.as_deref(), ambient)
        .await?;
    // What breaks its limits is shown, and never saved.
    let within = within_limits(&plan);
    if let Some(path) = args.out.as_ref().filter(|_| within.is_ok()) {
        crate::plan::write(&plan, path)?;
    }
    show(&plan, args.json, args.full, ambient)?;
    within?;
    if let Some(path) = &args.out {
        talk(&if plan.is_hypothetical() {
            format!("saved; show it with: drplan show {}", path.display())
        } else {
            format!(
                "saved; apply exactly this with: drplan apply {}",
                path.display()
            )
        });
    }
    Ok(plan_verdict(&plan, args.detailed_exitcode))
}

/// Prints a plan in the form that was asked for.
pub(super) fn show(plan: &Plan, json: bool, full: bool, ambient: &Ambient) -> Result<(), Failure> {
    let text = if json {
        serde_json::to_string_pretty(&render::json::plan(plan)).map_err(anyhow::Error::from)? + "\n"
    } else if full {
        render::plan::full(plan, ambient.style())
    } else {
        render::plan::summary(plan, ambient.style())
    };
    print(&text)
}
