//! `cargo xtask e2e`: a destroyed site comes back, on real parts, and everything is looked at.
//!
//! One world is built once: site A lives, is backed up, and is destroyed. Then every scenario works
//! on site B, the bucket and the zone, and says in one sentence what must hold.

mod audit;
mod audit_all;
mod bad_input;
mod clock;
pub(crate) mod database;
mod disk;
mod dns;
mod drift;
mod drplan;
mod kill;
pub(crate) mod kubectl;
pub(crate) mod lab;
mod ledger;
mod pauses;
mod recovery;
mod rights;
mod rivals;
mod scenarios;
mod secrets;
mod shop;
mod store;
mod team;
mod truth;
mod watch;
mod yard;
mod zone;

use std::env;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

use crate::build;
use kill::Depth;
use kill::Tally;
use lab::Lab;
use lab::Places;
use scenarios::Scenario;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;

/// Names the folder of the world to a program that was started out of it.
const WORLD: &str = "DRPLAN_E2E_WORLD";
/// And the folder that the program was built in, which lies elsewhere then.
const BUILT_IN: &str = "DRPLAN_E2E_BUILT_IN";

/// Destroy a site, recover it with drplan, and check everything that must hold
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only scenarios whose name or sentence contains this
    #[arg(long, value_name = "PATTERN")]
    only: Option<String>,
    /// Resume from the same folder and from an empty one after every kill, not from one of them in turn
    #[arg(long)]
    both: bool,
    /// Keep the world's folder also when everything holds
    #[arg(long)]
    keep: bool,
    /// Only the main recovery, with drplan's own output on this terminal
    #[arg(long)]
    watch: bool,
    /// With `--watch`: drplan is killed in the middle, and goes on
    #[arg(long, requires = "watch")]
    cut: bool,
    /// Print the scenarios and run none
    #[arg(long)]
    list: bool,
    /// Where outputs are kept [default: `e2e-report` beside the programs]
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
}

pub(crate) async fn run(args: &Args) -> Result<ExitCode> {
    let depth = if args.both {
        Depth::Both
    } else {
        Depth::Alternating
    };
    let chosen = chosen(args.only.as_deref(), depth)?;
    if args.list {
        for scenario in &chosen {
            println!("{:<24} {}", scenario.name, scenario.sentence);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let start = Instant::now();
    let Some(root) = env::var_os(WORLD).map(PathBuf::from) else {
        return Err(begin_in_world());
    };
    let report = match &args.report {
        Some(report) => std::path::absolute(report)?,
        None => built_in()?.join("e2e-report"),
    };
    prepare_report(&report)?;
    let progress = |what: &str| println!("{:>7.1} s  {what}", start.elapsed().as_secs_f64());
    progress("drplan built");
    let places = Places {
        root: root.clone(),
        report: report.clone(),
        drplan: programs(&root).join("drplan"),
        sources: sources()?,
    };
    // Dropped half-way, it ends what it has started.
    let lab = tokio::select! {
        lab = Lab::prepare(places, &progress) => lab,
        asked = asked_to_end() => Err(asked),
    };
    let outcome = match lab {
        Ok(mut lab) => {
            let outcome = tokio::select! {
                outcome = work(&mut lab, args, &chosen, &report) => outcome,
                asked = asked_to_end() => Err(asked),
            };
            lab.end().await?;
            outcome
        }
        Err(error) => Err(error.context("cannot build the world")),
    };
    let programs = programs(&root);
    fs::remove_dir_all(&programs)
        .with_context(|| format!("cannot delete `{}`", programs.display()))?;
    let all_hold = *outcome.as_ref().unwrap_or(&false);
    if all_hold && !args.keep {
        fs::remove_dir_all(&root).with_context(|| format!("cannot delete `{}`", root.display()))?;
    } else {
        println!("the world's folder, with all logs: {}", root.display());
    }
    println!("outputs: {}", report.display());
    println!("{:.0} s in all", start.elapsed().as_secs_f64());
    Ok(if outcome? {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Waits for Ctrl-C or SIGTERM and says which it was.
pub(crate) async fn asked_to_end() -> anyhow::Error {
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => return anyhow::Error::new(error).context("cannot wait for SIGTERM"),
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => anyhow::anyhow!("interrupted"),
        _ = terminate.recv() => anyhow::anyhow!("asked to end"),
    }
}

fn chosen(pattern: Option<&str>, depth: Depth) -> Result<Vec<Scenario>> {
    let mut all = scenarios::all(depth);
    if let Some(pattern) = pattern {
        all.retain(|s| s.name.contains(pattern) || s.sentence.contains(pattern));
        if all.is_empty() {
            bail!("no scenario contains `{pattern}`; `--list` prints all");
        }
    }
    Ok(all)
}

/// Starts this program anew out of the world's own folder: a build that replaces it meanwhile must not
/// take it away from the sites that it keeps. Returns only if that fails.
fn begin_in_world() -> anyhow::Error {
    let begin = || -> Result<anyhow::Error> {
        let this = env::current_exe().context("cannot tell where this program lies")?;
        let built = this.parent().context("this program lies nowhere")?;
        let drplan = build::program("drplan", &build::own_profile()?)?;
        let root = lab::make_root()?;
        let programs = programs(&root);
        fs::create_dir_all(&programs)?;
        for (file, name) in [(&drplan, "drplan"), (&this, "xtask")] {
            fs::copy(file, programs.join(name))
                .with_context(|| format!("cannot copy `{name}` into the world"))?;
        }
        let failed = Command::new(programs.join("xtask"))
            .args(env::args_os().skip(1))
            .env(WORLD, &root)
            .env(BUILT_IN, built)
            .exec();
        Ok(anyhow::Error::new(failed).context("cannot start out of the world's folder"))
    };
    begin().unwrap_or_else(|error| error)
}

/// Where the programs of a world lie: beside its folder, which is searched for secrets.
fn programs(root: &Path) -> PathBuf {
    let mut name = root.as_os_str().to_owned();
    name.push("-programs");
    name.into()
}

/// The folder that the programs were built in.
fn built_in() -> Result<PathBuf> {
    let built = env::var_os(BUILT_IN).map(PathBuf::from);
    built.with_context(|| format!("`{BUILT_IN}` is not set"))
}

/// The folder `tests/e2e` of the checkout that this was built from.
fn sources() -> Result<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../e2e");
    dir.canonicalize()
        .with_context(|| format!("no folder `{}`", dir.display()))
}

/// Empties the report's folder, if it is one of ours.
fn prepare_report(report: &Path) -> Result<()> {
    let mark = report.join("results.txt");
    if report.exists() && !mark.exists() && fs::read_dir(report)?.next().is_some() {
        bail!("`{}` holds something that is no report", report.display());
    }
    if report.exists() {
        fs::remove_dir_all(report)
            .with_context(|| format!("cannot empty `{}`", report.display()))?;
    }
    fs::create_dir_all(report).with_context(|| format!("cannot create `{}`", report.display()))?;
    fs::write(&mark, "").with_context(|| format!("cannot write `{}`", mark.display()))
}

async fn work(lab: &mut Lab, args: &Args, chosen: &[Scenario], report: &Path) -> Result<bool> {
    if args.watch {
        watch::watch(lab, args.cut).await
    } else {
        all(lab, chosen, report).await
    }
}

/// Runs the scenarios one after the other; one that fails does not keep others from running.
async fn all(lab: &mut Lab, chosen: &[Scenario], report: &Path) -> Result<bool> {
    let mut results = String::new();
    let mut failed = 0;
    let mut tally = Tally::default();
    for scenario in chosen {
        let start = Instant::now();
        let outcome = scenario.run(lab).await;
        lab.is_clean = outcome.is_ok();
        if let Some(point) = scenario.kills_at() {
            tally.add(point, &outcome, start.elapsed());
        }
        let took_s = start.elapsed().as_secs_f64();
        let word = if outcome.is_ok() { "ok  " } else { "FAIL" };
        let mut text = format!(
            "{word} {took_s:>6.1} s  {}: {}\n",
            scenario.name, scenario.sentence
        );
        if let Err(error) = outcome {
            failed += 1;
            text.push_str("    ");
            text.extend([format!("{error:#}").as_str(), "\n"]);
        }
        print!("{text}");
        results.push_str(&text);
        fs::write(report.join("results.txt"), &results).context("cannot write the results")?;
    }
    if let Some(line) = tally.line() {
        println!("{line}");
        results.push_str(&line);
        results.push('\n');
        fs::write(report.join("results.txt"), &results).context("cannot write the results")?;
    }
    println!("{} of {} hold", chosen.len() - failed, chosen.len());
    Ok(failed == 0 && !tally.is_too_late())
}
