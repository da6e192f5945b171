//! No secret in anything that drplan says or keeps.

use std::fs;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;

use super::lab::Lab;

/// Shorter texts would be found by chance.
const SECRET_CHARACTERS_MIN: usize = 12;

pub(super) async fn no_secret_is_in_any_output_plan_journal_or_frontier(
    lab: &mut Lab,
) -> Result<()> {
    lab.recovered_from_nothing().await?;
    lab.learn_secrets()?;
    let mut files = Vec::new();
    // Everything that was printed, standard error included.
    collect(&lab.drplan.report.join("outputs"), &mut files)?;
    let printed = files.len();
    for spec in fs::read_dir(lab.root.join("specs"))? {
        let spec = spec?.path();
        // Plans, journals and frontiers of all runs; `work` is where tools get what they need.
        collect(&spec.join(".drplan/runs"), &mut files)?;
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
        let text = String::from_utf8_lossy(&text);
        for secret in lab
            .secrets
            .iter()
            .filter(|s| s.len() >= SECRET_CHARACTERS_MIN)
        {
            if let Some(at) = text.find(secret.as_str()) {
                let line = text[..at].lines().count().max(1);
                found.push(format!(
                    "{}:{line} holds the secret that begins with `{}…`",
                    file.display(),
                    &secret[..6]
                ));
            }
        }
    }
    ensure!(
        found.is_empty(),
        "{} secrets in {} files:\n    {}",
        found.len(),
        files.len(),
        found.join("\n    ")
    );
    Ok(())
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
