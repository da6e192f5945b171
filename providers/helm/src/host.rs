//! Whether a `helm` that was started on this machine for a release still runs.
//!
//! A successor with an empty work folder finds no traces of a process. What it finds is the pending
//! release Secret with its *holder*: a hash of the machine (this boot, this view of processes) and one
//! of the release. `helm` itself carries the holder in its arguments, where everybody on the machine
//! can see it; it is no secret. On other systems than Linux nothing is seen and age decides.

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

/// Tells whether a process with this holder in its arguments runs here.
pub(crate) fn is_running(holder: &str) -> bool {
    let mark = format!("{HOLDER}={holder}");
    let Ok(processes) = fs::read_dir("/proc") else {
        return false;
    };
    processes.flatten().any(|entry| {
        let is_process = entry
            .file_name()
            .to_string_lossy()
            .bytes()
            .all(|b| b.is_ascii_digit());
        // A process that ends while it is looked at does not run.
        is_process
            && fs::read(entry.path().join("cmdline"))
                .is_ok_and(|line| String::from_utf8_lossy(&line).contains(&mark))
    })
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
        assert!(!is_running("00000000-nobody-carries-this"));
    }
}
