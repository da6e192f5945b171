//! What can be wrong with the world that a spec names: an error that says what and where, its exit
//! code, and nothing changed.

use std::fs;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use drplan::report::Exit;
use drplan_harness::Identity;
use drplan_harness::audit;
use serde_json::Value;

use super::database;
use super::drplan::Ran;
use super::drplan::Spec;
use super::lab::Lab;
use super::recovery::LOST;

/// Everything that a run could have changed.
#[derive(Debug, PartialEq, Eq)]
struct Marks {
    writes: usize,
    changes: u64,
    databases: Vec<String>,
    rows: String,
}

async fn marks(lab: &Lab) -> Result<Marks> {
    let url = lab.database_url()?;
    let names = "select datname::text from pg_database order by 1";
    let rows = "select coalesce(sum(n_live_tup), 0)::text from pg_stat_user_tables";
    Ok(Marks {
        writes: audit::writes(&lab.b.audit_log(), "drplan")?.len(),
        changes: lab.zone.changes(),
        databases: database::column(&url, "postgres", names).await?,
        rows: database::column(&url, "shop", rows)
            .await
            .unwrap_or_default()
            .concat(),
    })
}

/// Plans and applies; both must end with the code and say all of these, and change nothing.
async fn refused(lab: &Lab, spec: &Spec, lost: &[&str], exit: Exit, says: &[&str]) -> Result<Ran> {
    let before = marks(lab).await?;
    let plan = [&["plan", "--full", "--out", "bad.plan"], lost].concat();
    let planned = spec.run(&plan).await?.ends(exit)?.expect_says(says)?;
    let apply = [&["apply", "--auto-approve"], lost].concat();
    let applied = spec.run(&apply).await?;
    ensure!(
        applied.code.is_some_and(|code| code != 0),
        "`{}` must not succeed where planning does not",
        applied.command
    );
    let after = marks(lab).await?;
    ensure!(
        after == before,
        "something was changed: before {before:?}, after {after:?}"
    );
    Ok(planned)
}

pub(super) async fn a_cluster_that_nobody_declared_lost(lab: &mut Lab) -> Result<()> {
    lab.recovered().await?;
    // The kubeconfig of the site that is gone.
    let gone = lab.root.join("a.kubeconfig").display().to_string();
    let spec = lab.spec("cluster")?.with("kubeconfig", &gone);
    let says = [
        "kubernetes_cluster.site (main.dr.hcl:",
        "https://127.0.0.1:",
        "a target that is gone is declared so with `--lost DOMAIN`",
    ];
    refused(lab, &spec, &[], Exit::Incomplete, &says).await?;
    Ok(())
}

pub(super) async fn a_token_that_the_cluster_does_not_know(lab: &mut Lab) -> Result<()> {
    lab.recovered().await?;
    let text = fs::read_to_string(lab.b.kubeconfig(Identity::Drplan))?;
    let mut config: Value = serde_json::from_str(&text)?;
    config["users"][0]["user"]["token"] = "not-a-token-of-this-cluster".into();
    let file = lab.root.join("wrong-token.kubeconfig");
    fs::write(&file, config.to_string())?;
    let spec = lab
        .spec("cluster")?
        .with("kubeconfig", &file.display().to_string());
    let says = ["kubernetes_cluster.site (main.dr.hcl:", "(401)"];
    let ran = refused(lab, &spec, &[], Exit::Incomplete, &says).await?;
    ensure!(
        !ran.said().contains("not-a-token"),
        "the token is shown:\n{}",
        ran.said()
    );
    Ok(())
}

pub(super) async fn a_bucket_that_does_not_exist(lab: &mut Lab) -> Result<()> {
    let spec = lab.recovered().await?.with("bucket", "shop-rd");
    let says = ["shop-rd", "data \"velero_backup\" \"", "main.dr.hcl:"];
    refused(lab, &spec, LOST, Exit::Error, &says).await?;
    Ok(())
}

pub(super) async fn credentials_that_the_bucket_refuses(lab: &mut Lab) -> Result<()> {
    let wrong = "wrong-secret-key-of-nobody";
    let spec = lab.recovered().await?.with("bucket_secret_key", wrong);
    let ran = refused(lab, &spec, LOST, Exit::Incomplete, &["s3.backups"]).await?;
    ensure!(
        !ran.said().contains(wrong),
        "the key is shown:\n{}",
        ran.said()
    );
    Ok(())
}

pub(super) async fn a_backup_that_does_not_exist(lab: &mut Lab) -> Result<()> {
    let spec = lab.recovered().await?.with("apps_backup", "appz-");
    let says = ["data.velero_backup.apps", "main.dr.hcl:", "appz-", "`apps`"];
    refused(lab, &spec, LOST, Exit::Error, &says).await?;
    Ok(())
}

pub(super) async fn an_archive_that_breaks_off(lab: &mut Lab) -> Result<()> {
    let spec = lab.recovered().await?.with("apps_backup", "cut-");
    for key in lab.keys("velero/backups/apps-1/").await? {
        let mut content = lab.get(&key).await?;
        let key = key.replace("apps-1", "cut-1");
        if key.ends_with("cut-1.tar.gz") {
            content.truncate(content.len() / 2);
        }
        if key.ends_with("velero-backup.json") {
            let text = String::from_utf8(content).context("velero-backup.json")?;
            content = text.replace("apps-1", "cut-1").into_bytes();
        }
        lab.put(&key, content).await?;
    }
    let says = ["data.velero_backup.apps", "main.dr.hcl:", "cut-1.tar.gz"];
    refused(lab, &spec, LOST, Exit::Error, &says).await?;
    Ok(())
}

pub(super) async fn a_dump_that_breaks_off(lab: &mut Lab) -> Result<()> {
    let spec = lab.recovered().await?.with("dumps", "cut-dumps/");
    let mut content = lab.get("dumps/shop-1.dump").await?;
    content.truncate(content.len() / 2);
    lab.put("cut-dumps/shop-1.dump", content).await?;
    let says = ["data.dump_archive.shop", "main.dr.hcl:", "cut-dumps/shop-1"];
    refused(lab, &spec, LOST, Exit::Error, &says).await?;
    Ok(())
}

pub(super) async fn a_database_that_holds_foreign_data(lab: &mut Lab) -> Result<()> {
    let spec = lab.recovered().await?;
    let url = lab.database_url()?;
    let aside = "drop database shop with (force); ";
    for statement in aside.split_terminator("; ").chain(["create database shop"]) {
        database::execute(&url, "postgres", statement).await?;
    }
    let foreign = "create table somebody_elses as select generate_series(1, 1000) n";
    database::execute(&url, "shop", foreign).await?;
    let says = ["postgres_restore.shop", "somebody_elses"];
    let outcome = refused(lab, &spec, LOST, Exit::Conflict, &says).await;
    let rows = database::column(&url, "shop", "select count(*)::text from somebody_elses").await;
    database::execute(&url, "postgres", "drop database shop with (force)").await?;
    spec.run(super::recovery::APPLY)
        .await?
        .expect(0)
        .context("the recovery after the scenario")?;
    outcome?;
    ensure!(rows? == ["1000"], "the foreign rows are not all there");
    Ok(())
}
