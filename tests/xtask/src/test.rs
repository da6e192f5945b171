//! `cargo xtask test`: everything that the README promises to test.

use std::process::Command;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::Result;
use clap::Parser;

/// Runs every test binary of the workspace, then the end-to-end recovery on real parts
#[derive(Parser)]
pub(crate) struct Args {
    /// Leave the end-to-end recovery out
    #[arg(long)]
    quick: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let cargo = env!("CARGO");
    phase(
        "test binaries",
        Command::new(cargo).args(["test", "--workspace", "--locked"]),
    )?;
    if !args.quick {
        // Building the tests may have replaced this very program, so it is started anew.
        phase("end to end", Command::new(cargo).args(["xtask", "e2e"]))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn phase(name: &str, command: &mut Command) -> Result<()> {
    println!("== {name}");
    let started = Instant::now();
    let status = command
        .status()
        .with_context(|| format!("cannot start {name}"))?;
    println!("{:6.1} min  {name}", started.elapsed().as_secs_f64() / 60.0);
    anyhow::ensure!(status.success(), "{name} failed ({status})");
    Ok(())
}
