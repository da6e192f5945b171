//! The whole core over a world in memory, without any provider: expansion, planning, applying.

#![expect(clippy::disallowed_methods, reason = "tests write their specs")]

mod kept;
pub(crate) mod memory;
mod order;
mod outlook;
mod run;
mod slots;
mod stale;
