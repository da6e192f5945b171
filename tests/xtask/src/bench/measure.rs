//! One process for each measurement: wall time, processor time and the most memory.
//!
//! GNU time reads what the kernel counted of a whole process with all its children. Knows nothing
//! about what is measured.

use std::fs;
use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;

/// The program that reads the kernel's counters.
const TIME: &str = "/usr/bin/time";

/// How long one measured process may take.
const LIMIT_S: u32 = 600;

/// How long a process may take to end when it was asked to at the limit.
const GRACE_S: u32 = 10;

/// How many lines of a failed program's errors are shown.
const LINES_MAX: usize = 20;

/// What one process cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cost {
    /// Seconds from start to end.
    pub(super) wall_s: f64,
    /// Seconds of all its threads, user and system.
    pub(super) cpu_s: f64,
    /// The most resident memory.
    pub(super) rss_bytes: u64,
}

/// A program with everything that it is started with.
#[derive(Clone)]
pub(super) struct Subject {
    /// The program.
    pub(super) program: PathBuf,
    /// Its arguments.
    pub(super) args: Vec<String>,
    /// The folder it is started in.
    pub(super) folder: PathBuf,
    /// Its environment besides `PATH` and `HOME`.
    pub(super) env: Vec<(&'static str, String)>,
}

impl Subject {
    /// Names a program and where it is started.
    pub(super) fn new(program: &Path, folder: &Path) -> Self {
        Self {
            program: program.to_owned(),
            args: Vec::new(),
            folder: folder.to_owned(),
            env: Vec::new(),
        }
    }

    /// Replaces the arguments.
    pub(super) fn args<S: AsRef<str>>(&self, args: &[S]) -> Self {
        let args = args.iter().map(|arg| arg.as_ref().to_owned()).collect();
        Self {
            args,
            ..self.clone()
        }
    }

    /// Runs it without measuring and returns what it printed.
    pub(super) fn output(&self) -> Result<Vec<u8>> {
        let mut command = Command::new(&self.program);
        command.args(&self.args);
        let output = self
            .dressed(&mut command)
            .output()
            .with_context(|| format!("cannot start `{}`", self.program.display()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!(
                "{} ended with {}: {}",
                self.line(),
                output.status,
                said.trim_end()
            );
        }
        Ok(output.stdout)
    }

    fn dressed<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        let path = std::env::var_os("PATH").unwrap_or_default();
        command
            .current_dir(&self.folder)
            .env_clear()
            .env("PATH", path)
            .env("HOME", &self.folder)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
    }

    fn line(&self) -> String {
        format!("`{} {}`", self.program.display(), self.args.join(" "))
    }
}

/// Measures processes, each as often as the others.
pub(super) struct Meter {
    runs: usize,
}

impl Meter {
    /// Makes one that takes each measurement so many times.
    ///
    /// # Errors
    ///
    /// If GNU time is not installed.
    pub(super) fn new(runs: usize) -> Result<Self> {
        ensure!(
            Path::new(TIME).is_file(),
            "there is no `{TIME}`: install GNU time (Debian's package `time`)"
        );
        Ok(Self { runs })
    }

    /// Runs it as often as was asked for.
    ///
    /// # Errors
    ///
    /// If a run fails or takes longer than the limit.
    pub(super) fn measure(&self, subject: &Subject) -> Result<Vec<Cost>> {
        (0..self.runs).map(|_| self.once(subject)).collect()
    }

    /// Runs it once.
    ///
    /// # Errors
    ///
    /// As [`Self::measure`].
    pub(super) fn once(&self, subject: &Subject) -> Result<Cost> {
        let file = |name: &str| subject.folder.join(format!(".measured.{name}"));
        let create = |name: &str| {
            File::create(file(name))
                .with_context(|| format!("cannot write `{}`", file(name).display()))
        };
        let mut command = Command::new(TIME);
        command
            .args(["--quiet", "--format=%U %S %M", "--output"])
            .arg(file("cost"))
            .args([
                "timeout",
                &format!("--kill-after={GRACE_S}"),
                &LIMIT_S.to_string(),
            ])
            .arg(&subject.program)
            .args(&subject.args)
            .stdout(create("out")?)
            .stderr(create("err")?);
        let start = Instant::now();
        let status = subject
            .dressed(&mut command)
            .status()
            .context("cannot start GNU time")?;
        let wall_s = start.elapsed().as_secs_f64();
        if !status.success() {
            let text = fs::read_to_string(file("err")).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            let last = lines[lines.len().saturating_sub(LINES_MAX)..].join("\n");
            bail!(
                "{} ended with {status} after {wall_s:.0} s:\n{last}",
                subject.line()
            );
        }
        let text = fs::read_to_string(file("cost")).context("GNU time wrote nothing")?;
        counted(&text, wall_s).with_context(|| format!("GNU time wrote {text:?}"))
    }
}

fn counted(text: &str, wall_s: f64) -> Option<Cost> {
    let mut words = text.split_whitespace();
    let user_s: f64 = words.next()?.parse().ok()?;
    let system_s: f64 = words.next()?.parse().ok()?;
    let rss_kib: u64 = words.next()?.parse().ok()?;
    Some(Cost {
        wall_s,
        cpu_s: user_s + system_s,
        rss_bytes: rss_kib * 1024,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_that_of_program_and_kernel_together() {
        let cost = counted("1.50 0.25 2048\n", 1.0).unwrap();
        assert_eq!((cost.cpu_s, cost.rss_bytes), (1.75, 2 * 1024 * 1024));
        assert_eq!(counted("1.50 0.25", 1.0), None);
    }
}
