//! `drplan snapshot`.

#[cfg(all(test, feature = "rehearse"))]
mod tests;

use std::path::Path;

use super::Ambient;
use super::args::Cli;
use super::args::PlanningArgs;
use super::args::SnapshotArgs;
use super::failure::Failure;
use super::failure::diagnostics;
use super::next::decisions;
use super::print;
use super::session::Basis;
use super::session::Made;
use super::session::Session;
use super::talk;
use super::words::Words;
use crate::lang::each_secret;
use crate::plan::Plan;
use crate::plan::Step;
use crate::render::style::count;
use crate::report::Exit;
use crate::report::plan_verdict;
use crate::secrets::Secrets;
use crate::snapshot::Snapshot;

pub(super) async fn run(
    cli: &Cli,
    args: &SnapshotArgs,
    ambient: &Ambient,
) -> Result<Exit, Failure> {
    let mut next = Words::new(cli, &["plan"]);
    next.add("--live", args.out.display().to_string());
    keep(&cli.chdir, &args.planning, &args.out, next, ambient).await
}

/// Keeps what a plan rests on in a file. `next` plans from it, once it is told what this plan was.
pub(super) async fn keep(
    dir: &Path,
    planning: &PlanningArgs,
    out: &Path,
    mut next: Words,
    ambient: &Ambient,
) -> Result<Exit, Failure> {
    let session = Session::open(dir, &planning.vars, ambient)?;
    if !session.warnings.is_empty() {
        talk(&diagnostics(
            &session.warnings,
            &session.source.sources,
            ambient.style(),
        ));
    }
    // A plan is made of it too: what cannot be planned from is not worth keeping.
    let made = session.plan_on(planning, ambient, &Basis::World).await?;
    let snapshot = kept(&session, &made);
    snapshot.write(out)?;
    let (answers, conns) = snapshot.size();
    print(&format!(
        "{} of {}\n",
        count(answers as u64, "answer", "answers"),
        count(conns as u64, "connection", "connections")
    ))?;
    if !tells_the_same(dir, planning, ambient, &made.plan, snapshot).await? {
        talk(
            "a secret stands where the plan needs to read something, and was taken out: a plan from \
             this snapshot is another one. Give that secret a value that occurs nowhere else",
        );
        return Ok(Exit::Incomplete);
    }
    let exit = plan_verdict(&made.plan, false);
    if exit == Exit::Incomplete {
        talk("something could not be read; the snapshot says so, and so will each plan from it");
    }
    decisions(&mut next, &made.plan);
    let next = next.vars(&planning.vars, &made.plan).text();
    talk(&format!("saved; plan from it with: {next}"));
    Ok(exit)
}

/// Whether a plan from the snapshot decides the same as the one that was just made. Texts may differ
/// where a secret stood in them.
async fn tells_the_same(
    dir: &Path,
    planning: &PlanningArgs,
    ambient: &Ambient,
    plan: &Plan,
    snapshot: Snapshot,
) -> Result<bool, Failure> {
    let session = Session::open(dir, &planning.vars, ambient)?;
    let basis = Basis::Snapshot(snapshot);
    let again = session.plan_on(planning, ambient, &basis).await?.plan;
    let decides = |step: &Step| {
        (
            step.address.clone(),
            std::mem::discriminant(&step.what),
            step.action(),
        )
    };
    let steps = again.steps.iter().map(decides);
    Ok(steps.eq(plan.steps.iter().map(decides)))
}

/// What a plan rests on, without a secret.
fn kept(session: &Session, made: &Made) -> Snapshot {
    know_secrets(&made.plan, &session.secrets);
    Snapshot::of(
        &made.plan.head.recovery,
        made.plan.head.observed_at,
        &made.facts,
        &made.fingerprints,
        &made.history,
        &session.secrets,
    )
}

/// Opens every secret that the spec names and that is there, so that it is scrubbed wherever it stands.
fn know_secrets(plan: &Plan, secrets: &Secrets) {
    for expr in &plan.exprs {
        each_secret(expr, &mut |reference| {
            // What cannot be opened here has not been read here either.
            secrets.open(reference).ok();
        });
    }
}
