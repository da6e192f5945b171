//! Runs the conformance sequences: against the real server, and to record what it says.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line prints"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "a developer command writes files of the tree"
)]

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Context as _;
use anyhow::Result;
use clap::Parser;
use clap::Subcommand;
use drplan_conformance::differences;
use drplan_conformance::real::Real;
use drplan_conformance::recording::Origin;
use drplan_conformance::recording::Recording;
use drplan_conformance::report;
use drplan_conformance::run::Runner;
use drplan_conformance::run::Strictness;
use drplan_conformance::sequence;
use drplan_conformance::sequence::Topic;
use drplan_conformance::suite;
use drplan_conformance::suite::Asked;
use drplan_conformance::suite::Controllers;

/// Exit code for everything that went wrong, so that 1 stays free for "not the same".
const BROKEN: u8 = 2;

/// Holds the embedded world to the answers of the real components
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the real server and keep what it says in the tree
    Record(Only),
    /// Run the real server and fail when it does not say what is kept in the tree
    Real(Only),
    /// Run the embedded server and tell where it differs from what is kept in the tree
    Embedded(Only),
    /// Write the page of intended differences
    Docs,
}

#[derive(clap::Args)]
struct Only {
    /// Only topics or sequences whose name holds this
    #[arg(long, value_name = "WORD")]
    only: Option<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Record(only) => record(&only).await,
        Command::Real(only) => real(&only).await,
        Command::Embedded(only) => embedded(&only).await,
        Command::Docs => docs(),
    };
    done.unwrap_or_else(|error| {
        eprintln!("conformance: {error:#}");
        ExitCode::from(BROKEN)
    })
}

/// Starts a real server, asks it everything and ends it.
async fn ask(topics: &[Topic]) -> Result<(Origin, Asked)> {
    let scratch = tempfile::tempdir().context("no scratch folder")?;
    let real = Real::start(scratch.path()).await?;
    let asked = ask_real(&real, topics).await;
    real.end().await?;
    asked
}

async fn ask_real(real: &Real, topics: &[Topic]) -> Result<(Origin, Asked)> {
    let origin = real.origin().await?;
    let mut runner = Runner::new(real.server.clone(), "r", Strictness::MustHold)?;
    let mut asked = Asked::default();
    suite::ask(&mut runner, topics, Controllers::Running, &mut asked).await;
    real.end_controllers()?;
    suite::ask(&mut runner, topics, Controllers::Stopped, &mut asked).await;
    Ok((origin, asked))
}

async fn record(only: &Only) -> Result<ExitCode> {
    let topics = suite::topics(only.only.as_deref())?;
    let (origin, mut asked) = ask(&topics).await?;
    let kept = sequence::root().join("kubernetes/recorded");
    for topic in &topics {
        let before = Recording::load(&kept, &topic.name);
        let mut recording = Recording {
            origin: origin.clone(),
            sequences: BTreeMap::new(),
        };
        if only.only.is_some() {
            recording.sequences = before.map(|before| before.sequences).unwrap_or_default();
        }
        for sequence in &topic.sequences {
            if let Some(outcomes) = asked.answers.remove(&sequence.name) {
                recording.sequences.insert(sequence.name.clone(), outcomes);
            }
        }
        recording.save(&kept, &topic.name)?;
    }
    let judged = differences::Judged::default();
    print!("{}", report::text(&asked.tally, &judged));
    Ok(ExitCode::from(u8::from(!asked.tally.broken.is_empty())))
}

async fn real(only: &Only) -> Result<ExitCode> {
    let topics = suite::topics(only.only.as_deref())?;
    let (_, asked) = ask(&topics).await?;
    let found = suite::differences(&topics, &asked.answers)?;
    let judged = differences::judge(&[], found);
    print!("{}", report::text(&asked.tally, &judged));
    let failed = !asked.tally.broken.is_empty() || !judged.unintended.is_empty();
    Ok(ExitCode::from(u8::from(failed)))
}

async fn embedded(only: &Only) -> Result<ExitCode> {
    let topics = suite::topics(only.only.as_deref())?;
    let asked = drplan_conformance::embedded::ask(&topics).await?;
    let found = suite::differences(&topics, &asked.answers)?;
    let mut judged = differences::judge(&differences::load()?, found);
    if only.only.is_some() {
        // What did not run cannot differ.
        judged.stale.clear();
    }
    print!("{}", report::text(&asked.tally, &judged));
    let failed =
        !asked.tally.broken.is_empty() || !judged.unintended.is_empty() || !judged.stale.is_empty();
    Ok(ExitCode::from(u8::from(failed)))
}

fn docs() -> Result<ExitCode> {
    let docs = sequence::root().join("../../docs/rehearsal-differences.md");
    let page = differences::page(&differences::load()?);
    std::fs::write(&docs, page).with_context(|| format!("cannot write `{}`", docs.display()))?;
    Ok(ExitCode::SUCCESS)
}
