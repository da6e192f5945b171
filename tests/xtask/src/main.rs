//! Developer commands, one file each.
//!
//! This is a thin shell over `drplan-harness`: arguments in, lines and exit codes out.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line prints"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "developer commands read clocks and files freely"
)]

mod bench;
mod build;
mod components;
mod docs;
mod e2e;
mod example;
mod route53;
mod runs;
mod simulate;
mod site;
mod test;
mod tree;

use std::process::ExitCode;

use clap::Parser;
use clap::Subcommand;

/// Exit code for everything that went wrong, so that 1 stays free for "not true".
const BROKEN: u8 = 2;

/// Developer commands of drplan
#[derive(Parser)]
#[command(name = "xtask")]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    Bench(bench::Args),
    Components(components::Args),
    Docs(docs::Args),
    E2e(e2e::Args),
    Example(example::Args),
    Route53(route53::Args),
    Simulate(simulate::Args),
    Site(site::Args),
    Test(test::Args),
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Task::Bench(args) => bench::run(&args).await,
        Task::Components(args) => components::run(&args),
        Task::Docs(args) => docs::run(&args),
        Task::E2e(args) => e2e::run(&args).await,
        Task::Example(args) => example::run(&args).await,
        Task::Route53(args) => route53::run(&args).await,
        Task::Simulate(args) => simulate::run(&args),
        Task::Site(args) => site::run(args).await,
        Task::Test(args) => test::run(&args).await,
    };
    done.unwrap_or_else(|error| {
        eprintln!("xtask: {error:#}");
        ExitCode::from(BROKEN)
    })
}
