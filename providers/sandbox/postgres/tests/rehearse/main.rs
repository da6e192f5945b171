//! The simulated server and programs, under the provider and by themselves, under paused time.

#![expect(
    clippy::disallowed_methods,
    reason = "simulated programs read and write files"
)]

mod programs;
mod provider;
mod troubles;
mod world;
