//! The main job: a dead site comes back on another one, object by object and row by row.

use std::fs;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use serde_json::Value;

use super::database;
use super::drplan::Spec;
use super::lab::Lab;
use super::truth;
use super::zone;

/// What a plan of a destroyed site is made with.
pub(crate) const LOST: &[&str] = &["--lost", "cluster:a"];

/// How many lines and columns the summary may have.
const SUMMARY_LINES_MAX: usize = 40;
const SUMMARY_COLUMNS_MAX: usize = 100;

/// The arguments of an apply that plans by itself and asks nobody.
pub(crate) const APPLY: &[&str] = &[
    "apply",
    "--lost",
    "cluster:a",
    "--auto-approve",
    "--approve",
    "approval.cutover",
];

/// The main recovery, for those who look at what it did.
#[derive(Clone)]
pub(crate) struct Recovered {
    pub(crate) spec: Spec,
    /// The plan, as `show --json` prints it.
    pub(crate) plan: Value,
    /// The summary.
    pub(crate) summary: String,
    /// The full form.
    pub(crate) full: String,
    /// The API server's audit log, as it was right after.
    pub(crate) audit_log: std::path::PathBuf,
}

impl Lab {
    /// The main recovery; done once, from nothing.
    pub(crate) async fn recovered_from_nothing(&mut self) -> Result<Recovered> {
        if let Some(done) = &self.main {
            return Ok(done.clone());
        }
        self.nothing_of_b().await?;
        let spec = self.spec("shop")?;
        let plan = ["plan", "--lost", "cluster:a", "--out", "shop.plan"];
        let summary = spec.run(&plan).await?.expect(0)?.stdout;
        let full = spec
            .run(&["show", "--full", "shop.plan"])
            .await?
            .expect(0)?
            .stdout;
        let shown = spec
            .run(&["show", "--json", "shop.plan"])
            .await?
            .expect(0)?;
        ensure!(
            !self.b.path().exists(),
            "planning has made something in the folder of site B: `{}`",
            self.b.path().display()
        );
        let apply = ["apply", "shop.plan", "--approve", "approval.cutover"];
        let applied = spec.run(&apply).await;
        self.learn_secrets()?;
        applied?.expect(0)?;
        let audit_log = self.drplan.report.join("audit.log");
        fs::copy(self.b.audit_log(), &audit_log).context("cannot keep the audit log")?;
        let done = Recovered {
            spec,
            plan: shown.json()?,
            summary,
            full,
            audit_log,
        };
        self.main = Some(done.clone());
        Ok(done)
    }

    /// Brings site B to the state after a recovery, by whatever that needs, and returns a spec in
    /// whose folder nothing has run yet.
    pub(crate) async fn recovered(&mut self) -> Result<Spec> {
        self.recovered_from_nothing().await?;
        let spec = self.spec("shop")?;
        if self.is_clean {
            return Ok(spec);
        }
        let args = [&["plan", "--detailed-exitcode"], LOST].concat();
        if spec.run(&args).await?.code == Some(0) && self.is_as_on_a().await.is_ok() {
            return Ok(spec);
        }
        // A scenario before this one went wrong; this one deserves a clean start.
        self.nothing_of_b().await?;
        let applied = spec.run(APPLY).await;
        self.learn_secrets()?;
        applied?
            .expect(0)
            .context("a fresh recovery, before the scenario itself")?;
        self.spec("shop")
    }

    /// Compares site B, its database and the zone with what was true before the disaster.
    pub(crate) async fn is_as_on_a(&self) -> Result<()> {
        every_object(self).await?;
        every_row(self).await?;
        the_record(self)
    }
}

async fn every_object(lab: &Lab) -> Result<()> {
    let found = truth::objects(&lab.kubectl()).await?;
    truth::compare(&lab.truth.objects, &found)
}

/// Compares rows; and there is one database, without anything left over beside it.
async fn every_row(lab: &Lab) -> Result<()> {
    let url = lab.database_url()?;
    let names = "select datname::text from pg_database where not datistemplate order by 1";
    let names = database::column(&url, "postgres", names).await?;
    ensure!(
        names == ["postgres", database::DATABASE],
        "expected the databases `postgres` and `shop` and no other, found {names:?}"
    );
    let found = database::tables(&url, database::DATABASE).await?;
    database::compare(&lab.truth.tables, &found)
}

fn the_record(lab: &Lab) -> Result<()> {
    let www = lab.zone.www()?;
    ensure!(
        www == [zone::NEW],
        "www.shop.example must be {} and is {www:?}",
        zone::NEW
    );
    Ok(())
}

pub(super) async fn the_summary_fits_on_one_screen(lab: &mut Lab) -> Result<()> {
    let text = lab.recovered_from_nothing().await?.summary;
    fs::write(lab.drplan.report.join("summary.txt"), &text)?;
    let lines = text.lines().count();
    ensure!(
        lines <= SUMMARY_LINES_MAX,
        "the summary has {lines} lines, {SUMMARY_LINES_MAX} fit"
    );
    let wide = text
        .lines()
        .map(|line| line.chars().count())
        .max()
        .unwrap_or_default();
    ensure!(
        wide <= SUMMARY_COLUMNS_MAX,
        "a line has {wide} columns, {SUMMARY_COLUMNS_MAX} fit"
    );
    let must_say = [
        "cluster:a",
        "infra-1",
        "apps-1",
        "dumps/shop-1.dump",
        "velero_restore.apps",
        "postgres_restore.shop",
        "route53_record.www",
        "approval.cutover",
        "undone",
        "steps",
    ];
    let missing: Vec<_> = must_say
        .iter()
        .filter(|part| !text.contains(**part))
        .collect();
    ensure!(
        missing.is_empty(),
        "the summary does not say {missing:?}:\n{text}"
    );
    Ok(())
}

pub(super) async fn the_full_plan_names_every_object(lab: &mut Lab) -> Result<()> {
    let text = lab.recovered_from_nothing().await?.full;
    let unnamed: Vec<&String> = lab
        .truth
        .objects
        .keys()
        .filter(|name| {
            let name = name.split_once(' ').map_or(name.as_str(), |(_, name)| name);
            !text.contains(name)
        })
        .collect();
    ensure!(
        unnamed.is_empty(),
        "of {} objects of A the full plan does not name {}: {unnamed:?}",
        lab.truth.objects.len(),
        unnamed.len(),
    );
    for table in lab.truth.tables.rows.keys() {
        ensure!(
            text.contains(&format!("public.{table}")),
            "the full plan does not name `{table}`"
        );
    }
    Ok(())
}

pub(super) async fn every_object_is_as_it_was_on_a(lab: &mut Lab) -> Result<()> {
    lab.recovered_from_nothing().await?;
    every_object(lab).await
}

pub(super) async fn every_row_is_as_it_was_on_a(lab: &mut Lab) -> Result<()> {
    lab.recovered_from_nothing().await?;
    every_row(lab).await
}

pub(super) async fn the_name_leads_to_b(lab: &mut Lab) -> Result<()> {
    lab.recovered_from_nothing().await?;
    the_record(lab)?;
    let changes = lab.zone.changes();
    ensure!(
        changes == 1,
        "the zone must have been changed once and was {changes} times"
    );
    Ok(())
}

pub(super) async fn the_workloads_run_on_b(lab: &mut Lab) -> Result<()> {
    lab.recovered_from_nothing().await?;
    for namespace in [super::shop::APPS, &["platform", "edge"]].concat() {
        let wait = "--for=condition=Available";
        let args = [
            "wait",
            "-n",
            namespace,
            wait,
            "deploy",
            "--all",
            "--timeout=60s",
        ];
        lab.kubectl().run(&args).await?;
    }
    Ok(())
}

pub(super) async fn the_second_plan_is_empty(lab: &mut Lab) -> Result<()> {
    let spec = lab.recovered_from_nothing().await?.spec;
    let args = [&["plan", "--detailed-exitcode"], LOST].concat();
    spec.run(&args).await?.expect(0)?;
    // Also for somebody who knows nothing of the first run.
    let elsewhere = lab.spec("shop")?;
    elsewhere
        .run(&args)
        .await?
        .expect(0)?
        .expect_says(&["othing is left to do"])?;
    Ok(())
}

/// The steps of a plan that act, by address.
pub(crate) fn acting(plan: &Value) -> Vec<&str> {
    changes(plan)
        .filter(|change| {
            !matches!(
                change["change"]["actions"][0].as_str(),
                Some("no-op" | "read") | None
            )
        })
        .filter_map(|change| change["address"].as_str())
        .collect()
}

/// All entries of `resource_changes`.
pub(crate) fn changes(plan: &Value) -> impl Iterator<Item = &Value> {
    plan["resource_changes"].as_array().into_iter().flatten()
}

/// One entry of `resource_changes`.
pub(crate) fn change<'p>(plan: &'p Value, address: &str) -> Result<&'p Value> {
    match changes(plan).find(|change| change["address"] == address) {
        Some(change) => Ok(change),
        None => bail!("the plan has no step `{address}`"),
    }
}

/// The objects that the effects of a plan write with one of these verbs: `verb object`.
pub(crate) fn effects(plan: &Value, verbs: &[&str]) -> Vec<(String, String)> {
    let effects = changes(plan)
        .flat_map(|change| change["drplan"]["effects"].as_array().into_iter().flatten());
    let pairs = effects.filter_map(|e| {
        Some((
            e["verb"].as_str()?.to_owned(),
            e["object"].as_str()?.to_owned(),
        ))
    });
    pairs
        .filter(|(verb, _)| verbs.contains(&verb.as_str()))
        .collect()
}

/// How many Restore objects a plan makes.
pub(crate) fn planned_restores(plan: &Value) -> usize {
    let created = effects(plan, &["create"]);
    created
        .iter()
        .filter(|(_, object)| object.starts_with("velero.io/restores "))
        .count()
}
