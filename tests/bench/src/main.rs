//! What `cargo xtask bench` measures of drplan itself, one process for each measurement.
//!
//! `generate` writes one graph for drplan and for OpenTofu; `plan` runs the pipeline of
//! `drplan plan --out` over a world in memory; `makespan` lets the engine do random work in virtual time.
#![expect(clippy::print_stdout, reason = "a command line prints")]
#![allow(
    clippy::disallowed_methods,
    reason = "developer commands read clocks and files freely"
)]

mod graph;
mod makespan;
mod pipeline;
mod work;
mod world;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::Result;
use clap::Parser;
use clap::Subcommand;

use graph::Graph;
use graph::Shape;
use pipeline::Phases;
use world::State;

/// As in `drplan` itself.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const KIB_PER_MIB: u64 = 1024;

/// Workloads of the benchmarks
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write a graph as a spec, as a configuration of OpenTofu, and as a finished world
    Generate {
        /// How the nodes hang together
        #[arg(long, default_value = "layered")]
        shape: Shape,
        /// How many nodes
        #[arg(long)]
        size: usize,
        /// The folder of the spec
        #[arg(long)]
        spec: PathBuf,
        /// The folder of OpenTofu's configuration
        #[arg(long)]
        peer: PathBuf,
        /// The file of the world in which everything exists
        #[arg(long)]
        world: PathBuf,
    },
    /// Let the engine do random work in virtual time, beside an offline schedule of the same
    Makespan {
        /// How many steps
        #[arg(long, default_value_t = 2_000)]
        size: usize,
        /// The seed of all chance
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// How many steps may run at once
        #[arg(long, value_delimiter = ',', default_values_t = [10, 64])]
        slots: Vec<usize>,
    },
    /// Plan a spec, write the plan file, and print the summary or where time and memory went
    Plan {
        /// The folder of the spec
        #[arg(long)]
        spec: PathBuf,
        /// The file of what exists; nothing does without it
        #[arg(long)]
        world: Option<PathBuf>,
        /// The plan file
        #[arg(long)]
        out: PathBuf,
        /// Print time and memory of each phase instead of the summary
        #[arg(long)]
        phases: bool,
    },
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Generate {
            shape,
            size,
            spec,
            peer,
            world,
        } => generate(shape, size, &spec, &peer, &world),
        Command::Makespan { size, seed, slots } => makespan::print(size, seed, &slots),
        Command::Plan {
            spec,
            world,
            out,
            phases,
        } => plan(&spec, world.as_deref(), &out, phases),
    }
}

fn generate(shape: Shape, size: usize, spec: &Path, peer: &Path, world: &Path) -> Result<()> {
    let graph = Graph::new(shape, size)?;
    graph.write_spec(spec)?;
    graph.write_peer(peer)?;
    fs::write(world, serde_json::to_string(&graph.world())?)
        .with_context(|| format!("cannot write `{}`", world.display()))
}

fn plan(spec: &Path, world: Option<&Path>, out: &Path, print_phases: bool) -> Result<()> {
    let mut phases = Phases::start();
    let world = match world {
        Some(file) => read(file).with_context(|| format!("cannot read `{}`", file.display()))?,
        None => BTreeMap::new(),
    };
    phases.end("world");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let planned = pipeline::plan(spec, world::registry(world), out, &mut phases);
    let (plan, summary) = runtime.block_on(planned)?;
    // As `drplan plan` does.
    std::mem::forget(plan);
    if print_phases {
        for phase in &phases.ended {
            let peak = phase.peak_kib.map_or_else(String::new, |kib| {
                format!("{:>8} MiB at most so far", kib / KIB_PER_MIB)
            });
            println!("{:<20} {:>9.1} ms {peak}", phase.name, phase.ms);
        }
    } else {
        print!("{summary}");
    }
    Ok(())
}

fn read(file: &Path) -> Result<BTreeMap<String, State>> {
    Ok(serde_json::from_slice(&fs::read(file)?)?)
}
