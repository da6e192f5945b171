//! What is said of programs that still run.

use std::collections::BTreeMap;

use drplan_api::Address;
use drplan_api::process::UNREADABLE;

use super::talk;

/// Says of which steps a program runs, where that can be read: what cannot be told of one step takes nothing else away.
/// Another run may be at work on them, so nobody is told to end one.
pub(super) fn tell_running(running: &anyhow::Result<BTreeMap<Address, String>>) {
    match running {
        Ok(running) => {
            for (address, group) in running {
                talk(&format!(
                    "{address}: a program of it runs on this machine, in process group {group}; apply waits for it"
                ));
            }
        }
        Err(error) => talk(&unknown(error)),
    }
}

/// That nobody knows whether a program runs, and what to do.
pub(super) fn unknown(error: &anyhow::Error) -> String {
    format!("whether programs of the plan run is not known: {error}; {UNREADABLE}")
}
