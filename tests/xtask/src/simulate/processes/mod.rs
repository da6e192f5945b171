//! The crash matrix with processes: the real `drplan` over a world of another process, ended with SIGKILL
//! after records of its journal and before and after requests; then gone on with by turns from its
//! folder and from an empty machine. The end must be that of an undisturbed life, and a second plan empty.
//!
//! The matrix beside it tries every point with all kinds, within one process. This one takes what that
//! cannot: the process, its files, its lock, and the programs that it leaves behind.

mod fuse;
mod house;

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::anyhow;
use anyhow::ensure;

use super::canonical::State;
use super::canonical::differences;
use super::course::Scale;
use super::folder;
use super::matrix::Cell;
use super::side_by_side::side_by_side;
use super::trace::Point;
use house::House;
use house::journal;
use house::open_run;

/// What can be recovered through what a world opens.
const OPEN: &str = "tests/xtask/src/simulate/specs/open";
/// How long the world may take to come to rest after a run.
const REST: Duration = Duration::from_secs(20);
/// How often is looked whether it has.
const LOOK: Duration = Duration::from_millis(200);
/// How often it must look the same to be at rest.
const LOOKS_AT_REST: usize = 10;
/// Of so many points one may not be met: how often drplan asks while it waits differs between lives.
const UNMET_ONE_IN: usize = 4;

/// How many records at the end of a run may come too quickly for a kill.
const RECORDS_AT_ONCE: u64 = 2;

const APPLY: &[&str] = &["apply", "--auto-approve"];
const PLAN: &[&str] = &["plan", "--detailed-exitcode"];

/// What became of one cell.
enum Fate {
    /// Killed at its point, and all was as it must be.
    Held,
    /// Its point was never reached.
    Unmet,
    /// Something was not as it must be.
    Broken(String),
}

impl Fate {
    /// Every life writes the same records, so their points must be met; but a run may end before anybody
    /// sees its last ones.
    fn with_all_records_met(self, at: Point, records: u64) -> Self {
        match (self, at) {
            (Self::Unmet, Point::Record(n)) if n + RECORDS_AT_ONCE <= records => {
                Self::Broken(format!("it ended before record {n} of {records}"))
            }
            (fate, _) => fate,
        }
    }
}

/// Lives every `every`th cell. Returns whether all was as it must be.
pub(super) fn run(every: usize, jobs: usize, verbose: bool) -> Result<bool> {
    let began = Instant::now();
    let (spec, drplan) = (folder(OPEN), built()?);
    let (scale, wanted) = alone(|| undisturbed(&spec, &drplan))?;
    let all = cells(&scale, every);
    let numbers: Vec<u64> = (0..u64::try_from(all.len())?).collect();
    let (mut kills, mut unmet, mut broken) = (0, 0, 0);
    let live = |n: u64| {
        let cell = all[usize::try_from(n).unwrap_or_default()];
        let fate = judged(&spec, &drplan, cell, &wanted);
        (cell, fate.with_all_records_met(cell.at, scale.records))
    };
    side_by_side(&numbers, jobs, live, |_, (cell, fate)| {
        match &fate {
            Fate::Held => kills += 1,
            Fate::Unmet => unmet += 1,
            Fate::Broken(_) => broken += 1,
        }
        match fate {
            Fate::Broken(how) => println!("{}:\n  broken: {how}", cell.name()),
            Fate::Unmet if verbose => println!("{}: never reached", cell.name()),
            Fate::Held if verbose => println!("{}: held", cell.name()),
            Fate::Held | Fate::Unmet => {}
        }
        false
    });
    println!(
        "crash matrix of processes: {} records, {} requests, one point in {every}: {} kills, {broken} broken, \
         {unmet} points not reached, {:.1} s",
        scale.records,
        scale.requests,
        kills + broken,
        began.elapsed().as_secs_f64()
    );
    // A matrix in which nothing is killed would prove nothing.
    Ok(broken == 0 && kills > 0 && unmet * UNMET_ONE_IN <= all.len())
}

/// Every `every`th record, and on each side of the requests every `every`th of them, the sides apart from
/// each other. Its own folder and an empty machine come by turns.
fn cells(scale: &Scale, every: usize) -> Vec<Cell> {
    let some = |of: u64, from: usize| (1..=of).skip(from).step_by(every);
    let records = some(scale.records, 0).map(Point::Record);
    let before = some(scale.requests, 0).map(Point::Request);
    let behind = some(scale.requests, every / 2).map(Point::Answer);
    let points = records.chain(before).chain(behind).enumerate();
    let cell = |(n, at): (usize, Point)| Cell {
        at,
        empty_folder: !n.is_multiple_of(2),
    };
    points.map(cell).collect()
}

/// Lives in a runtime of its own, whose time passes.
fn alone<T: Send, L: Future<Output = Result<T>>>(life: impl FnOnce() -> L + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let life = scope.spawn(|| {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            let runtime = builder.worker_threads(1).enable_all().build()?;
            let lived = runtime.block_on(life());
            runtime.shutdown_background();
            lived
        });
        life.join().map_err(|_| anyhow!("it panicked"))?
    })
}

/// How large an undisturbed life is, and how it ends.
async fn undisturbed(spec: &Path, drplan: &Path) -> Result<(Scale, State)> {
    let house = House::open(spec, drplan).await?;
    let machine = house.machine("first")?;
    let ended = house.must(&machine, APPLY).await?;
    let records = journal(&machine).len();
    house.must(&machine, PLAN).await?;
    let mut state = house.state()?;
    let began = Instant::now();
    // It rests when it stays the same for a while.
    let mut same = 0;
    while same < LOOKS_AT_REST {
        ensure!(
            began.elapsed() < REST,
            "the world changes for over {} s after an undisturbed run",
            REST.as_secs()
        );
        tokio::time::sleep(LOOK).await;
        let next = house.state()?;
        same = if next == state { same + 1 } else { 0 };
        state = next;
    }
    let scale = Scale {
        records: u64::try_from(records)?,
        requests: ended.requests,
        writes: 0,
        creations: 0,
        acting: Vec::new(),
    };
    Ok((scale, state))
}

fn judged(spec: &Path, drplan: &Path, cell: Cell, wanted: &State) -> Fate {
    match alone(|| one(spec, drplan, cell, wanted)) {
        Ok(true) => Fate::Held,
        Ok(false) => Fate::Unmet,
        Err(error) => Fate::Broken(format!("{error:#}")),
    }
}

/// Lives one cell; `false` if its point was not reached.
async fn one(spec: &Path, drplan: &Path, cell: Cell, wanted: &State) -> Result<bool> {
    let house = House::open(spec, drplan).await?;
    let mut machine = house.machine("first")?;
    let ended = house.run(&machine, APPLY, Some(cell.at)).await?;
    // A signal may come when the run has just ended well; nobody else may end it.
    let killed = ended.killed && ended.code.is_none();
    ensure!(
        killed || ended.code == Some(0),
        "the first run ended with {ended:?}"
    );
    if cell.empty_folder {
        machine = house.machine("second")?;
    } else if let Some(run) = open_run(&machine).filter(|_| killed) {
        house.must(&machine, &["apply", "--resume", &run]).await?;
    }
    house.must(&machine, APPLY).await?;
    house.must(&machine, PLAN).await?;
    let began = Instant::now();
    loop {
        let left = differences(wanted, &house.state()?);
        if left.is_empty() {
            return Ok(killed);
        }
        ensure!(
            began.elapsed() < REST,
            "the end differs: {}",
            left.join("; ")
        );
        tokio::time::sleep(LOOK).await;
    }
}

/// Builds the program under test in the profile of this one.
fn built() -> Result<PathBuf> {
    let this = std::env::current_exe().context("cannot tell where this program lies")?;
    let dir = this.parent().context("this program lies nowhere")?;
    let profile = match dir.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(other) => other,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = std::process::Command::new(cargo)
        .args([
            "build",
            "--quiet",
            "--locked",
            "--package",
            "drplan",
            "--profile",
            profile,
        ])
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "drplan does not build");
    Ok(dir.join("drplan"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_is_never_reached_is_no_missed_point_unless_it_is_one_of_the_last() {
        let judged = |at| Fate::Unmet.with_all_records_met(at, 10);
        assert!(matches!(judged(Point::Record(8)), Fate::Broken(_)));
        assert!(matches!(judged(Point::Record(9)), Fate::Unmet));
        assert!(matches!(judged(Point::Record(10)), Fate::Unmet));
        assert!(matches!(judged(Point::Request(1)), Fate::Unmet));
        let held = Fate::Held.with_all_records_met(Point::Record(1), 10);
        assert!(matches!(held, Fate::Held));
    }

    #[test]
    fn records_and_both_sides_of_requests_are_met_and_every_second_on_an_empty_machine() {
        let scale = Scale {
            records: 3,
            requests: 3,
            writes: 0,
            creations: 0,
            acting: Vec::new(),
        };
        let chosen = cells(&scale, 2);
        let told: Vec<(Point, bool)> = chosen.iter().map(|c| (c.at, c.empty_folder)).collect();
        let wanted = [
            (Point::Record(1), false),
            (Point::Record(3), true),
            (Point::Request(1), false),
            (Point::Request(3), true),
            (Point::Answer(2), false),
        ];
        assert_eq!(told, wanted);
    }
}
