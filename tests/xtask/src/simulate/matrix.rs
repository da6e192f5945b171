//! The crash matrix: a run that is cut off after each record of its journal, and before and after each of
//! its requests; each time gone on with once from its folder and once from an empty one.

use std::time::Duration;
use std::time::Instant;

use anyhow::Result;

use super::Args;
use super::Stage;
use super::course::Course;
use super::course::Crash;
use super::course::Scale;
use super::rules::Broken;
use super::side_by_side::side_by_side;
use super::trace::Point;
use super::verdict::Verdict;

/// One cell: a life with one crash.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    /// Where it is cut off.
    pub(super) at: Point,
    /// Whether it is gone on with from an empty folder.
    pub(super) empty_folder: bool,
}

impl Cell {
    /// The life with this crash and nothing else that goes wrong.
    pub(super) fn course(self) -> Course {
        let crash = Crash {
            at: self.at,
            pause: Duration::ZERO,
            empty_folder: self.empty_folder,
        };
        Course {
            crashes: vec![crash],
            ..Course::undisturbed()
        }
    }

    /// What it is called.
    pub(super) fn name(self) -> String {
        let place = match self.at {
            Point::Record(n) => format!("after record {n}"),
            Point::Request(n) => format!("before request {n}"),
            Point::Answer(n) => format!("after request {n}"),
        };
        let folder = match self.empty_folder {
            true => "an empty folder",
            false => "its journal",
        };
        format!("cut off {place}, gone on with from {folder}")
    }
}

/// Lives every `every`th cell of a stage, says what broke and how many there were. Returns whether every
/// rule held.
pub(super) fn run(stage: &Stage, every: usize, args: &Args) -> Result<bool> {
    let began = Instant::now();
    let cells = cells(&stage.scale, every);
    let (mut requests, mut failing) = (0, 0);
    let live = |cell: &Cell| judged(stage, *cell);
    side_by_side(&cells, args.jobs, live, |cell, verdict| {
        requests += verdict.requests;
        failing += usize::from(!verdict.broken.is_empty());
        if args.verbose || !verdict.broken.is_empty() {
            println!("{}: {}", cell.name(), verdict.runs.join("; "));
        }
        for b in &verdict.broken {
            println!("  broken: {}\n      {}", b.rule, b.how);
        }
        args.first && !verdict.broken.is_empty()
    });
    println!(
        "crash matrix of `{}`: {} records, {} requests, one point in {every}, from the journal and from \
         an empty folder: {} crashes, {requests} requests, {failing} broke a rule, {:.1} s",
        stage.name(),
        stage.scale.records,
        stage.scale.requests,
        cells.len(),
        began.elapsed().as_secs_f64()
    );
    Ok(failing == 0)
}

/// Lives a cell. One in which nothing was cut off would prove nothing.
fn judged(stage: &Stage, cell: Cell) -> Verdict {
    let mut verdict = Verdict::of(&stage.spec, &cell.course(), Some(&stage.end));
    if verdict.crashes != 1 {
        verdict.broken.push(Broken {
            rule: "every cell has a crash",
            how: format!("it had {}", verdict.crashes),
        });
    }
    verdict
}

/// Every `every`th cell of the life of this scale, in order.
pub(super) fn cells(scale: &Scale, every: usize) -> Vec<Cell> {
    let records = (1..=scale.records).map(Point::Record);
    let requests = (1..=scale.requests).flat_map(|n| [Point::Request(n), Point::Answer(n)]);
    let points = records.chain(requests).step_by(every.max(1));
    let cells = points.flat_map(|at| [false, true].map(|empty_folder| Cell { at, empty_folder }));
    cells.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_and_both_sides_of_every_request_are_tried_twice() {
        let scale = Scale {
            records: 3,
            requests: 2,
            writes: 1,
            creations: 1,
            acting: Vec::new(),
        };
        assert_eq!(cells(&scale, 1).len(), 2 * (3 + 2 * 2));
        assert_eq!(cells(&scale, 3).len(), 2 * 3);
    }
}
