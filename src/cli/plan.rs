//! `drplan plan`.

use std::mem::ManuallyDrop;

use super::Ambient;
use super::args::Cli;
use super::args::PlanArgs;
use super::args::PlanForm;
use super::args::PlanFormat;
use super::failure::Failure;
use super::failure::diagnostics;
use super::open_store;
use super::print;
use super::running::tell_running;
use super::session::Session;
use super::session::within_limits;
use super::talk;
use super::words::Words;
use crate::plan::Plan;
use crate::render;
use crate::report::Exit;
use crate::report::plan_verdict;
use crate::signature::Signer;

pub(super) async fn run(cli: &Cli, args: &PlanArgs, ambient: &Ambient) -> Result<Exit, Failure> {
    let session = Session::open(&cli.chdir, &args.planning.vars, ambient)?;
    if !session.warnings.is_empty() {
        talk(&diagnostics(
            &session.warnings,
            &session.source.sources,
            ambient.style(),
        ));
    }
    // A key that cannot be used shows before the world is read.
    let signer = args.sign.as_deref().map(Signer::read).transpose()?;
    let plan = session
        .plan_live(&args.planning, args.live.as_deref(), ambient)
        .await?;
    // The process ends with it: taking a large plan apart would cost a tenth of its time.
    let plan = ManuallyDrop::new(plan);
    // What breaks its limits is shown, and never saved.
    let within = within_limits(&plan);
    if let Some(path) = args.out.as_ref().filter(|_| within.is_ok()) {
        crate::plan::write(&plan, signer.as_ref().into(), path)?;
    }
    show(&plan, &args.form, ambient)?;
    if args.live.is_none() && !plan.is_hypothetical() {
        tell_running(&open_store::still_running(&cli.chdir, &plan, ambient).await);
    }
    within?;
    if let Some(path) = &args.out {
        talk(&if plan.is_hypothetical() {
            format!("saved; show it with: drplan show {}", path.display())
        } else {
            let path = path.display().to_string();
            let mut words = Words::new(cli, &["apply", &path]);
            let secrets = &plan.head.secrets;
            if !secrets.is_empty() {
                words.files(&args.planning.vars);
            }
            let again = match secrets.join("`, `") {
                names if names.is_empty() => String::new(),
                names => format!("\nit needs the secrets again: `{names}`"),
            };
            format!("saved; apply exactly this with: {}{again}", words.text())
        });
    }
    Ok(plan_verdict(&plan, args.detailed_exitcode))
}

/// Prints a plan in the form that was asked for.
pub(super) fn show(plan: &Plan, form: &PlanForm, ambient: &Ambient) -> Result<(), Failure> {
    let text = match form.format() {
        PlanFormat::Json => {
            let json = render::json::plan(plan);
            serde_json::to_string_pretty(&json).map_err(anyhow::Error::from)? + "\n"
        }
        PlanFormat::Markdown => render::plan::markdown(plan, form.max_bytes),
        PlanFormat::Text if form.full => render::plan::full(plan, ambient.style()),
        PlanFormat::Text => render::plan::summary(plan, ambient.style()),
    };
    print(&text)
}
