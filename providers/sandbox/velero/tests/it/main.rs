//! The server against the embedded API and a bucket in memory.

mod bucket;
#[path = "../restores/case.rs"]
mod case;
mod locations;
mod shop;
mod traps;
mod world;
