//! The crash matrix with processes: the real `drplan` over a world of another process, ended with SIGKILL
//! after records of its journal and before and after requests; then gone on with by turns from its
//! folder and from an empty machine. The end must be that of an undisturbed life, and a second plan empty.
//!
//! The matrix beside it tries every point with all kinds, within one process. This one takes what that
//! cannot: the process, its files, its lock, and the programs that it leaves behind.

mod fuse;
mod house;

use std::path::Path;
use std::time::Duration;
use std::time::Instant;

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
use crate::build;
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

/// How many records at the end of a run may come too quickly for a kill on a busy machine.
const RECORDS_AT_ONCE: u64 = 4;

const APPLY: &[&str] = &["apply", "--auto-approve"];
const PLAN: &[&str] = &["plan", "--detailed-exitcode"];

/// What became of one cell.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    /// Killed at its point, and all was as it must be; says whether its run was gone on with by name.
    Held { resumed: bool },
    /// Its point was never reached.
    Unmet,
}

/// How many cells came to which end.
#[derive(Debug, Default)]
struct Count {
    cells: usize,
    kills: usize,
    resumed: usize,
    unmet: usize,
    broken: usize,
}

impl Count {
    fn add(&mut self, fate: &Result<Fate>) {
        self.cells += 1;
        match fate {
            Ok(Fate::Held { resumed }) => {
                self.kills += 1;
                self.resumed += usize::from(*resumed);
            }
            Ok(Fate::Unmet) => self.unmet += 1,
            Err(_) => self.broken += 1,
        }
    }

    /// Whether all was as it must be. A matrix in which nothing is killed, or no run goes on, would prove
    /// nothing.
    fn is_clean(&self) -> bool {
        let enough = self.kills > 0 && self.resumed > 0;
        self.broken == 0 && enough && self.unmet * UNMET_ONE_IN <= self.cells
    }
}

/// Lives every `every`th cell. Returns whether all was as it must be.
pub(super) fn run(every: usize, jobs: usize, verbose: bool) -> Result<bool> {
    let began = Instant::now();
    let drplan = build::program("drplan", &build::own_profile()?)?;
    let spec = folder(OPEN);
    let (scale, wanted) = alone(|| undisturbed(&spec, &drplan))?;
    let all = cells(&scale, every);
    let mut count = Count::default();
    let live = |cell: &Cell| alone(|| one(&spec, &drplan, *cell, &wanted));
    side_by_side(&all, jobs, live, |cell, fate| {
        count.add(&fate);
        match fate {
            Err(how) => println!("{}:\n  broken: {how:#}", cell.name()),
            Ok(Fate::Unmet) if verbose => println!("{}: never reached", cell.name()),
            Ok(Fate::Held { .. }) if verbose => println!("{}: held", cell.name()),
            Ok(_) => {}
        }
        false
    });
    println!(
        "crash matrix of processes: {} records, {} requests, one point in {every}: {} kills, {} runs gone on \
         with by name, {} broken, {} points not reached, {:.1} s",
        scale.records,
        scale.requests,
        count.kills,
        count.resumed,
        count.broken,
        count.unmet,
        began.elapsed().as_secs_f64()
    );
    Ok(count.is_clean())
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
    let records = journal(&machine)?.len();
    ensure!(records > 0, "an undisturbed run wrote nothing down");
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

/// Whether a life that wrote so many records has passed a point at which it had to be killed. Lives differ
/// in their records, by what they tried again; and a run may end before anybody sees its last ones.
fn is_missed(at: Point, records: usize) -> bool {
    matches!(at, Point::Record(n) if n + RECORDS_AT_ONCE <= records as u64)
}

/// Lives one cell.
async fn one(spec: &Path, drplan: &Path, cell: Cell, wanted: &State) -> Result<Fate> {
    let house = House::open(spec, drplan).await?;
    let mut machine = house.machine("first")?;
    let ended = house.run(&machine, APPLY, Some(cell.at)).await?;
    // A signal may come when the run has just ended well; nobody else may end it.
    let killed = ended.killed && ended.code.is_none();
    ensure!(
        killed || ended.code == Some(0),
        "the first run ended with {ended:?}"
    );
    let records = journal(&machine)?.len();
    ensure!(
        killed || !is_missed(cell.at, records),
        "it wrote {records} records and was not killed"
    );
    let open = if killed { open_run(&machine)? } else { None };
    let mut resumed = false;
    if cell.empty_folder {
        machine = house.machine("second")?;
    } else if let Some(run) = open {
        house.must(&machine, &["apply", "--resume", &run]).await?;
        resumed = true;
    }
    house.must(&machine, APPLY).await?;
    house.must(&machine, PLAN).await?;
    let began = Instant::now();
    loop {
        let left = differences(wanted, &house.state()?);
        if left.is_empty() {
            return Ok(match killed {
                true => Fate::Held { resumed },
                false => Fate::Unmet,
            });
        }
        ensure!(
            began.elapsed() < REST,
            "the end differs: {}",
            left.join("; ")
        );
        tokio::time::sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_a_life_passes_is_missed_and_one_that_it_does_not_write_or_writes_last_is_not()
    {
        assert!(is_missed(Point::Record(6), 10));
        assert!(!is_missed(Point::Record(7), 10));
        assert!(!is_missed(Point::Record(6), 5));
        assert!(!is_missed(Point::Request(1), 10));
    }

    #[test]
    fn a_matrix_in_which_nothing_is_killed_or_nothing_goes_on_proves_nothing() {
        let count = |fates: &[Fate]| {
            let mut count = Count::default();
            fates.iter().for_each(|fate| count.add(&Ok(*fate)));
            count
        };
        let (anew, resumed) = (Fate::Held { resumed: false }, Fate::Held { resumed: true });
        assert!(count(&[anew, resumed, anew, Fate::Unmet]).is_clean());
        assert!(!count(&[]).is_clean());
        assert!(!count(&[anew, anew]).is_clean());
        assert!(!count(&[resumed, Fate::Unmet, Fate::Unmet]).is_clean());
        let mut broken = count(&[resumed; 9]);
        broken.add(&Err(anyhow!("the end differs")));
        assert!(!broken.is_clean());
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
