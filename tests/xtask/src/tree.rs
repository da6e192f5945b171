//! Folders with all that is in them.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use anyhow::Result;

/// What drplan leaves beside a spec.
const OF_RUNS: &str = ".drplan";

/// Copies a folder with a spec, and makes the one that it is copied to. What an earlier run by hand left
/// there is no part of the spec.
pub(crate) fn copied(from: &Path, to: &Path) -> Result<()> {
    let about = || format!("cannot copy `{}`", from.display());
    fs::create_dir_all(to).with_context(about)?;
    for entry in fs::read_dir(from).with_context(about)? {
        let entry = entry.with_context(about)?;
        let target = to.join(entry.file_name());
        if !entry.file_type().with_context(about)?.is_dir() {
            fs::copy(entry.path(), &target).with_context(about)?;
        } else if entry.file_name() != OF_RUNS {
            copied(&entry.path(), &target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_is_copied_with_its_folders_and_without_what_runs_left_there() {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("from");
        for name in ["manifests/deep", ".drplan/runs"] {
            fs::create_dir_all(from.join(name)).unwrap();
        }
        for name in ["main.dr.hcl", "manifests/deep/a.yaml", ".drplan/runs/x"] {
            fs::write(from.join(name), name).unwrap();
        }
        let to = dir.path().join("a/to");
        copied(&from, &to).unwrap();
        let read = |name: &str| fs::read_to_string(to.join(name)).ok();
        assert_eq!(read("main.dr.hcl").as_deref(), Some("main.dr.hcl"));
        let deep = "manifests/deep/a.yaml";
        assert_eq!(read(deep).as_deref(), Some(deep));
        assert!(!to.join(".drplan").exists());
    }
}
