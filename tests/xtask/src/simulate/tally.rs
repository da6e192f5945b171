//! What all lives together were, and what is said of those that break a rule.

use std::path::Path;
use std::time::Instant;

use super::rules::Broken;
use super::verdict::Verdict;

/// What all lives together were.
#[derive(Default)]
pub(super) struct Tally {
    seeds: usize,
    runs: usize,
    crashes: usize,
    faults: u64,
    requests: u64,
    failing: Vec<u64>,
}

impl Tally {
    /// Counts one.
    pub(super) fn add(&mut self, seed: u64, verdict: &Verdict) {
        self.seeds += 1;
        self.runs += verdict.runs.len();
        self.crashes += verdict.crashes;
        self.faults += verdict.faults;
        self.requests += verdict.requests;
        if !verdict.broken.is_empty() {
            self.failing.push(seed);
        }
    }

    /// Whether every rule held in every life.
    pub(super) fn is_clean(&self) -> bool {
        self.failing.is_empty()
    }

    /// Says it all.
    pub(super) fn print(&self, began: Instant) {
        println!(
            "{} seeds, {} runs, {} crashes, {} faults, {} requests in {:.1} s",
            self.seeds,
            self.runs,
            self.crashes,
            self.faults,
            self.requests,
            began.elapsed().as_secs_f64()
        );
        if self.is_clean() {
            println!("every rule holds in every life");
        } else {
            let seeds: Vec<String> = self.failing.iter().map(u64::to_string).collect();
            println!("rules are broken with the seeds {}", seeds.join(", "));
        }
    }
}

/// Says which rules a life broke, and how to see it again.
pub(super) fn complain(seed: u64, spec: Option<&Path>, broken: &[Broken]) {
    println!("seed {seed}:");
    for b in broken {
        println!("  broken: {}\n      {}", b.rule, b.how);
    }
    let spec = spec.map(|path| format!(" --spec {}", path.display()));
    println!(
        "  again: cargo xtask simulate --seed {seed}{} --verbose",
        spec.unwrap_or_default()
    );
}
