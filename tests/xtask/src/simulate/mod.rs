//! `cargo xtask simulate`: the engine over the world of rehearsals, from seeds, with faults and
//! crashes, and the rules that must hold after each.
//!
//! One seed is one life: a world, and runs in it that are cut off and go on until the recovery is
//! complete. Lives of one seed are the same to the last event.

mod apart;
mod canonical;
mod course;
mod entry;
mod foreign;
mod life;
mod matrix;
mod processes;
mod rules;
mod side_by_side;
#[cfg(test)]
mod stale;
mod tally;
mod trace;
mod verdict;

use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use anyhow::anyhow;
use anyhow::bail;

use canonical::State;
use course::Course;
use course::Scale;
use side_by_side::side_by_side;
use tally::Tally;
use tally::complain;
use verdict::Verdict;
use verdict::compare;

/// Who drplan is in a cluster of a rehearsal.
const DRPLAN: &str = "drplan";
/// The seed of the first life if nobody gives one.
const SEED_FIRST: u64 = 1;
/// A small spec, every way of changing something but restores.
const SMALL: &str = "tests/xtask/src/simulate/specs/site";
/// A large one, with restores.
const SHOP: &str = "examples/shop";
/// One seed in so many is a life of the shop.
const SHOP_EVERY: u64 = 10;

/// Recover again and again in worlds with faults and crashes, and check what must always hold
#[derive(clap::Args, Clone)]
pub(crate) struct Args {
    /// How many lives
    #[arg(long, default_value_t = 50)]
    seeds: u64,
    /// Only this seed
    #[arg(long)]
    seed: Option<u64>,
    /// The seed of the first life
    #[arg(long, default_value_t = SEED_FIRST)]
    from: u64,
    /// The folder of a spec with its world. If it is not given, every tenth life is that of the shop
    /// of the examples, and the others that of a small spec of this command
    #[arg(long)]
    spec: Option<PathBuf>,
    /// Show every run, and with `--seed` everything that happened
    #[arg(long)]
    verbose: bool,
    /// Live every life twice and compare them event by event
    #[arg(long)]
    twice: bool,
    /// How many lives are lived side by side; they know nothing of each other
    #[arg(long, default_value_t = cores())]
    jobs: usize,
    /// End with the first life that breaks a rule
    #[arg(long)]
    first: bool,
    /// Instead of lives from seeds: cut one off at every point, and go on from its folder and from an
    /// empty one
    #[arg(long, conflicts_with_all = ["seeds", "seed", "from", "twice"])]
    matrix: bool,
    /// As the matrix, with the real drplan, ended with SIGKILL over a world of this process, at one of so
    /// many points
    #[arg(
        long,
        value_name = "N",
        num_args = 0..=1,
        default_missing_value = "10",
        require_equals = true,
        conflicts_with_all = ["seeds", "seed", "from", "twice", "matrix", "spec", "first"]
    )]
    processes: Option<std::num::NonZeroUsize>,
    /// Of the matrix, only one point in so many of the small spec and, after the colon, of the shop
    #[arg(long, default_value = "1:1", value_parser = strides, requires = "matrix")]
    every: (usize, usize),
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    match (args.processes, args.matrix) {
        (Some(every), _) => {
            // They wait for each other more than they work.
            let clean = processes::run(every.get(), 2 * args.jobs, args.verbose)?;
            Ok(code(clean))
        }
        (None, true) => crash_everywhere(args),
        (None, false) => from_seeds(args),
    }
}

fn code(clean: bool) -> ExitCode {
    match clean {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Cuts lives off at every point.
fn crash_everywhere(args: &Args) -> Result<ExitCode> {
    let stages = match &args.spec {
        Some(spec) => vec![(spec.clone(), args.every.0)],
        None => vec![(folder(SMALL), args.every.0), (folder(SHOP), args.every.1)],
    };
    let mut clean = true;
    for (spec, every) in stages {
        clean &= matrix::run(&Stage::measure(&spec)?, every, args)?;
    }
    Ok(code(clean))
}

/// `N:M`, both at least one.
fn strides(text: &str) -> Result<(usize, usize), String> {
    let parsed = text
        .split_once(':')
        .and_then(|(small, shop)| Some((small.parse().ok()?, shop.parse().ok()?)));
    parsed
        .filter(|&(small, shop)| small > 0 && shop > 0)
        .ok_or_else(|| "give two numbers from 1 on, as `1:10`".to_owned())
}

fn from_seeds(args: &Args) -> Result<ExitCode> {
    let began = Instant::now();
    let stages = match &args.spec {
        Some(spec) => vec![Stage::measure(spec)?],
        None => match args.seed {
            Some(seed) if is_shops(seed) => vec![Stage::measure(&folder(SHOP))?],
            Some(_) => vec![Stage::measure(&folder(SMALL))?],
            None => vec![
                Stage::measure(&folder(SMALL))?,
                Stage::measure(&folder(SHOP))?,
            ],
        },
    };
    let seeds: Vec<u64> = match args.seed {
        Some(seed) => vec![seed],
        None => (args.from..).take(usize::try_from(args.seeds)?).collect(),
    };
    let mut tally = Tally::default();
    let live = |&seed: &u64| {
        let last = stages.len() - 1;
        let stage = &stages[if is_shops(seed) { last } else { 0 }];
        let course = Course::draw(seed, &stage.scale);
        let mut verdict = Verdict::of(&stage.spec, &course, Some(&stage.end));
        if args.twice {
            let again = Verdict::of(&stage.spec, &course, Some(&stage.end));
            compare(&mut verdict, &again);
        }
        (course, verdict)
    };
    side_by_side(&seeds, args.jobs, live, |&seed, (course, verdict)| {
        if args.verbose {
            verdict.tell(seed, &course, args.seed.is_some());
        }
        tally.add(seed, &verdict);
        if !verdict.broken.is_empty() {
            complain(seed, args.spec.as_deref(), &verdict.broken);
        }
        args.first && !verdict.broken.is_empty()
    });
    tally.print(began);
    Ok(code(tally.is_clean()))
}

/// How many lives this machine can live at once.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// A spec with its world, and how its life goes if nothing goes wrong.
struct Stage {
    spec: PathBuf,
    scale: Scale,
    end: State,
}

impl Stage {
    /// Lives the life in which nothing goes wrong.
    fn measure(spec: &Path) -> Result<Self> {
        let verdict = Verdict::of(spec, &Course::undisturbed(), None);
        if !verdict.broken.is_empty() {
            let lines = verdict.broken.iter();
            let lines: Vec<String> = lines.map(|b| format!("{}: {}", b.rule, b.how)).collect();
            bail!(
                "`{}` does not come back even if nothing goes wrong:\n{}",
                spec.display(),
                lines.join("\n")
            );
        }
        Ok(Self {
            spec: spec.to_owned(),
            scale: verdict.scale.ok_or_else(|| anyhow!("it made no plan"))?,
            end: verdict.state,
        })
    }

    /// The name of its folder.
    fn name(&self) -> String {
        let name = self.spec.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }
}

/// Whether a seed's life is one of the shop, unless a spec is given. Those are long.
fn is_shops(seed: u64) -> bool {
    seed.is_multiple_of(SHOP_EVERY)
}

/// A folder of this repository.
fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn what_means_nothing_for_processes_is_refused() {
        let parsed = |more: &str| {
            let line = ["xtask", "simulate", "--processes", more];
            crate::Cli::try_parse_from(line).map(drop)
        };
        assert!(parsed("--verbose").is_ok());
        for more in ["--first", "--twice", "--matrix"] {
            assert!(parsed(more).is_err(), "{more}");
        }
    }

    #[test]
    fn two_lives_of_one_seed_are_the_same_to_the_last_event() {
        let stage = Stage::measure(&folder(SMALL)).expect("a life without trouble");
        let course = Course::draw(5, &stage.scale);
        let mut once = Verdict::of(&stage.spec, &course, Some(&stage.end));
        let again = Verdict::of(&stage.spec, &course, Some(&stage.end));
        compare(&mut once, &again);
        assert!(once.broken.is_empty(), "{:?}", once.broken);
        assert!(once.faults > 0 && once.requests > 100);
    }
}
