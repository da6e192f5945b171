//! `cargo xtask bench`: drplan beside its peers, in one run on one machine.
//!
//! What both sides decide is asserted; how long they take is only reported.

mod graph;
mod live_diff;
mod measure;
mod start;
mod table;

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use anyhow::Result;
use clap::ValueEnum;
use drplan_harness::components::locate_opentofu;

use crate::build;
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
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 2_000, 10_000, 100_000])]
    layered: Vec<usize>,
    /// How many resources the chains have
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000])]
    chain: Vec<usize>,
    /// How many keys the `for_each` has
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000])]
    for_each: Vec<usize>,
    /// How often each measurement is taken
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// The largest graphs that OpenTofu plans too; from 2,000 on it takes many minutes
    #[arg(long, default_value_t = 1_000)]
    peer_max: usize,
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
    /// Graphs: plan, plan file and no-op plan
    Graph,
    /// 5,000 ConfigMaps that are as they should be, on a real API server
    Diff,
    /// From the start of the process to the first line
    Start,
}

pub(crate) async fn run(args: &Args) -> Result<ExitCode> {
    anyhow::ensure!(args.runs > 0, "`--runs` must be at least 1");
    let folder = folder()?;
    let meter = Meter::new(args.runs)?;
    let mut table = Table::default();
    let wanted = |part| args.only.is_none_or(|only| only == part);
    if wanted(Part::Graph) {
        graphs(args, folder.path(), &meter, &mut table)?;
    }
    if wanted(Part::Diff) || wanted(Part::Start) {
        let program = match &args.drplan {
            Some(file) => absolute(file)?,
            None => built("drplan")?,
        };
        if wanted(Part::Start) {
            start::run(
                &folder.path().join("start"),
                &program,
                args.runs,
                &mut table,
            )?;
        }
        if wanted(Part::Diff) {
            let folder = folder.path().join("diff");
            live_diff::run(&folder, &program, &meter, &mut table).await?;
        }
    }
    print!("{}", table.markdown());
    if let Some(file) = &args.json {
        fs::write(file, serde_json::to_string_pretty(&table.json())? + "\n")
            .with_context(|| format!("cannot write `{}`", file.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn graphs(args: &Args, folder: &Path, meter: &Meter, table: &mut Table) -> Result<()> {
    let peer = match &args.opentofu {
        Some(file) => file.clone(),
        None => locate_opentofu().context("or name one with `--opentofu FILE`")?,
    };
    let shapes = [
        (graph::Shape::Layered, &args.layered),
        (graph::Shape::Chain, &args.chain),
        (graph::Shape::ForEach, &args.for_each),
    ];
    let sized = shapes
        .iter()
        .flat_map(|(shape, sizes)| sizes.iter().map(|size| (*shape, *size)));
    let workload = graph::Workload {
        folder: folder.join("graph"),
        program: built("drplan-bench")?,
        peer: absolute(&peer)?,
        graphs: sized.collect(),
        peer_size_max: args.peer_max,
    };
    workload.run(meter, table)
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

/// The program of a package in release form.
fn built(package: &str) -> Result<PathBuf> {
    println!("building {package}");
    build::program(package, "release")
}
