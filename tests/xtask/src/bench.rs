//! `cargo xtask bench`: drplan beside its peers, in one run on one machine.
//!
//! What both sides decide is asserted; how long they take is only reported.

mod layered;
mod live_diff;
mod measure;
mod table;

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::ExitCode;
use std::process::Stdio;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use clap::ValueEnum;
use drplan_harness::components::locate_opentofu;
use serde_json::Value;

use measure::Meter;
use table::Table;

/// Where files cost nothing, on most machines.
const MEMORY_FOLDER: &str = "/dev/shm";

/// Measure planning beside OpenTofu and live differences beside kubectl
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only this part
    #[arg(long)]
    only: Option<Part>,
    /// How many resources the layered graphs have
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 2_000, 10_000])]
    sizes: Vec<usize>,
    /// How often each measurement is taken
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Let OpenTofu plan 2,000 resources too, which takes it many minutes
    #[arg(long)]
    peer_2000: bool,
    /// This OpenTofu [default: the component of that name]
    #[arg(long)]
    opentofu: Option<PathBuf>,
    /// This drplan [default: a release build of the tree]
    #[arg(long)]
    drplan: Option<PathBuf>,
    /// Write the table as JSON too
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Part {
    /// The layered graph: plan, plan file and no-op plan
    Graph,
    /// 2,000 ConfigMaps that are as they should be, on a real API server
    Diff,
}

pub(crate) async fn run(args: &Args) -> Result<ExitCode> {
    anyhow::ensure!(args.runs > 0, "`--runs` must be at least 1");
    let folder = folder()?;
    let meter = Meter::new(args.runs)?;
    let mut table = Table::default();
    if args.only != Some(Part::Diff) {
        let peer = match &args.opentofu {
            Some(file) => file.clone(),
            None => locate_opentofu().context("or name one with `--opentofu FILE`")?,
        };
        let program = build("drplan-bench")?;
        let workload = layered::Workload {
            folder: folder.path().join("layered"),
            program,
            peer: absolute(&peer)?,
            sizes: args.sizes.clone(),
            peer_size_max: if args.peer_2000 { 2_000 } else { 1_000 },
        };
        workload.run(&meter, &mut table)?;
    }
    if args.only != Some(Part::Graph) {
        let program = match &args.drplan {
            Some(file) => absolute(file)?,
            None => build("drplan")?,
        };
        live_diff::run(&folder.path().join("diff"), &program, &meter, &mut table).await?;
    }
    print!("{}", table.markdown());
    if let Some(file) = &args.json {
        fs::write(file, serde_json::to_string_pretty(&table.json())? + "\n")
            .with_context(|| format!("cannot write `{}`", file.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn folder() -> Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix("drplan-bench-");
    let made = if Path::new(MEMORY_FOLDER).is_dir() {
        builder.tempdir_in(MEMORY_FOLDER)
    } else {
        builder.tempdir()
    };
    made.context("cannot make a folder for the measurements")
}

fn absolute(file: &Path) -> Result<PathBuf> {
    fs::canonicalize(file).with_context(|| format!("there is no `{}`", file.display()))
}

/// Builds the program of a package in release form and says where it lies.
fn build(package: &str) -> Result<PathBuf> {
    println!("building {package}");
    let output = Command::new(env!("CARGO"))
        .args(["build", "--release", "--locked", "--message-format=json"])
        .args(["--package", package])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    anyhow::ensure!(output.status.success(), "`{package}` does not build");
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let message: Value = serde_json::from_str(line).unwrap_or_default();
        let is_it = message["target"]["name"] == package && message["executable"].is_string();
        if let (true, Some(file)) = (is_it, message["executable"].as_str()) {
            return Ok(PathBuf::from(file));
        }
    }
    bail!("cargo does not say where it put `{package}`")
}
