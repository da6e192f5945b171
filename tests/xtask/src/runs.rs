//! Where drplan keeps its runs beside a spec, and what it calls their files.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::ensure;

/// The folder of runs beside a spec.
pub(crate) const FOLDER: &str = ".drplan/runs";

/// The folders of all runs beside a spec, in order; none before there is one.
pub(crate) fn of(spec: &Path) -> Result<Vec<PathBuf>> {
    within(&spec.join(FOLDER))
}

/// The folders of all runs in a folder of runs, in order; none if it is not there.
pub(crate) fn within(folder: &Path) -> Result<Vec<PathBuf>> {
    let about = || format!("cannot list `{}`", folder.display());
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.with_context(about)?,
    };
    let mut out = Vec::new();
    for entry in entries {
        out.push(entry.with_context(about)?.path());
    }
    out.sort();
    Ok(out)
}

/// The only one of some runs.
pub(crate) fn only(runs: &[PathBuf]) -> Result<&Path> {
    ensure!(runs.len() == 1, "expected one run, found {runs:?}");
    Ok(&runs[0])
}

/// What a run is called, by its folder.
pub(crate) fn id(run: &Path) -> Result<String> {
    let name = run.file_name().context("a run without a name")?;
    Ok(name.to_string_lossy().into_owned())
}

/// The journal of a run, by its folder.
pub(crate) fn journal(run: &Path) -> PathBuf {
    run.join("journal.jsonl")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_found_beside_a_spec_and_none_where_nothing_has_run() {
        let dir = tempfile::tempdir().unwrap();
        assert!(of(dir.path()).unwrap().is_empty());
        assert!(only(&of(dir.path()).unwrap()).is_err());
        for name in ["2026-b", "2026-a"] {
            fs::create_dir_all(dir.path().join(FOLDER).join(name)).unwrap();
        }
        let runs = of(dir.path()).unwrap();
        let ids: Vec<String> = runs.iter().map(|run| id(run).unwrap()).collect();
        assert_eq!(ids, ["2026-a", "2026-b"]);
        assert!(only(&runs).is_err());
        assert_eq!(only(&runs[..1]).unwrap(), runs[0]);
        assert!(journal(&runs[0]).ends_with(".drplan/runs/2026-a/journal.jsonl"));
    }

    #[test]
    fn what_cannot_be_listed_is_not_taken_for_nothing() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(".drplan")).unwrap();
        fs::write(dir.path().join(FOLDER), "no folder").unwrap();
        assert!(of(dir.path()).is_err());
    }
}
