//! What fights a recovery is paused in a real cluster, and runs again exactly as it did before.

use std::fs;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use drplan::report::Exit;
use drplan_harness::audit;
use serde_json::Value;

use super::drplan::Spec;
use super::drplan::Trigger;
use super::kill::MISSES_MAX;
use super::kubectl::Kubectl;
use super::lab::Lab;
use super::recovery::acting;
use super::yard;
use super::yard::Workers;
use super::yard::YARD;

/// How long a pause is meant to last, by the spec.
const EXPIRES_S: i64 = 2 * 60 * 60;

/// How much later or earlier an expiry may be than it is expected here.
const CLOCK_S_MAX: i64 = 120;

/// What a failed or dead run says about what it leaves behind.
const LEFT: &[&str] = &[
    "kubernetes_pause.workers: it pauses what fights the recovery",
    "drplan release",
];

/// Applies until an event comes, and kills drplan there.
async fn killed(spec: &Spec, hit: &(dyn Fn(&Value) -> bool + Sync)) -> Result<()> {
    let plan = ["plan", "--out", "kill.plan"];
    spec.run(&plan).await?.expect(0)?;
    let grace = Duration::ZERO;
    let apply = ["apply", "kill.plan", "--json"];
    spec.run_until(&apply, &Trigger { hit, grace }).await?;
    Ok(())
}

fn begins(event: &Value, step: &str, effect: u64) -> bool {
    is_of(event, "effect_start", step, effect)
}

fn is_of(event: &Value, kind: &str, step: &str, effect: u64) -> bool {
    event["type"] == kind && event["hook"]["resource"]["addr"] == step && event["effect"] == effect
}

/// The run that died or ended last.
async fn last_run(spec: &Spec) -> Result<String> {
    let status = spec.run(&["status", "--json"]).await?.expect(0)?.json()?;
    let run = status["run"]["run"].as_str().context("no run")?;
    Ok(run.to_owned())
}

/// What ran stands still and is marked by the run with what it was; the rest is as before.
fn is_paused(before: &Workers, now: &Workers, run: &str) -> Result<()> {
    for (name, was) in before {
        let worker = now.get(name).with_context(|| format!("no {name}"))?;
        if was.stands() {
            ensure!(
                was == worker,
                "{name} stood still before and was changed: {worker:?}"
            );
            continue;
        }
        let mark = was.as_mark();
        ensure!(
            worker.stands() && worker.mark() == Some(&mark) && worker.run() == Some(run),
            "{name} must stand still with the mark `{mark}` of run {run}; it is {worker:?}"
        );
        let until: jiff::Timestamp = worker.until().context("no expiry")?.parse()?;
        let left_s = until.as_second() - jiff::Timestamp::now().as_second();
        ensure!(
            (left_s - EXPIRES_S).abs() < CLOCK_S_MAX,
            "the pause of {name} is overdue in {left_s} s"
        );
    }
    Ok(())
}

/// Everything runs as it did, down to the pods.
async fn runs_as_before(kubectl: &Kubectl, before: &Workers) -> Result<()> {
    yard::same(before, &yard::workers(kubectl, YARD).await?)?;
    yard::running(kubectl, YARD, 3).await
}

/// A plan, and a release, after everything was released: nothing to do, and nothing written.
async fn nothing_is_left(lab: &Lab, spec: &Spec) -> Result<()> {
    let writes = || audit::writes(&lab.b.audit_log(), "drplan");
    let before = writes()?.len();
    let release = ["release", "--auto-approve"];
    let released = spec.run(&release).await?.expect(0)?;
    released.expect_says(&["Nothing is left to do"])?;
    let written = writes()?.len() - before;
    ensure!(written == 0, "a second release wrote {written} times");
    Ok(())
}

pub(super) async fn a_run_killed_in_between_leaves_marks_and_the_next_apply_releases(
    lab: &mut Lab,
) -> Result<()> {
    lab.recovered().await?;
    let (kubectl, spec) = (lab.kubectl(), lab.spec("yard")?);
    let before = yard::made(lab).await?;
    // What is loaded by the child that lives on is loaded only after everything was looked at.
    fs::write(spec.dir.join("hold"), "")?;
    killed(&spec, &|event| begins(event, "command.load", 0)).await?;
    let run = last_run(&spec).await?;
    is_paused(&before, &yard::workers(&kubectl, YARD).await?, &run)?;
    yard::running(&kubectl, YARD, 0).await?;
    let status = spec.run(&["status"]).await?.expect(0)?;
    status.expect_says(&[&["has died", run.as_str()], LEFT].concat())?;
    let plan = spec.run(&["plan", "--full", "--detailed-exitcode"]).await?;
    plan.ends(Exit::Changes)?
        .expect_says(&["kubernetes_release.workers", "are paused", &run])?;
    fs::write(spec.dir.join("cargo"), "tea")?;
    fs::remove_file(spec.dir.join("hold"))?;
    let applied = spec.run(&["apply", "--auto-approve"]).await?;
    applied.expect(0)?;
    runs_as_before(&kubectl, &before).await?;
    spec.run(&["plan", "--detailed-exitcode"])
        .await?
        .expect(0)?;
    nothing_is_left(lab, &spec).await
}

/// Kills drplan when one worker is paused and others are not. The kill may come too late.
async fn half_paused(
    lab: &mut Lab,
    kubectl: &Kubectl,
    before: &Workers,
) -> Result<(Spec, Workers)> {
    let all = before.values().filter(|worker| !worker.stands()).count();
    for _ in 0..MISSES_MAX {
        let spec = lab.spec("yard")?;
        killed(&spec, &|event| {
            is_of(event, "effect_complete", "kubernetes_pause.workers", 0)
        })
        .await?;
        let run = last_run(&spec).await?;
        let half = yard::workers(kubectl, YARD).await?;
        let marked = half.values().filter(|w| w.run() == Some(&run)).count();
        ensure!(marked > 0, "the first of {all} must be paused, none is");
        if marked < all {
            return Ok((spec, half));
        }
        let release = ["release", "--auto-approve"];
        spec.run(&release).await?.expect(0)?;
        runs_as_before(kubectl, before).await?;
    }
    bail!("in {MISSES_MAX} attempts all {all} were paused before drplan was dead")
}

pub(super) async fn what_is_half_paused_is_released_as_it_was(lab: &mut Lab) -> Result<()> {
    lab.recovered().await?;
    let kubectl = lab.kubectl();
    let before = yard::made(lab).await?;
    let (spec, half) = half_paused(lab, &kubectl, &before).await?;
    spec.run(&["status"]).await?.expect(0)?.expect_says(LEFT)?;
    spec.run(&["release"]).await?.ends(Exit::Refused)?;
    let still = yard::workers(&kubectl, YARD).await?;
    ensure!(still == half, "nobody said yes, and something was released");
    let release = ["release", "--auto-approve"];
    let released = spec.run(&release).await?.expect(0)?;
    released.expect_says(&["Released"])?;
    runs_as_before(&kubectl, &before).await?;
    nothing_is_left(lab, &spec).await
}

pub(super) async fn a_step_that_fails_keeps_everything_paused_and_says_so(
    lab: &mut Lab,
) -> Result<()> {
    lab.recovered().await?;
    let (kubectl, spec) = (lab.kubectl(), lab.spec("yard")?);
    let before = yard::made(lab).await?;
    let apply = ["apply", "--auto-approve"];
    let failed = spec.run(&apply).await?.ends(Exit::Partial)?;
    failed.expect_says(&[&["command.load"], LEFT].concat())?;
    let run = last_run(&spec).await?;
    is_paused(&before, &yard::workers(&kubectl, YARD).await?, &run)?;
    yard::running(&kubectl, YARD, 0).await?;
    spec.run(&["status"]).await?.expect(0)?.expect_says(LEFT)?;
    // From another machine, which knows nothing but the spec: the marks are in the cluster.
    let elsewhere = lab.spec("yard")?;
    fs::write(elsewhere.dir.join("cargo"), "tea")?;
    elsewhere.run(&apply).await?.expect(0)?;
    runs_as_before(&kubectl, &before).await?;
    nothing_is_left(lab, &elsewhere).await
}

/// The namespace into which a part of the shop comes back paused.
const BORN: &str = "yard-web";

pub(super) async fn what_comes_back_paused_never_ran_and_is_released_from_anywhere(
    lab: &mut Lab,
) -> Result<()> {
    lab.recovered().await?;
    let (kubectl, spec) = (lab.kubectl(), lab.spec("born")?);
    fs::write(spec.dir.join("hold"), "")?;
    let outcome = born(lab, &kubectl, &spec).await;
    fs::remove_file(spec.dir.join("hold"))?;
    kubectl.without_namespaces(&[BORN]).await?;
    outcome
}

async fn born(lab: &mut Lab, kubectl: &Kubectl, spec: &Spec) -> Result<()> {
    killed(spec, &|event| begins(event, "command.load", 0)).await?;
    let web = yard::workers(kubectl, BORN).await?;
    let web = web.get("Deployment web").context("no Deployment `web`")?;
    ensure!(
        web.stands() && web.mark() == Some(r#"{"replicas":3}"#),
        "`web` must have come back without replicas, marked with what it was; it is {web:?}"
    );
    let made = yard::pods_made(kubectl, BORN).await?;
    ensure!(made == 0, "{made} pods were made before the release");
    let run = last_run(spec).await?;
    let elsewhere = lab.spec("born")?;
    fs::write(elsewhere.dir.join("cargo"), "tea")?;
    let plan = ["plan", "--json", "--detailed-exitcode"];
    let plan = elsewhere.run(&plan).await?.ends(Exit::Changes)?.json()?;
    let steps = acting(&plan);
    ensure!(
        steps == ["command.load", "kubernetes_release.web"] && plan.to_string().contains(&run),
        "what run {run} left paused must be released, and the rest loaded; the plan has {steps:?}"
    );
    let applied = elsewhere.run(&["apply", "--auto-approve"]).await?;
    applied.expect(0)?;
    let web = yard::workers(kubectl, BORN).await?;
    let web = web.get("Deployment web").context("no Deployment `web`")?;
    ensure!(
        web.spec["replicas"] == 3 && web.mark().is_none(),
        "`web` must run as on A, it is {web:?}"
    );
    yard::running(kubectl, BORN, 3).await?;
    // What was counted before the release is really written when pods are made.
    let made = yard::pods_made(kubectl, BORN).await?;
    ensure!(made > 0, "three pods run and no event says who made them");
    nothing_is_left(lab, &elsewhere).await
}
