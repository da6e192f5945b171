//! The whole core over a world in memory, without any provider: expansion, planning, applying.

mod memory;
mod order;
mod run;
