//! Commands and approvals: what a program of the user's does, and what a person answers.
//!
//! The crate knows nothing about what a command means. Whether its work is done is what the
//! command's own `check` says; what it produced is what lies in the files that the spec names.

mod approval;
mod check;
mod command;
mod outputs;
mod recall;
mod run;
mod spec;
mod system;

pub use approval::Approval;
pub use command::Command;
pub use system::LocalConn;
pub use system::LocalSystem;

use drplan_api::Registry;
use drplan_api::acting;
use drplan_api::reading;

/// Adds the system `local` and the kinds `command` and `approval`.
pub fn register(registry: Registry) -> Registry {
    registry
        .system(LocalSystem)
        .resource(acting(Command))
        .resource(reading(Approval))
}
