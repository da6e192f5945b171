//! The whole core over a world in memory, without any provider: expansion, planning, applying.

#![expect(clippy::disallowed_methods, reason = "tests write their specs")]

pub(crate) mod memory;
mod order;
mod run;
mod slots;
