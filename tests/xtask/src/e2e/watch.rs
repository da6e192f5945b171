//! The main recovery as somebody would do it by hand, on this terminal.

use std::fs;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;

use super::drplan::Spec;
use super::lab::Lab;
use crate::runs;

const PLAN: &[&str] = &["plan", "--lost", "cluster:a", "--out", "shop.plan"];
const APPLY: &[&str] = &["apply", "shop.plan", "--approve", "approval.cutover"];
const AGAIN: &[&str] = &["plan", "--lost", "cluster:a", "--detailed-exitcode"];

/// The effect during which drplan is killed, as its journal names it.
const CUT_IN: &str = "velero_restore.apps";

/// How long drplan may take to get there.
const CUT_WITHIN: Duration = Duration::from_secs(300);

/// How often its journal is looked at.
const GLANCE: Duration = Duration::from_millis(100);

/// Recovers before somebody's eyes; `cut` kills drplan in the middle and lets it go on.
pub(super) async fn watch(lab: &mut Lab, cut: bool) -> Result<bool> {
    lab.nothing_of_b().await?;
    let spec = lab.spec("shop")?;
    said(&spec, PLAN).await?;
    if cut {
        killed(&spec).await?;
        said(&spec, &["status"]).await?;
        let run = run(&spec.dir)?;
        let resume = ["apply", "--resume", &run, "--approve", "approval.cutover"];
        said(&spec, &resume).await?;
        said(&spec, &["report"]).await?;
    } else {
        said(&spec, APPLY).await?;
    }
    said(&spec, AGAIN).await?;
    lab.is_as_on_a().await?;
    println!(
        "\nEvery one of {} objects and {} tables is on B as it was on A, and www.shop.example leads there.",
        lab.truth.objects.len(),
        lab.truth.tables.rows.len()
    );
    Ok(true)
}

/// Runs a command that must end well.
async fn said(spec: &Spec, args: &[&str]) -> Result<()> {
    println!("\n$ drplan {}", args.join(" "));
    let code = spec.show(args).await?;
    ensure!(code == Some(0), "drplan ended with {code:?}");
    Ok(())
}

/// Applies until Velero restores the applications, and no further.
async fn killed(spec: &Spec) -> Result<()> {
    println!("\n$ drplan {}", APPLY.join(" "));
    let mut child = spec.shown(APPLY)?;
    let since = Instant::now();
    while !is_there(&spec.dir)? {
        ensure!(since.elapsed() < CUT_WITHIN, "`{CUT_IN}` never began");
        ensure!(
            child.try_wait()?.is_none(),
            "drplan ended before it was killed"
        );
        tokio::time::sleep(GLANCE).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    child.kill().await.context("cannot kill drplan")?;
    println!("\n# The machine that ran drplan has lost its power. Somebody else sits down.");
    Ok(())
}

fn is_there(dir: &Path) -> Result<bool> {
    let Some(run) = runs::of(dir)?.into_iter().next() else {
        return Ok(false);
    };
    let text = fs::read_to_string(runs::journal(&run)).unwrap_or_default();
    let begun = |line: &str| line.contains("effect_started") && line.contains(CUT_IN);
    Ok(text.lines().any(begun))
}

/// The only run.
fn run(dir: &Path) -> Result<String> {
    runs::id(runs::only(&runs::of(dir)?)?)
}
