//! How long the engine takes for a whole recovery, beside an offline schedule of the same work.
//!
//! Steps take random times, in virtual time. The offline schedule knows all of them: whenever a slot is
//! free, it gives it to the ready step from which the longest way is left.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::BinaryHeap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use drplan::apply;
use drplan::observe::Observer;
use drplan::plan::Plan;
use drplan::secrets::Secrets;
use drplan_api::Address;
use drplan_api::Doors;
use drplan_api::Fut;

use crate::graph::Chance;
use crate::pipeline;
use crate::pipeline::Phases;
use crate::work::Done;

/// From how far back the steps come that a step waits for.
const REACH: usize = 400;

/// How many steps a step waits for at most.
const PARENTS_MAX: usize = 3;

/// The longest that a step takes, in seconds.
const TAKES_S_MAX: usize = 600;

/// How much longer than the offline schedule the engine may take, in percent.
const OVER_PERCENT_MAX: f64 = 2.0;

/// How often a line is written to the disk to see what that costs.
const SYNCS: u32 = 100;

/// Work with random times.
pub(crate) struct Work {
    takes_s: Vec<u64>,
    parents: Vec<Vec<usize>>,
}

/// What one number of slots gave.
pub(crate) struct Made {
    pub(crate) slots: usize,
    pub(crate) engine_s: u64,
    pub(crate) offline_s: u64,
    /// The longest way or the work for each slot: no schedule is shorter.
    pub(crate) bound_s: u64,
    /// What the engine needed of this machine for each step.
    pub(crate) overhead: Duration,
}

impl Made {
    /// How much longer than the offline schedule the engine took, in percent.
    pub(crate) fn over_percent(&self) -> f64 {
        (self.engine_s as f64 / self.offline_s as f64 - 1.0) * 100.0
    }
}

impl Work {
    /// Draws as many steps; the same seed gives the same work.
    pub(crate) fn draw(size: usize, seed: u64) -> Self {
        let mut chance = Chance(seed);
        let mut takes_s = Vec::with_capacity(size);
        let mut parents = Vec::with_capacity(size);
        for step in 0..size {
            takes_s.push(1 + chance.below(TAKES_S_MAX) as u64);
            let reach = step.min(REACH);
            let count = chance.below(PARENTS_MAX + 1).min(reach);
            let mut list: Vec<usize> = (0..count).map(|_| step - 1 - chance.below(reach)).collect();
            list.sort_unstable();
            list.dedup();
            parents.push(list);
        }
        Self { takes_s, parents }
    }

    fn write_spec(&self, folder: &Path) -> Result<()> {
        let mut text = String::from(
            "recovery \"work\" {\n  ordering = \"inferred\"\n}\nprovider \"work\" \"here\" {}\n",
        );
        for (step, parents) in self.parents.iter().enumerate() {
            let takes_s = self.takes_s[step];
            let parents: Vec<String> = parents.iter().map(|p| format!("bench_work.s{p}")).collect();
            let parents = parents.join(", ");
            write!(
                text,
                "resource \"bench_work\" \"s{step}\" {{\n  takes_s = {takes_s}\n  expected = \"{takes_s}s\"\n  \
                 depends_on = [{parents}]\n}}\n"
            )?;
        }
        let file = folder.join("main.dr.hcl");
        fs::write(&file, text).with_context(|| format!("cannot write `{}`", file.display()))
    }

    /// What the longest way takes that begins with each step.
    fn left_s(&self) -> Vec<u64> {
        let mut left_s = self.takes_s.clone();
        for step in (0..left_s.len()).rev() {
            for &parent in &self.parents[step] {
                left_s[parent] = left_s[parent].max(self.takes_s[parent] + left_s[step]);
            }
        }
        left_s
    }

    fn bound_s(&self, slots: usize) -> u64 {
        let longest = self.left_s().into_iter().max().unwrap_or_default();
        let work: u64 = self.takes_s.iter().sum();
        longest.max(work.div_ceil(slots as u64))
    }

    /// When the last step ends if each slot goes to the ready step from which the longest way is left.
    fn offline_s(&self, slots: usize) -> u64 {
        let left_s = self.left_s();
        let mut after = vec![Vec::new(); self.parents.len()];
        let mut waits: Vec<usize> = self.parents.iter().map(Vec::len).collect();
        for (step, parents) in self.parents.iter().enumerate() {
            parents.iter().for_each(|&p| after[p].push(step));
        }
        let first = (0..waits.len()).filter(|&step| waits[step] == 0);
        let mut ready: BinaryHeap<(u64, Reverse<usize>)> =
            first.map(|step| (left_s[step], Reverse(step))).collect();
        let mut running: BinaryHeap<Reverse<(u64, usize)>> = BinaryHeap::new();
        let mut now_s = 0;
        loop {
            while running.len() < slots
                && let Some((_, Reverse(step))) = ready.pop()
            {
                running.push(Reverse((now_s + self.takes_s[step], step)));
            }
            let Some(Reverse((ends_s, ended))) = running.pop() else {
                return now_s;
            };
            now_s = ends_s;
            for &next in &after[ended] {
                waits[next] -= 1;
                if waits[next] == 0 {
                    ready.push((left_s[next], Reverse(next)));
                }
            }
        }
    }

    /// Plans the work and lets the engine do it.
    ///
    /// # Errors
    ///
    /// If the spec cannot be written or planned, or something is not done in the end.
    pub(crate) fn make(&self, slots: usize) -> Result<Made> {
        let folder = folder()?;
        self.write_spec(&folder.0)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()?;
        let done = Done::default();
        let out = folder.0.join("plan");
        let mut phases = Phases::start();
        let planned = pipeline::plan(&folder.0, done.registry(), &out, &mut phases);
        let (plan, _) = runtime.block_on(planned)?;
        let began = Instant::now();
        let engine_s = runtime.block_on(applied(plan, &done, &folder.0, slots))?;
        let overhead = began.elapsed() / u32::try_from(self.takes_s.len())?;
        ensure!(done.count() == self.takes_s.len(), "not all work is done");
        Ok(Made {
            slots,
            engine_s,
            offline_s: self.offline_s(slots),
            bound_s: self.bound_s(slots),
            overhead,
        })
    }
}

/// Prints what each number of slots gives, and what the engine costs beside the disk.
///
/// # Errors
///
/// If the engine takes longer than it may.
#[expect(clippy::print_stdout, reason = "a command line prints")]
pub(crate) fn print(size: usize, seed: u64, slots: &[usize]) -> Result<()> {
    let work = Work::draw(size, seed);
    let sum: u64 = work.takes_s.iter().sum();
    println!("{size} steps, {sum} s of work");
    println!("slots   engine s  offline s    bound s  over offline  over bound  engine, ms a step");
    for &slots in slots {
        let made = work.make(slots)?;
        println!(
            "{:>5} {:>10} {:>10} {:>10} {:>12.2}% {:>10.3} {:>18.3}",
            made.slots,
            made.engine_s,
            made.offline_s,
            made.bound_s,
            made.over_percent(),
            made.engine_s as f64 / made.bound_s as f64,
            made.overhead.as_secs_f64() * 1e3,
        );
        ensure!(
            made.over_percent() <= OVER_PERCENT_MAX,
            "with {slots} slots the engine takes {:.2}% longer than the offline schedule",
            made.over_percent()
        );
    }
    println!(
        "one line on the disk (fsync): {:.3} ms",
        sync_cost()?.as_secs_f64() * 1e3
    );
    Ok(())
}

/// What it costs to have one line safe on this machine's disk.
fn sync_cost() -> Result<Duration> {
    let folder = folder()?;
    let mut file = fs::File::create(folder.0.join("lines"))?;
    let began = Instant::now();
    for _ in 0..SYNCS {
        file.write_all(&[b'x'; 300])?;
        file.sync_data()?;
    }
    Ok(began.elapsed() / SYNCS)
}

/// A folder that goes with the value.
struct Folder(std::path::PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed lies among temporary files.
        fs::remove_dir_all(&self.0).ok();
    }
}

fn folder() -> Result<Folder> {
    let nanoseconds = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)?
        .as_nanos();
    let name = format!("drplan-bench-{}-{nanoseconds}", std::process::id());
    let path = std::env::temp_dir().join(name);
    fs::create_dir(&path).with_context(|| format!("cannot make `{}`", path.display()))?;
    Ok(Folder(path))
}

/// A journal that keeps nothing: what the disk costs is measured apart.
struct Forgets;

impl apply::Log for Forgets {
    fn name(&self) -> String {
        "nothing".to_owned()
    }
    fn append<'a>(&'a mut self, _: &'a [u8]) -> Fut<'a, Result<(), apply::JournalError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

struct Deaf;

impl apply::Sink for Deaf {
    fn hear(&self, _: u64, _: &apply::Event) {}
}

struct Nobody;

impl apply::Gatekeeper for Nobody {
    fn ask(&self, _: &Address, _: &str, _: bool) -> Fut<'_, apply::Asked> {
        Box::pin(std::future::ready(apply::Asked::Unanswered))
    }
}

/// Applies a plan and returns how many seconds of virtual time that took.
async fn applied(plan: Plan, done: &Done, folder: &Path, slots: usize) -> Result<u64> {
    let registry = Arc::new(done.registry());
    let secrets = Arc::new(Secrets::new(folder, BTreeMap::new()));
    let observer = Observer::new(
        Arc::clone(&registry),
        folder.to_owned(),
        Doors::local(),
        Arc::clone(&secrets),
    );
    let (_going_on, stop) = tokio::sync::watch::channel(apply::Stop::No);
    let (_wishing, wishes) = tokio::sync::watch::channel(None);
    let began = tokio::time::Instant::now();
    let ending = apply::apply(apply::Apply {
        plan: Arc::new(plan),
        registry,
        observer: Arc::new(observer),
        secrets,
        journal: apply::Journal::new(Box::new(Forgets)),
        earlier: None,
        sink: Arc::new(Deaf),
        gatekeeper: Arc::new(Nobody),
        hold: Arc::new(apply::Hold::Nobody),
        orders: apply::Orders::default(),
        stop,
        wishes,
        run: "bench".to_owned(),
        base_dir: folder.to_owned(),
        work_dir: folder.join("work"),
        doors: Doors::local(),
        parallelism: slots,
        seed: 1,
        next: String::new(),
    });
    let ending = ending.await?;
    ensure!(ending.frontier.failed.is_empty(), "a step failed");
    Ok(began.elapsed().as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_is_within_two_percent_of_an_offline_schedule_of_the_same_work() {
        let work = Work::draw(300, 7);
        for slots in [1, 4, 10] {
            let made = work.make(slots).unwrap();
            assert!(made.over_percent() <= OVER_PERCENT_MAX, "{slots} slots");
            assert!(made.engine_s >= made.bound_s);
            assert!(slots > 1 || made.engine_s == work.takes_s.iter().sum::<u64>());
        }
    }
}
