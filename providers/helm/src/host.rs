//! Whether a `helm` that was started on this machine for a release still runs.
//!
//! A successor with an empty work folder finds no traces of a process. What it finds is the pending
//! release Secret with its *holder*: a hash of the machine (this boot, this view of processes) and one
//! of the release. `helm` itself carries the holder in its arguments, where everybody on the machine
//! can see it; it is no secret. Where the process door sees nothing, age decides.

#![expect(
    clippy::disallowed_methods,
    reason = "the processes of this machine are what it is about"
)]

use std::fs;

use drplan_api::digest;
use drplan_api::short_hash;

use crate::release::HOLDER;

/// What stands for a machine that cannot be told from others.
const NOWHERE: &str = "nowhere";

/// Returns the holder of a release on this machine.
pub(crate) fn holder(server: &str, namespace: &str, name: &str) -> String {
    format!("{}-{}", machine(), short_hash(&[server, namespace, name]))
}

/// Tells whether a holder speaks of a machine whose processes are all visible here.
pub(crate) fn is_here(holder: &str) -> bool {
    holder.starts_with(&format!("{}-", machine())) && !holder.starts_with(NOWHERE)
}

/// The argument by which a `helm` that works for a holder can be told.
pub(crate) fn mark(holder: &str) -> String {
    format!("{HOLDER}={holder}")
}

fn machine() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    let view = fs::read_link("/proc/self/ns/pid");
    match (boot, view) {
        (Ok(boot), Ok(view)) => {
            let text = format!("{boot}{}", view.display());
            digest(text.as_bytes()).chars().take(8).collect()
        }
        _ => NOWHERE.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_tells_machines_and_releases_apart() {
        let a = holder("https://a", "shop", "web");
        assert_eq!(a, holder("https://a", "shop", "web"));
        assert_ne!(a, holder("https://b", "shop", "web"));
        assert!(!is_here("00000000-11111111") && !is_here("nowhere-11111111"));
    }
}
