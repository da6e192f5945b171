//! Two machines and one bucket for runs: who may apply, who has slept, and what becomes of a run whose bucket
//! goes away.

use std::fs;
use std::process::Command;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use drplan::report::Exit;
use drplan_harness::Identity;
use drplan_harness::ObjectStore;
use drplan_harness::audit;

use super::drplan::Running;
use super::drplan::Spec;
use super::lab::Lab;
use super::team::GLANCE;
use super::team::SOON;
use super::team::Team;

pub(super) const APPLY: &[&str] = &["apply", "--auto-approve"];

/// How long a bucket is away without ending a run.
const SHORT_OUTAGE: Duration = Duration::from_secs(20);

/// How long a run may take to end by itself after its bucket was killed: a minute of asking again, and
/// what it takes to say so.
const GIVES_UP_WITHIN: Duration = Duration::from_secs(90);

/// An object of a cluster, beside the steps that write lines.
const NOTE: &str = r#"
variable "kubeconfig" {}

provider "kubernetes" "site" {
  kubeconfig_path = var.kubeconfig
}

resource "kubernetes_manifest" "note" {
  provider = kubernetes.site
  content  = <<-YAML
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: note-of-a-team, namespace: default}
    data: {text: hello}
  YAML
}
"#;

/// Sends a signal to a drplan that runs.
fn signal(run: &Running, name: &str) -> Result<()> {
    let pid = run.pid()?.to_string();
    let status = Command::new("kill").args(["-s", name, &pid]).status()?;
    ensure!(status.success(), "cannot send SIG{name} to {pid}");
    Ok(())
}

pub(super) async fn of_two_applies_at_once_one_goes(lab: &mut Lab) -> Result<()> {
    lab.recovered().await?;
    let kubeconfig = lab.b.kubeconfig(Identity::Drplan).display().to_string();
    let mut machines = Vec::new();
    for _ in 0..2 {
        let spec = lab.spec("store")?;
        fs::write(spec.dir.join("note.dr.hcl"), NOTE)?;
        machines.push(spec.with("kubeconfig", &kubeconfig));
    }
    let team = Team::new(lab, &lab.store, "two").await?;
    let outcome = two_at_once(lab, &team, &machines).await;
    let delete = [
        "delete",
        "configmap",
        "note-of-a-team",
        "-n",
        "default",
        "--ignore-not-found",
    ];
    lab.kubectl().run(&delete).await?;
    outcome
}

async fn two_at_once(lab: &Lab, team: &Team<'_>, machines: &[Spec]) -> Result<()> {
    let start = |spec: &Spec| team.machine(spec)?.start(APPLY);
    let (mut one, mut other) = (start(&machines[0])?, start(&machines[1])?);
    let since = Instant::now();
    // The step of the one that goes ends only when it is let.
    let (goes, refused) = loop {
        ensure!(since.elapsed() < SOON, "both go on");
        if one.has_ended()? {
            break (other, one);
        }
        if other.has_ended()? {
            break (one, other);
        }
        tokio::time::sleep(GLANCE).await;
    };
    team.shared.wait_for("log").await?;
    let holder = format!("process {}", goes.pid()?);
    let says = [
        "another apply of this recovery runs: run ",
        &holder,
        "--lock-timeout",
    ];
    refused
        .ended()
        .await?
        .ends(Exit::Locked)?
        .expect_says(&says)?;
    team.shared.let_go()?;
    goes.ended().await?.expect(0)?.expect_says(&["Recovered"])?;
    team.shared.expect(&["first", "second"])?;
    let run = team.run().await?;
    ensure!(
        team.json("locks/store.json").await?["released"] == true,
        "the lock was not given back"
    );
    let notes = audit::writes(&lab.b.audit_log(), "drplan")?;
    let notes = notes.iter().filter(|w| w.name == "note-of-a-team").count();
    ensure!(notes == 1, "expected one write of the note, found {notes}");
    // Whoever was refused finds everything done.
    for spec in machines {
        let again = team.machine(spec)?;
        again
            .run(&["plan", "--detailed-exitcode"])
            .await?
            .expect(0)?;
        again.run(&["evidence", "verify", &run]).await?.expect(0)?;
    }
    Ok(())
}

pub(super) async fn who_slept_while_another_took_over_does_nothing_more(
    lab: &mut Lab,
) -> Result<()> {
    let specs = [lab.spec("store")?, lab.spec("store")?];
    let team = Team::new(lab, &lab.store, "asleep").await?;
    let (sleeper, other) = (team.machine(&specs[0])?, team.machine(&specs[1])?);
    let asleep = sleeper.start(APPLY)?;
    team.shared.wait_for("log").await?;
    signal(&asleep, "STOP")?;
    let outcome = taken_over(&team, &other, asleep.pid()?).await;
    signal(&asleep, "CONT")?;
    let woke = asleep.ended().await?;
    let (run, holder) = outcome?;
    let status = format!("next: drplan status {run}");
    let says = ["the lock of this recovery was lost: run ", &holder, &status];
    let woke = woke.ends(Exit::Locked)?.expect_says(&says)?;
    for lie in ["FAILED", "--auto-approve", "not given back"] {
        ensure!(
            !woke.said().contains(lie),
            "who woke up says `{lie}`:\n{}",
            woke.said()
        );
    }
    team.shared.expect(&["first", "second"])?;
    // The run is the other's: journal and frontier say what it did.
    other.run(&["evidence", "verify", &run]).await?.expect(0)?;
    other
        .run(&["report", &run])
        .await?
        .expect(0)?
        .expect_says(&["Recovered: every step"])?;
    let frontier = team.json(&format!("runs/{run}/frontier.json")).await?;
    let done = frontier["done"].as_array().map(Vec::len);
    ensure!(done == Some(2), "the frontier was written over: {frontier}");
    Ok(())
}

/// Another machine goes on with the run of a holder that gives no sign; returns the run, and how the bucket
/// names who has it.
async fn taken_over(team: &Team<'_>, other: &Spec, asleep: u32) -> Result<(String, String)> {
    let run = team.run().await?;
    team.shared.let_go()?;
    let asleep = format!("process {asleep}");
    let impatient = other.run(&["apply", "--resume", &run]).await?;
    impatient
        .ends(Exit::Locked)?
        .expect_says(&["another apply of this recovery runs", &asleep])?;
    let patient = other.start(&["apply", "--resume", &run, "--lock-timeout", "2m"])?;
    let holder = format!("process {}", patient.pid()?);
    let ran = patient.ended().await?.expect(0)?;
    ensure!(
        ran.took >= Duration::from_secs(60),
        "the lock was taken after {:.0} s, while its holder could still rely on it",
        ran.took.as_secs_f64()
    );
    team.shared.expect(&["first", "second"])?;
    Ok((run, holder))
}

pub(super) async fn a_bucket_that_goes_away_ends_a_run_only_if_it_stays_away(
    lab: &mut Lab,
) -> Result<()> {
    let mut stores = Vec::new();
    for name in ["short", "long"] {
        let dir = lab.root.join("stores").join(name);
        let store = ObjectStore::start(&dir, &lab.components).await?;
        lab.secrets.insert(store.credentials().secret_key.clone());
        stores.push(store);
    }
    let (Some(gone), Some(back)) = (stores.pop(), stores.pop()) else {
        anyhow::bail!("two stores");
    };
    let specs = [lab.spec("store")?, lab.spec("store")?, lab.spec("store")?];
    let (short, long) = tokio::join!(
        comes_back(lab, &back, &specs[0]),
        stays_away(lab, gone, &specs[1], &specs[2])
    );
    short.context("the bucket that came back")?;
    long.context("the bucket that stayed away")
}

/// The server stands still in the middle of a run, and goes on.
async fn comes_back(lab: &Lab, store: &ObjectStore, spec: &Spec) -> Result<()> {
    let team = Team::new(lab, store, "short").await?;
    let machine = team.machine(spec)?;
    let run = machine.start(APPLY)?;
    team.shared.wait_for("log").await?;
    store.freeze();
    team.shared.let_go()?;
    tokio::time::sleep(SHORT_OUTAGE).await;
    let early = team.shared.log();
    store.thaw();
    ensure!(
        early? == ["first"],
        "a step was begun that could not be written down"
    );
    run.ended().await?.expect(0)?.expect_says(&["Recovered"])?;
    team.shared.expect(&["first", "second"])?;
    machine.run(&["evidence", "verify"]).await?.expect(0)?;
    Ok(())
}

/// The server is killed in the middle of a run and comes back when that has ended.
async fn stays_away(lab: &Lab, mut store: ObjectStore, spec: &Spec, other: &Spec) -> Result<()> {
    let (run, ended, took) = {
        let team = Team::new(lab, &store, "long").await?;
        let started = team.machine(spec)?.start(APPLY)?;
        team.shared.wait_for("log").await?;
        let run = team.run().await?;
        store.cut()?;
        let cut = Instant::now();
        team.shared.let_go()?;
        (run, started.ended().await?, cut.elapsed())
    };
    let next = format!("next: drplan apply --resume {run}");
    let says = [
        "cannot write the journal `s3://runs-long/",
        "nothing new was begun",
        &next,
    ];
    let ended = ended.ends(Exit::Partial)?.expect_says(&says)?;
    ensure!(
        took < GIVES_UP_WITHIN,
        "it took {:.0} s to give up",
        took.as_secs_f64()
    );
    ensure!(
        !ended.said().contains("FAILED"),
        "no step failed:\n{}",
        ended.said()
    );
    store.restart(&lab.components).await?;
    let team = Team::of(lab, &store, "long")?;
    team.shared.expect(&["first"])?;
    let other = team.machine(other)?;
    let resume = ["apply", "--resume", &run];
    // Its lock is still there, and a person who knows that it is dead takes it away.
    other
        .run(&resume)
        .await?
        .ends(Exit::Locked)?
        .expect_says(&["drplan unlock"])?;
    other.run(&["unlock", &run]).await?.expect(0)?;
    other
        .run(&resume)
        .await?
        .expect(0)?
        .expect_says(&["Recovered"])?;
    team.shared.expect(&["first", "second"])?;
    other.run(&["evidence", "verify", &run]).await?.expect(0)?;
    Ok(())
}
