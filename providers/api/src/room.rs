//! Room for workloads: what they ask for, or what a target has left.

use std::iter::Sum;
use std::ops::Add;

use serde::Deserialize;
use serde::Serialize;

/// An amount of what workloads take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// Processors, in thousandths of one.
    pub cpu_m: u64,
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// How many pods.
    pub pods: u64,
}

impl Room {
    /// Tells whether it is nothing at all.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// The same so many times.
    #[must_use]
    pub fn times(self, n: u64) -> Self {
        Self {
            cpu_m: self.cpu_m.saturating_mul(n),
            memory_bytes: self.memory_bytes.saturating_mul(n),
            pods: self.pods.saturating_mul(n),
        }
    }

    /// What is left of it when something else is taken away, at least nothing.
    #[must_use]
    pub fn without(self, taken: Self) -> Self {
        Self {
            cpu_m: self.cpu_m.saturating_sub(taken.cpu_m),
            memory_bytes: self.memory_bytes.saturating_sub(taken.memory_bytes),
            pods: self.pods.saturating_sub(taken.pods),
        }
    }

    /// The larger of both, each amount for itself.
    #[must_use]
    pub fn or_more(self, other: Self) -> Self {
        Self {
            cpu_m: self.cpu_m.max(other.cpu_m),
            memory_bytes: self.memory_bytes.max(other.memory_bytes),
            pods: self.pods.max(other.pods),
        }
    }
}

impl Add for Room {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            cpu_m: self.cpu_m.saturating_add(other.cpu_m),
            memory_bytes: self.memory_bytes.saturating_add(other.memory_bytes),
            pods: self.pods.saturating_add(other.pods),
        }
    }
}

impl Sum for Room {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}
