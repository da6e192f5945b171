//! What all lives together were, and what is said of those that break a rule.

use std::path::Path;
use std::time::Instant;

use super::rules::Broken;
use super::verdict::Verdict;

/// From how many lives on some must have met faults and crashes.
const TROUBLE_FROM: usize = 20;

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

    /// Whether every rule held in every life, and enough went wrong for that to mean something.
    pub(super) fn is_clean(&self) -> bool {
        self.failing.is_empty() && self.missing().is_empty()
    }

    /// What none of many lives met. A simulation in which nothing goes wrong proves nothing.
    fn missing(&self) -> Vec<&'static str> {
        if self.seeds < TROUBLE_FROM {
            return Vec::new();
        }
        let counts = [
            (self.requests, "a request"),
            (self.faults, "a fault"),
            (u64::try_from(self.crashes).unwrap_or(u64::MAX), "a crash"),
        ];
        let none = counts.into_iter().filter(|(count, _)| *count == 0);
        none.map(|(_, what)| what).collect()
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
        let missing = self.missing();
        if !missing.is_empty() {
            let missing = missing.join(", nor with ");
            println!("no life with {missing}: the simulation itself is broken, and proves nothing");
        } else if self.failing.is_empty() {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn lives(count: u64, crashes: usize, faults: u64) -> Tally {
        let mut tally = Tally::default();
        let verdict = Verdict {
            crashes,
            faults,
            requests: 100,
            ..Verdict::default()
        };
        (0..count).for_each(|seed| tally.add(seed, &verdict));
        tally
    }

    #[test]
    fn many_lives_in_which_nothing_goes_wrong_prove_nothing() {
        assert!(lives(20, 1, 1).is_clean());
        assert!(!lives(20, 0, 1).is_clean());
        assert!(!lives(20, 1, 0).is_clean());
        // A few may be lucky.
        assert!(lives(1, 0, 0).is_clean());
    }

    #[test]
    fn one_life_that_breaks_a_rule_is_enough() {
        let mut tally = lives(20, 1, 1);
        let broken = Broken {
            rule: "a rule",
            how: String::new(),
        };
        let verdict = Verdict {
            broken: vec![broken],
            ..Verdict::default()
        };
        tally.add(21, &verdict);
        assert!(!tally.is_clean());
    }
}
