//! drplan alone is killed with SIGKILL in the middle of its work, and another drplan goes on: once
//! with the first one's files, once without.

use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use drplan_harness::Ending;
use serde_json::Value;

use super::database;
use super::drplan::Trigger;
use super::lab::Lab;
use super::recovery::APPLY;
use super::recovery::LOST;
use super::recovery::planned_restores;

/// What is taken away before drplan runs, so that the point is reached.
#[derive(Clone, Copy, Debug)]
enum Lost {
    /// All of site B.
    Everything,
    /// All processes of site B; its data stays.
    Power,
    /// The release and its namespace.
    Gateway,
    /// Velero's knowledge of the bucket.
    Location,
    /// The namespace of the infrastructure backup.
    Infra,
    /// The namespaces of the applications.
    Apps,
    /// The database.
    Database,
    /// The DNS record.
    Record,
}

/// Where the next drplan starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resume {
    /// In the same folder, with journal and work files.
    Same,
    /// In a folder that holds the spec and nothing else.
    Empty,
}

/// A moment in a run.
pub(super) struct Point {
    pub(super) name: &'static str,
    lost: Lost,
    hit: fn(&Value) -> bool,
    grace: Duration,
    /// Whether a child must be found alive after the kill.
    child: bool,
}

/// The ten points, in the order of a recovery.
pub(super) const POINTS: &[Point] = &[
    Point {
        name: "while the control plane is being started",
        lost: Lost::Everything,
        hit: |e| is(e, "effect_start", "command.control_plane"),
        grace: Duration::from_millis(500),
        child: false,
    },
    Point {
        name: "when the cluster's turn comes",
        lost: Lost::Power,
        hit: |e| is(e, "apply_start", "kubernetes_cluster.b"),
        grace: Duration::ZERO,
        child: false,
    },
    Point {
        name: "in the middle of helm",
        lost: Lost::Gateway,
        hit: |e| is(e, "effect_start", "helm_release.gateway"),
        grace: Duration::from_millis(400),
        child: false,
    },
    Point {
        name: "when the backup location is about to be written",
        lost: Lost::Location,
        hit: |e| is(e, "effect_start", "velero_backup_location.backups"),
        grace: Duration::ZERO,
        child: false,
    },
    Point {
        name: "when the infrastructure's Restore is about to be made",
        lost: Lost::Infra,
        hit: |e| is(e, "effect_start", "velero_restore.infra") && e["effect"] == 1,
        grace: Duration::ZERO,
        child: false,
    },
    Point {
        name: "at 30 % of pg_restore, while it lives on",
        lost: Lost::Database,
        hit: |e| has_done(e, "postgres_restore.shop", 0.30, 0.60),
        grace: Duration::ZERO,
        child: true,
    },
    Point {
        name: "at 90 % of pg_restore, while it lives on",
        lost: Lost::Database,
        hit: |e| has_done(e, "postgres_restore.shop", 0.90, 1.01),
        grace: Duration::ZERO,
        child: true,
    },
    Point {
        name: "when the restored database is about to be renamed",
        lost: Lost::Database,
        hit: |e| is(e, "effect_start", "postgres_restore.shop") && e["effect"] == 1,
        grace: Duration::ZERO,
        child: false,
    },
    Point {
        name: "in the middle of the applications' Restore",
        lost: Lost::Apps,
        hit: |e| has_done(e, "velero_restore.apps", 0.30, 1.0) && e["effect"] == 1,
        grace: Duration::ZERO,
        child: false,
    },
    Point {
        name: "when the DNS record is about to be changed",
        lost: Lost::Record,
        hit: |e| is(e, "effect_start", "route53_record.www"),
        grace: Duration::ZERO,
        child: false,
    },
];

fn is(event: &Value, kind: &str, address: &str) -> bool {
    event["type"] == kind && event["hook"]["resource"]["addr"] == address
}

/// Whether this reports that a step's effect is done to a share in `from..below`. A `pg_restore`
/// that has loaded all tables still makes indexes.
fn has_done(event: &Value, address: &str, from: f64, below: f64) -> bool {
    let (Some(done), Some(of)) = (event["done"].as_f64(), event["of"].as_f64()) else {
        return false;
    };
    is(event, "apply_progress", address) && of > 0.0 && (from..below).contains(&(done / of))
}

/// How often a point may be missed because the child was quicker than the kill.
const MISSES_MAX: u32 = 4;

/// Kills at a point, resumes, and compares the end.
pub(super) async fn killed_and_resumed(lab: &mut Lab, point: &Point, resume: Resume) -> Result<()> {
    let mut misses = 0;
    let (spec, plan, before) = loop {
        let spec = lab.recovered().await?;
        take_away(lab, point.lost)
            .await
            .context("cannot prepare the point")?;
        let plan = [&["plan", "--json", "--out", "kill.plan"], LOST].concat();
        let plan = spec.run(&plan).await?.expect(0)?.json()?;
        let before = restores(lab).await?;
        let trigger = Trigger {
            hit: point.hit,
            grace: point.grace,
        };
        let apply = [
            "apply",
            "kill.plan",
            "--json",
            "--approve",
            "approval.cutover",
        ];
        let events = spec.run_until(&apply, &trigger).await?;
        if !point.child || child_works(lab).await? {
            break (spec, plan, before);
        }
        misses += 1;
        ensure!(
            misses < MISSES_MAX,
            "pg_restore must live on after drplan was killed; nobody worked in the database in \
             {misses} attempts (last event {:?})",
            events.last()
        );
        spec.run(APPLY).await?.expect(0)?;
    };
    let again = match resume {
        Resume::Same => spec,
        Resume::Empty => lab.spec("shop")?,
    };
    let resumed = again.run(APPLY).await;
    lab.learn_secrets()?;
    resumed?.expect(0)?;
    lab.is_as_on_a().await?;
    let expected = match point.lost {
        // The new cluster has never seen a Restore.
        Lost::Everything => planned_restores(&plan),
        // Planned against a cluster that did not answer; when it does, nothing is missing.
        Lost::Power => before,
        _ => before + planned_restores(&plan),
    };
    let found = restores(lab).await?;
    ensure!(
        found == expected,
        "expected one Restore object for each restore, {expected} in all, found {found}"
    );
    let empty = [&["plan", "--detailed-exitcode"], LOST].concat();
    again.run(&empty).await?.expect(0)?;
    Ok(())
}

/// Whether somebody works in one of the shop's databases.
async fn child_works(lab: &Lab) -> Result<bool> {
    let working = "select count(*)::text from pg_stat_activity where datname like 'shop%' and application_name <> 'e2e'";
    let working = database::column(&lab.database_url()?, "postgres", working).await?;
    Ok(working != ["0"])
}

/// How many Restore objects the cluster holds; none where there is no cluster.
async fn restores(lab: &Lab) -> Result<usize> {
    if lab
        .b
        .process("kube-apiserver")?
        .is_none_or(|process| !process.is_alive())
    {
        return Ok(lab.restores_seen);
    }
    Ok(lab
        .kubectl()
        .list(&["restores.velero.io", "-n", "velero"])
        .await?
        .len())
}

async fn take_away(lab: &mut Lab, lost: Lost) -> Result<()> {
    lab.restores_seen = restores(lab).await?;
    lab.zone.points_to_a()?;
    let kubectl = lab.kubectl();
    let delete = async |args: &[&str]| -> Result<()> {
        kubectl
            .run(&[&["delete", "--wait", "--ignore-not-found"], args].concat())
            .await?;
        Ok(())
    };
    match lost {
        Lost::Everything => lab.nothing_of_b().await,
        Lost::Power => lab.b.down(Ending::Abrupt).await,
        Lost::Gateway => delete(&["namespace", "edge"]).await,
        Lost::Location => delete(&["backupstoragelocation", "-n", "velero", "backups"]).await,
        // Only the namespace: what else is deleted from a cluster that lives is left alone.
        Lost::Infra => delete(&["namespace", "shop-infra"]).await,
        Lost::Apps => delete(&[&["namespace"], super::shop::APPS].concat()).await,
        Lost::Database => {
            let url = lab.database_url()?;
            database::execute(&url, "postgres", "drop database shop with (force)").await
        }
        Lost::Record => Ok(()),
    }
}
