//! No secret in anything that drplan says or keeps.

use std::fs;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;

use super::lab::Lab;
use super::store::APPLY;
use super::team::Team;
use crate::runs;

/// Shorter texts would be found by chance.
const SECRET_CHARACTERS_MIN: usize = 12;

/// What the names of buckets that keep runs begin with.
const SHARED_RUNS: &str = "runs-";

pub(super) async fn no_secret_is_in_any_output_plan_journal_or_frontier(
    lab: &mut Lab,
) -> Result<()> {
    lab.recovered_from_nothing().await?;
    lab.learn_secrets()?;
    leave_a_shared_run(lab).await?;
    let mut files = Vec::new();
    // Everything that was printed, standard error included.
    collect(&lab.drplan.report.join("outputs"), &mut files)?;
    let printed = files.len();
    for spec in fs::read_dir(lab.root.join("specs"))? {
        let spec = spec?.path();
        // Plans, journals and frontiers of all runs; `work` is where tools get what they need.
        collect(&spec.join(runs::FOLDER), &mut files)?;
        for entry in fs::read_dir(&spec)? {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "plan")
            {
                files.push(path);
            }
        }
    }
    ensure!(
        printed > 0 && files.len() > printed,
        "there is nothing to search"
    );
    let mut found = Vec::new();
    for file in &files {
        let text = fs::read(file).with_context(|| format!("cannot read `{}`", file.display()))?;
        found.extend(held(lab, &file.display().to_string(), &text));
    }
    let shared = shared(lab, &mut found).await?;
    ensure!(
        found.is_empty(),
        "{} secrets in {} files and {shared} objects of buckets:\n    {}",
        found.len(),
        files.len(),
        found.join("\n    ")
    );
    Ok(())
}

/// Makes a run whose journal and frontier lie in a bucket, so that there is one whatever ran before.
async fn leave_a_shared_run(lab: &mut Lab) -> Result<()> {
    let spec = lab.spec("store")?;
    let team = Team::new(lab, &lab.store, "secrets").await?;
    team.shared.let_go()?;
    team.machine(&spec)?.run(APPLY).await?.expect(0)?;
    Ok(())
}

/// Searches everything in the buckets that keep runs of several machines, and returns how many objects
/// those are.
async fn shared(lab: &Lab, found: &mut Vec<String>) -> Result<usize> {
    let mut searched = 0;
    for bucket in lab.store.buckets().await? {
        if !bucket.starts_with(SHARED_RUNS) {
            continue;
        }
        for key in lab.store.contents(&bucket).await?.into_keys() {
            let content = lab.store.get(&bucket, &key).await?;
            found.extend(held(lab, &format!("s3://{bucket}/{key}"), &content));
            searched += 1;
        }
    }
    ensure!(
        searched > 0,
        "there is no bucket with shared runs to search"
    );
    Ok(searched)
}

/// Which secrets stand in a file or an object, and where.
fn held(lab: &Lab, place: &str, content: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(content);
    let secrets = lab.secrets.iter();
    let secrets = secrets.filter(|secret| secret.len() >= SECRET_CHARACTERS_MIN);
    let one = |secret: &String| {
        let at = text.find(secret.as_str())?;
        let line = text[..at].lines().count().max(1);
        let begins = &secret[..6];
        Some(format!(
            "{place}:{line} holds the secret that begins with `{begins}…`"
        ))
    };
    secrets.filter_map(one).collect()
}

/// All files below a folder, which need not be there.
fn collect(dir: &Path, files: &mut Vec<std::path::PathBuf>) -> Result<()> {
    if !dir.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(dir).with_context(|| format!("cannot list `{}`", dir.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
