//! PostgreSQL, which comes from Debian and is not built.
//!
//! Knows the folder of Debian's packages and no other distribution's.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

/// Where Debian puts `VERSION/bin`.
const POSTGRES_ROOT: &str = "/usr/lib/postgresql";

/// The programs that must be there: server, cluster creation and both ends of a dump.
const PROGRAMS: &[&str] = &["initdb", "postgres", "pg_dump", "pg_restore", "psql"];

/// Finds the programs of the newest installed PostgreSQL.
///
/// # Errors
///
/// When there is none that is whole.
pub(super) fn postgres_bin() -> Result<PathBuf> {
    let versions = fs::read_dir(POSTGRES_ROOT).into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|entry| {
            Some((
                entry.file_name().to_str()?.parse::<u32>().ok()?,
                entry.path(),
            ))
        })
        .map(|(version, path)| (version, path.join("bin")))
        .filter(|(_, bin)| PROGRAMS.iter().all(|program| bin.join(program).is_file()))
        .max_by_key(|(version, _)| *version);
    match newest {
        Some((_, bin)) => Ok(bin),
        None => bail!(
            "no PostgreSQL under `{POSTGRES_ROOT}`: run `cargo xtask components postgresql` as \
             root or `apt-get install postgresql`"
        ),
    }
}

/// Installs PostgreSQL unless it is there; says where its programs are.
///
/// # Errors
///
/// When it is missing and this is not root, or when `apt-get` fails.
pub fn ensure_postgres() -> Result<PathBuf> {
    if let Ok(bin) = postgres_bin() {
        return Ok(bin);
    }
    if !rustix::process::geteuid().is_root() {
        bail!("PostgreSQL is missing and only root can install it: `apt-get install postgresql`");
    }
    apt_get(&["update"])?;
    apt_get(&[
        "install",
        "-y",
        "--no-install-recommends",
        "postgresql",
        "postgresql-client",
    ])?;
    postgres_bin()
}

fn apt_get(args: &[&str]) -> Result<()> {
    let output = Command::new("apt-get")
        .args(args)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .output()
        .context("cannot run `apt-get`")?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!("`apt-get {}` failed: {}", args.join(" "), error.trim());
    }
    Ok(())
}
