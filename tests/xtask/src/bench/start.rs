//! From the start of the process to the first line that a person sees.
//!
//! Beside it stands a program that does nothing, which costs what starting a process costs here.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;

use super::table::Table;

/// How often each process is started for each run that was asked for: a start is short, and differs.
const STARTS_PER_RUN: usize = 10;

/// The spec whose first line is waited for.
const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/shop");

/// Measures `validate` of the example, and `plan` of it from a snapshot.
pub(super) fn run(folder: &Path, program: &Path, runs: usize, table: &mut Table) -> Result<()> {
    let starts = runs * STARTS_PER_RUN;
    fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    let snapshot = folder.join("shop.snapshot");
    let snapshot = snapshot.to_str().context("a folder that is no text")?;
    let kept = quiet(program, &["rehearse", EXAMPLE, "--snapshot", snapshot])
        .status()
        .context("cannot start drplan")?;
    ensure!(kept.success(), "drplan keeps no snapshot of the example");
    let plan = [
        "--chdir",
        EXAMPLE,
        "--live",
        snapshot,
        "--lost",
        "cluster:a",
    ];
    for (what, args) in [
        ("validate", vec!["validate", "--chdir", EXAMPLE]),
        ("plan", [&["plan"], &plan[..]].concat()),
    ] {
        let ms = measured(starts, || first_line(quiet(program, &args)))?;
        table.note(format!(
            "From process start to the first line, `drplan {what}` of the example: {ms}."
        ));
    }
    let ms = measured(starts, || ended(quiet(Path::new("true"), &[])))?;
    table.note(format!(
        "From process start to the end of a program that does nothing: {ms}."
    ));
    Ok(())
}

fn quiet(program: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(args)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .stdout(Stdio::null());
    command
}

/// Median and bounds of some starts, in words.
fn measured(starts: usize, mut once: impl FnMut() -> Result<f64>) -> Result<String> {
    let mut all = (0..starts).map(|_| once()).collect::<Result<Vec<f64>>>()?;
    all.sort_by(f64::total_cmp);
    Ok(format!(
        "{:.1} ms at the median ({:.1} to {:.1}, {starts} starts)",
        all[starts / 2],
        all[0],
        all[starts - 1]
    ))
}

/// Milliseconds until the first byte, on whichever of the two outputs it comes.
fn first_line(mut command: Command) -> Result<f64> {
    let (mut read, write) = std::io::pipe().context("no pipe")?;
    let second = write.try_clone().context("no pipe")?;
    let start = Instant::now();
    let mut child = command
        .stdout(write)
        .stderr(second)
        .spawn()
        .context("cannot start drplan")?;
    // It holds the writing ends, and without this the end of the child would not be seen.
    drop(command);
    let mut first = [0];
    read.read_exact(&mut first)
        .context("drplan printed nothing")?;
    let ms = start.elapsed().as_secs_f64() * 1e3;
    std::io::copy(&mut read, &mut std::io::sink()).context("cannot read what drplan printed")?;
    let status = child.wait().context("drplan is gone")?;
    ensure!(status.success(), "drplan ended with {status}");
    Ok(ms)
}

fn ended(mut command: Command) -> Result<f64> {
    let start = Instant::now();
    command
        .status()
        .context("cannot start a program that does nothing")?;
    Ok(start.elapsed().as_secs_f64() * 1e3)
}
