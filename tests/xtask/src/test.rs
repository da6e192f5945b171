//! `cargo xtask test`: everything that the README promises to test.

use std::process::Command;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::Result;
use clap::Parser;
use drplan_harness::Components;
use drplan_harness::Ending;
use drplan_harness::Identity;
use drplan_harness::Part;
use drplan_harness::Site;
use drplan_harness::site::UpOptions;

/// Runs every test binary of the workspace, then kinds and the end-to-end recovery on real parts
#[derive(Parser)]
pub(crate) struct Args {
    /// Leave out what runs on real parts
    #[arg(long)]
    quick: bool,
}

pub(crate) async fn run(args: &Args) -> Result<ExitCode> {
    let cargo = env!("CARGO");
    phase(
        "test binaries",
        Command::new(cargo).args(["test", "--workspace", "--locked"]),
    )?;
    if !args.quick {
        kinds(cargo).await?;
        // Building the tests may have replaced this very program, so it is started anew.
        phase("end to end", Command::new(cargo).args(["xtask", "e2e"]))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The tests of kinds that want real parts of their own. `helm`'s find a cluster without nodes, on which no Pod turns
/// ready.
async fn kinds(cargo: &str) -> Result<()> {
    let dir = tempfile::tempdir().context("cannot make a folder for a site")?;
    let components = Components::locate()?;
    let options = UpOptions {
        nodes: 0,
        ..UpOptions::with_this_program_as_keeper()?
    };
    let path = dir.path().join("site");
    let site = Site::start(&path, &components, "kinds", &[Part::ControlPlane], &options).await?;
    let done = phase(
        "kinds on real parts",
        Command::new(cargo)
            .args([
                "test",
                "--locked",
                "-p",
                "drplan-helm",
                "-p",
                "drplan-velero",
                "-p",
                "xtask",
            ])
            .args(["--test", "real", "--test", "two_sites", "--", "--ignored"])
            .env("DRPLAN_TEST_KUBECONFIG", site.kubeconfig(Identity::Admin))
            .env("DRPLAN_TEST_HELM", &components.helm),
    );
    site.destroy(Ending::Abrupt).await?;
    done
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
