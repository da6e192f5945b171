//! Sets of completion indexes, written as `0-2,4`.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use super::INDEX;
use crate::object::annotation;

/// The index of a pod.
pub(super) fn of(pod: &Value) -> Option<u64> {
    annotation(pod, INDEX).parse().ok()
}

pub(super) struct Indexes(BTreeSet<u64>);

impl Indexes {
    pub(super) fn parse(written: &str) -> Self {
        let parts = written.split(',').filter_map(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            Some(first.parse::<u64>().ok()?..=last.parse::<u64>().ok()?)
        });
        Self(parts.flatten().collect())
    }

    pub(super) fn contains(&self, index: u64) -> bool {
        self.0.contains(&index)
    }

    pub(super) fn insert(&mut self, index: u64) {
        self.0.insert(index);
    }
}

impl fmt::Display for Indexes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for index in &self.0 {
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == *index => *last = *index,
                _ => runs.push((*index, *index)),
            }
        }
        for (place, (first, last)) in runs.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            match last - first {
                0 => write!(f, "{comma}{first}")?,
                1 => write!(f, "{comma}{first},{last}")?,
                _ => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_are_written_in_runs() {
        for written in ["", "0", "0,1", "0-2,4", "1,3-5"] {
            assert_eq!(Indexes::parse(written).to_string(), written);
        }
    }
}
