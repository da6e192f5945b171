//! Starts a process that outlives the one that started it.
//!
//! The environment is empty except for what is given: no proxy, no home folder of a user and no
//! credentials reach a component by accident. Knows nothing about readiness.

use std::fs;
use std::fs::OpenOptions;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::thread;

use anyhow::Context;
use anyhow::Result;

use crate::process::Farewell;
use crate::process::MARK;
use crate::process::Process;

/// The search path of components; none needs more than the system's own tools.
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A process to be started.
pub(crate) struct Launch {
    program: PathBuf,
    args: Vec<String>,
    env: Vec<(String, String)>,
    farewell: Farewell,
}

impl Launch {
    pub(crate) fn of(program: &Path) -> Self {
        let (args, env) = (Vec::new(), Vec::new());
        Self {
            program: program.to_owned(),
            args,
            env,
            farewell: Farewell::Terminate,
        }
    }

    pub(crate) fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds `--name=path`.
    pub(crate) fn path(self, name: &str, path: &Path) -> Self {
        self.arg(format!("--{name}={}", path.display()))
    }

    pub(crate) fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn farewell(mut self, farewell: Farewell) -> Self {
        self.farewell = farewell;
        self
    }

    /// Starts the process as the leader of a group of its own, with `home` as its home, scratch
    /// and working folder and with its output appended to `log`.
    pub(crate) fn start(self, home: &Path, mark: &str, log: &Path) -> Result<Process> {
        let about = || format!("cannot start `{}`", self.program.display());
        fs::create_dir_all(home).with_context(about)?;
        let output = OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .with_context(about)?;
        let mut child = Command::new(&self.program)
            .args(&self.args)
            .env_clear()
            .envs(base_env(home))
            .env(MARK, mark)
            .envs(self.env.iter().cloned())
            .current_dir(home)
            .stdin(Stdio::null())
            .stdout(output.try_clone().with_context(about)?)
            .stderr(output)
            .process_group(0)
            .spawn()
            .with_context(about)?;
        let pid = i32::try_from(child.id()).context("a process number beyond 31 bits")?;
        let process = Process::recognise(pid, mark, log, self.farewell).with_context(about);
        // Collects the exit status while this program lives, so that no zombie stays behind.
        thread::spawn(move || child.wait());
        process
    }
}

/// The environment that every component gets.
pub(crate) fn base_env(home: &Path) -> Vec<(String, String)> {
    let home = home.display().to_string();
    let pairs = [
        ("PATH", SYSTEM_PATH),
        ("LC_ALL", "C.UTF-8"),
        ("HOME", &home),
        ("TMPDIR", &home),
    ];
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
}
