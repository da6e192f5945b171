//! Two people apply the same recovery on one machine at the same time.

use std::fs;
use std::time::Duration;
use std::time::Instant;

use anyhow::Result;
use anyhow::ensure;
use drplan::report::Exit;
use drplan_harness::audit;

use super::drplan::Ran;
use super::drplan::Spec;
use super::lab::Lab;
use super::store::APPLY;
use super::yard;
use super::yard::YARD;
use crate::runs;

/// How long the first one may take to its longest step.
const BUSY_LIMIT: Duration = Duration::from_secs(60);

/// How often it is looked whether it has come there.
const BUSY_EVERY: Duration = Duration::from_millis(50);

pub(super) async fn of_two_applies_at_once_the_second_is_refused_and_writes_nothing(
    lab: &mut Lab,
) -> Result<()> {
    lab.recovered().await?;
    let (kubectl, spec) = (lab.kubectl(), lab.spec("yard")?);
    let before = yard::made(lab).await?;
    fs::write(spec.dir.join("cargo"), "tea")?;
    fs::write(spec.dir.join("hold"), "")?;
    let second = async {
        let outcome = refused(lab, &spec).await;
        // The first one goes on, whatever became of the second.
        fs::remove_file(spec.dir.join("hold"))?;
        outcome
    };
    let (first, second) = tokio::join!(spec.run(APPLY), second);
    second?;
    first?.expect(0)?.expect_says(&["Recovered"])?;
    yard::same(&before, &yard::workers(&kubectl, YARD).await?)?;
    let (writes, runs) = (writes(lab)?, runs(&spec)?);
    let again = spec.run(APPLY).await?.expect(0)?;
    again.expect_says(&["othing is left to do"])?;
    ensure!(
        self::writes(lab)? == writes && self::runs(&spec)? == runs,
        "nothing was left to do, and something was done"
    );
    Ok(())
}

/// Applies while another one does, which is in the middle of its work.
async fn refused(lab: &Lab, spec: &Spec) -> Result<Ran> {
    let start = Instant::now();
    while !spec.dir.join("loading").exists() {
        ensure!(start.elapsed() < BUSY_LIMIT, "the first apply never loads");
        tokio::time::sleep(BUSY_EVERY).await;
    }
    let (writes, runs) = (writes(lab)?, runs(spec)?);
    ensure!(runs.len() == 1, "the first apply has the runs {runs:?}");
    let holder = format!("run {}", runs[0]);
    let refused = spec.run(APPLY).await?.ends(Exit::Locked)?;
    let refused = refused.expect_says(&["another apply of this recovery runs", &holder])?;
    ensure!(
        self::writes(lab)? == writes && self::runs(spec)? == runs,
        "the second apply was refused and wrote something all the same"
    );
    let status = spec.run(&["status"]).await?.expect(0)?;
    status.expect_says(&["held by", &holder])?;
    Ok(refused)
}

/// How often drplan wrote into the cluster.
fn writes(lab: &Lab) -> Result<usize> {
    Ok(audit::writes(&lab.b.audit_log(), "drplan")?.len())
}

/// The runs that are kept beside a spec.
fn runs(spec: &Spec) -> Result<Vec<String>> {
    let runs = runs::of(&spec.dir)?;
    runs.iter().map(|run| runs::id(run)).collect()
}
