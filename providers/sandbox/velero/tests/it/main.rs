//! The server against the embedded API and a bucket in memory.

mod bucket;
#[path = "../restores/case.rs"]
mod case;
mod locations;
#[path = "../restores/outcome.rs"]
mod outcome;
mod restores;
mod shop;
#[path = "../restores/suite.rs"]
mod suite;
mod traps;
mod volumes;
mod world;
