//! One process that was started here and may be ended from elsewhere, much later.
//!
//! A process is recognised by its number, its start time and the boot it belongs to, so that a
//! number that was given out again is never signalled. Each leads a process group of its own;
//! what it starts is ended with it. Knows nothing about what the process does.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use rustix::process::Pid;
use rustix::process::PidfdFlags;
use rustix::process::Signal;
use serde::Deserialize;
use serde::Serialize;

/// How long processes may take to end by themselves after they were asked to.
const GRACE: Duration = Duration::from_secs(10);

/// How long the kernel may take to remove a killed process.
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// How often a process that should end is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The environment variable by which orphans of a process are recognised as ours.
pub(crate) const MARK: &str = "DRPLAN_HARNESS_MARK";

/// How a process is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Farewell {
    /// SIGTERM, which nearly everything understands.
    Terminate,
    /// SIGINT, which PostgreSQL takes as "disconnect everybody and shut down".
    Interrupt,
}

/// A started process, as it is written to disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Process number, also the number of its process group.
    pub pid: i32,
    /// Start time in clock ticks since boot, from `/proc/PID/stat`.
    pub started_ticks: u64,
    /// The boot in which the two numbers above mean something.
    pub boot: String,
    /// The word that its environment and that of its children carries.
    pub mark: String,
    /// Where its output goes.
    pub log: PathBuf,
    /// How it is asked to end.
    pub farewell: Farewell,
}

impl Process {
    /// Describes the living process `pid`.
    pub(crate) fn recognise(pid: i32, mark: &str, log: &Path, farewell: Farewell) -> Result<Self> {
        let stat = Stat::of(pid).with_context(|| format!("process {pid} ended at once"))?;
        Ok(Self {
            pid,
            started_ticks: stat.started_ticks,
            boot: boot_id()?,
            mark: mark.to_owned(),
            log: log.to_owned(),
            farewell,
        })
    }

    /// Says whether this very process still runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        boot_id().is_ok_and(|boot| boot == self.boot)
            && Stat::of(self.pid)
                .is_some_and(|stat| stat.started_ticks == self.started_ticks && !stat.is_dead())
    }

    /// Says whether the process or anything in its group still runs.
    #[must_use]
    pub fn is_anything_left(&self) -> bool {
        self.is_alive() || !self.orphans().is_empty()
    }

    /// Members of the group that outlived its leader.
    fn orphans(&self) -> Vec<i32> {
        if boot_id().is_ok_and(|boot| boot != self.boot) {
            return Vec::new();
        }
        let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
        pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|pid| *pid != self.pid)
            .filter(|pid| {
                Stat::of(*pid).is_some_and(|stat| stat.group == self.pid && !stat.is_dead())
            })
            .filter(|pid| self.carries_mark(*pid))
            .collect()
    }

    fn carries_mark(&self, pid: i32) -> bool {
        let wanted = format!("{MARK}={}", self.mark);
        fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environment| {
            environment
                .split(|byte| *byte == 0)
                .any(|pair| pair == wanted.as_bytes())
        })
    }

    pub(crate) fn signal(&self, signal: Signal) {
        if self.is_alive() {
            signal_one(self.pid, signal, || self.is_alive());
        }
    }

    fn kill_with_orphans(&self) {
        self.signal(Signal::KILL);
        for pid in self.orphans() {
            signal_one(pid, Signal::KILL, || self.carries_mark(pid));
        }
    }
}

/// Signals through a file descriptor of the process, so that the number cannot come to mean
/// another process between the check and the signal. A process that is gone is no error.
fn signal_one(pid: i32, signal: Signal, is_still_ours: impl Fn() -> bool) {
    let Some(handle) = Pid::from_raw(pid)
        .and_then(|pid| rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok())
    else {
        return;
    };
    if is_still_ours() {
        rustix::process::pidfd_send_signal(handle, signal).ok();
    }
}

/// How processes are brought to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Asked first, killed when they take too long.
    Orderly,
    /// Killed at once, as a power cut would.
    Abrupt,
}

/// Ends the processes, all at the same time, and returns when none is left.
///
/// # Errors
///
/// When a process cannot be killed; the error names it and its log.
pub fn end_all(processes: &[&Process], ending: Ending) -> Result<()> {
    if ending == Ending::Orderly {
        for process in processes {
            process.signal(match process.farewell {
                Farewell::Terminate => Signal::TERM,
                Farewell::Interrupt => Signal::INT,
            });
        }
        wait_until_gone(processes, GRACE);
    }
    for process in processes {
        process.kill_with_orphans();
    }
    if let Some(left) = wait_until_gone(processes, KILL_LIMIT) {
        bail!(
            "process {} is still there {} s after it was killed (log: `{}`)",
            left.pid,
            KILL_LIMIT.as_secs(),
            left.log.display(),
        );
    }
    Ok(())
}

/// Returns one that is left, if any, when the limit is reached.
fn wait_until_gone<'p>(processes: &[&'p Process], limit: Duration) -> Option<&'p Process> {
    let start = Instant::now();
    loop {
        let left = processes
            .iter()
            .find(|process| process.is_anything_left())?;
        if start.elapsed() > limit {
            return Some(left);
        }
        thread::sleep(LOOK_EVERY);
    }
}

fn boot_id() -> Result<String> {
    let path = "/proc/sys/kernel/random/boot_id";
    let text = fs::read_to_string(path).with_context(|| format!("cannot read `{path}`"))?;
    Ok(text.trim().to_owned())
}

/// What is needed from `/proc/PID/stat`.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    state: char,
    group: i32,
    started_ticks: u64,
}

impl Stat {
    fn of(pid: i32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The second field is the program's name in brackets and may hold spaces and brackets.
    ///
    /// # Source
    ///
    /// proc_pid_stat(5): state is field 3, pgrp field 5, starttime field 22.
    fn parse(line: &str) -> Option<Self> {
        let (_, rest) = line.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        Some(Self {
            state: fields.first()?.chars().next()?,
            group: fields.get(2)?.parse().ok()?,
            started_ticks: fields.get(19)?.parse().ok()?,
        })
    }

    /// A zombie has ended; only its parent has not asked yet.
    fn is_dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_name_with_brackets_does_not_shift_the_fields() {
        let line = "42 (a) b (c)) S 1 40 40 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2";
        let expected = Stat {
            state: 'S',
            group: 40,
            started_ticks: 987_654,
        };
        assert_eq!(Stat::parse(line), Some(expected));
        assert_eq!(Stat::parse("42 (short) S 1"), None);
    }

    #[test]
    fn a_number_that_was_given_out_again_is_not_the_process() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let log = Path::new("x.log");
        let own = Process::recognise(pid, "m", log, Farewell::Terminate).unwrap();
        assert!(own.is_alive());
        let older = Process {
            started_ticks: own.started_ticks - 1,
            ..own.clone()
        };
        assert!(!older.is_alive());
        let before_reboot = Process {
            boot: "other".into(),
            ..own
        };
        assert!(!before_reboot.is_alive());
        end_all(&[&older, &before_reboot], Ending::Abrupt).unwrap();
    }
}
