//! Builds programs of this workspace, to be run by others.

use std::env;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use serde_json::Value;

/// Builds the program of a package in a profile and says where it lies.
pub(crate) fn program(package: &str, profile: &str) -> Result<PathBuf> {
    // The cargo that started this program; whoever started it by hand gets the one that built it.
    let cargo = env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--locked"])
        .arg("--message-format=json-render-diagnostics")
        .args(["--profile", profile, "--package", package])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    ensure!(output.status.success(), "`{package}` does not build");
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let message: Value = serde_json::from_str(line).unwrap_or_default();
        let is_it = message["target"]["name"] == package;
        if let (true, Some(file)) = (is_it, message["executable"].as_str()) {
            return Ok(PathBuf::from(file));
        }
    }
    bail!("cargo does not say where it put `{package}`")
}

/// The profile that this program was built in.
pub(crate) fn own_profile() -> Result<String> {
    profile_of(&env::current_exe().context("cannot tell where this program lies")?)
}

/// The profile of a program, by the folder that cargo put it into.
fn profile_of(program: &Path) -> Result<String> {
    let folder = program.parent().and_then(|dir| dir.file_name());
    let folder = folder.context("this program lies nowhere")?;
    Ok(match folder.to_string_lossy().as_ref() {
        // The one profile whose folder has another name.
        "debug" => "dev".to_owned(),
        name => name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_told_by_the_folder_of_its_programs() {
        let of = |program: &str| profile_of(Path::new(program)).ok();
        assert_eq!(of("/t/debug/xtask").as_deref(), Some("dev"));
        assert_eq!(of("/t/release/xtask").as_deref(), Some("release"));
        assert_eq!(of("/t/simulate/xtask").as_deref(), Some("simulate"));
        assert_eq!(of("xtask"), None);
    }
}
