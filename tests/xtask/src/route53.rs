//! `cargo xtask route53`: the strict Route 53 as a process of its own.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use anyhow::Result;
use drplan_harness::Route53;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;

/// Serve a strict Route 53 on loopback until SIGTERM or Ctrl-C
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The port; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The folder of its records and its credentials file
    #[arg(long)]
    dir: PathBuf,
    /// A zone that must exist; may be repeated
    #[arg(long = "zone")]
    zones: Vec<String>,
}

pub(crate) async fn run(args: &Args) -> Result<ExitCode> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let server = Route53::start(&args.dir, args.port, &args.zones).await?;
    println!("endpoint {}", server.endpoint());
    println!("credentials {}", server.credentials_file().display());
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    server.end().await;
    Ok(ExitCode::SUCCESS)
}
