//! What is said of programs that still run.

use std::collections::BTreeMap;

use drplan_api::Address;
use drplan_api::process::UNREADABLE;

use super::talk;

/// Says of which steps a program runs. Another run may be at work on them, so nobody is told to end one.
pub(super) fn tell_running(running: anyhow::Result<BTreeMap<Address, String>>) {
    for (address, group) in known_running(running) {
        talk(&format!(
            "{address}: a program of it runs on this machine, in process group {group}; apply waits for it"
        ));
    }
}

/// The programs that run, where that can be read: what cannot be told of one step takes nothing else away.
pub(super) fn known_running(
    running: anyhow::Result<BTreeMap<Address, String>>,
) -> BTreeMap<Address, String> {
    running.unwrap_or_else(|error| {
        talk(&format!(
            "whether programs of the plan run is not known: {error}; {UNREADABLE}"
        ));
        BTreeMap::new()
    })
}
