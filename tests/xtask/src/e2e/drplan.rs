//! Runs the real `drplan` in a folder with a spec, and keeps everything that it says.
//!
//! Knows nothing about what it should say.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use drplan::report::Exit;
use serde_json::Value;
use tokio::io::AsyncBufReadExt;
use tokio::io::BufReader;
use tokio::process::Child;
use tokio::process::Command;
use tokio::time::timeout;

/// The longest that one run may take.
const RUN_LIMIT: Duration = Duration::from_secs(240);

/// How many lines of output an error shows.
const TAIL_LINES: usize = 25;

/// How many columns of a line an error shows.
const TAIL_COLUMNS: usize = 200;

/// The program with everything that its environment holds.
#[derive(Clone, Debug)]
pub(crate) struct Drplan {
    pub(crate) program: PathBuf,
    pub(crate) env: BTreeMap<String, String>,
    /// Where outputs are kept.
    pub(crate) report: PathBuf,
}

/// A folder with a spec, in which commands run.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) dir: PathBuf,
    pub(crate) drplan: Drplan,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub(crate) struct Ran {
    pub(crate) command: String,
    /// `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Ran {
    /// Goes on only with the expected exit code.
    pub(crate) fn expect(self, code: i32) -> Result<Self> {
        if self.code == Some(code) {
            return Ok(self);
        }
        let found = self
            .code
            .map_or("a signal".to_owned(), |code| code.to_string());
        bail!(
            "`{}` must exit with {code} and exited with {found}; its last lines:\n{}{}",
            self.command,
            tail(&self.stdout),
            tail(&self.stderr),
        )
    }

    /// Goes on only with the exit code of this end.
    pub(crate) fn ends(self, exit: Exit) -> Result<Self> {
        self.expect(exit.code().into())
    }

    /// Everything that it said.
    pub(crate) fn said(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }

    /// Goes on only if it said all of these.
    pub(crate) fn expect_says(self, parts: &[&str]) -> Result<Self> {
        let said = self.said();
        let missing: Vec<_> = parts.iter().filter(|part| !said.contains(**part)).collect();
        if missing.is_empty() {
            return Ok(self);
        }
        bail!(
            "`{}` must say {missing:?}; its last lines:\n{}{}",
            self.command,
            tail(&self.stdout),
            tail(&self.stderr),
        )
    }

    /// Reads its standard output as one JSON document.
    pub(crate) fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout).with_context(|| {
            format!(
                "`{}` printed no JSON:\n{}",
                self.command,
                tail(&self.stdout)
            )
        })
    }
}

/// The last lines of a text, indented; long ones are cut.
pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(TAIL_LINES);
    let shown = lines[from..].iter().map(|line| {
        let line: String = line.chars().take(TAIL_COLUMNS).collect();
        format!("    | {line}\n")
    });
    shown.collect()
}

/// When a run that is watched is killed.
pub(crate) struct Trigger<'t> {
    /// Says whether this event is the point.
    pub(crate) hit: &'t (dyn Fn(&Value) -> bool + Sync),
    /// How long drplan lives on after it.
    pub(crate) grace: Duration,
}

/// A command that runs; dropped, it is killed.
pub(crate) struct Running {
    spec: Spec,
    args: Vec<String>,
    begun: Begun,
}

impl Running {
    /// Its process number.
    pub(crate) fn pid(&self) -> Result<u32> {
        self.begun.child.id().context("drplan has ended already")
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> Result<bool> {
        Ok(self.begun.child.try_wait()?.is_some())
    }

    /// Waits for its end.
    pub(crate) async fn ended(mut self) -> Result<Ran> {
        let child = &mut self.begun.child;
        let stdout = child.stdout.take().context("no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let talk = async {
            let mut text = String::new();
            while let Some(line) = lines.next_line().await? {
                text.push_str(&line);
                text.push('\n');
            }
            Ok::<_, anyhow::Error>((text, child.wait().await?))
        };
        let (stdout, status) = timeout(RUN_LIMIT, talk).await.with_context(|| {
            format!(
                "`drplan {}` took over {} s",
                self.args.join(" "),
                RUN_LIMIT.as_secs()
            )
        })??;
        let args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        self.spec.ran(&args, status.code(), stdout, &self.begun)
    }
}

impl Spec {
    /// The same spec with another value for a variable.
    pub(crate) fn with(&self, variable: &str, value: &str) -> Self {
        let mut out = self.clone();
        out.drplan
            .env
            .insert(format!("DRPLAN_VAR_{variable}"), value.to_owned());
        out
    }

    /// Runs a command to its end.
    pub(crate) async fn run(&self, args: &[&str]) -> Result<Ran> {
        self.start(args)?.ended().await
    }

    /// Starts a command and leaves it running.
    pub(crate) fn start(&self, args: &[&str]) -> Result<Running> {
        Ok(Running {
            spec: self.clone(),
            args: args.iter().map(|&arg| arg.to_owned()).collect(),
            begun: self.spawn(args)?,
        })
    }

    /// Runs a command whose standard output is an event stream, and kills drplan alone, with
    /// SIGKILL, when the trigger says so. Returns the events, the point last.
    ///
    /// # Errors
    ///
    /// When it ends before that.
    pub(crate) async fn run_until(
        &self,
        args: &[&str],
        trigger: &Trigger<'_>,
    ) -> Result<Vec<Value>> {
        let mut begun = self.spawn(args)?;
        let stdout = begun.child.stdout.take().context("no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let mut events = Vec::new();
        let mut text = String::new();
        let watch = async {
            while let Some(line) = lines.next_line().await? {
                text.push_str(&line);
                text.push('\n');
                let Ok(event) = serde_json::from_str::<Value>(&line) else {
                    bail!(
                        "`drplan {}` printed a line that is no event: {line}",
                        args.join(" ")
                    );
                };
                let hit = (trigger.hit)(&event);
                events.push(event);
                if hit {
                    // A timer that is set to nothing takes a millisecond all the same.
                    if !trigger.grace.is_zero() {
                        tokio::time::sleep(trigger.grace).await;
                    }
                    return Ok(true);
                }
            }
            Ok(false)
        };
        let met = timeout(RUN_LIMIT, watch).await.with_context(|| {
            format!(
                "`drplan {}` took over {} s",
                args.join(" "),
                RUN_LIMIT.as_secs()
            )
        })??;
        // Only this one process: what it started lives on.
        begun.child.start_kill().ok();
        let status = begun.child.wait().await;
        let status = status.context("cannot wait for drplan")?;
        let ran = self.ran(args, status.code(), text, &begun)?;
        if !met || ran.code.is_some() {
            bail!(
                "`{}` ended by itself with {:?} before the point was met; its last lines:\n{}{}",
                ran.command,
                ran.code,
                tail(&ran.stdout),
                tail(&ran.stderr),
            );
        }
        Ok(events)
    }

    /// Runs a command whose output goes to this terminal.
    pub(crate) async fn show(&self, args: &[&str]) -> Result<Option<i32>> {
        let mut child = self.shown(args)?;
        let status = timeout(RUN_LIMIT, child.wait())
            .await
            .context("drplan does not end")??;
        Ok(status.code())
    }

    /// Starts one.
    pub(crate) fn shown(&self, args: &[&str]) -> Result<Child> {
        let mut command = self.command(args);
        command.env_remove("NO_COLOR");
        if let Ok(term) = std::env::var("TERM") {
            command.env("TERM", term);
        }
        command.spawn().context("cannot start drplan")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.drplan.program);
        command
            .args(args)
            .current_dir(&self.dir)
            .env_clear()
            .envs(&self.drplan.env)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    fn spawn(&self, args: &[&str]) -> Result<Begun> {
        // A file, not a pipe: children that outlive drplan would keep a pipe open. One of its own for
        // each run, because two may go on at once.
        let stderr = tempfile::Builder::new()
            .prefix("stderr-")
            .tempfile_in(&self.dir)
            .context("cannot keep standard error")?;
        let child = self
            .command(args)
            .stdout(Stdio::piped())
            .stderr(stderr.reopen().context("cannot keep standard error")?)
            .spawn()
            .with_context(|| format!("cannot start `{}`", self.drplan.program.display()))?;
        Ok(Begun {
            child,
            at: Instant::now(),
            stderr,
        })
    }

    fn ran(&self, args: &[&str], code: Option<i32>, stdout: String, begun: &Begun) -> Result<Ran> {
        let stderr = fs::read_to_string(begun.stderr.path());
        let ran = Ran {
            command: format!("drplan {}", args.join(" ")),
            code,
            stdout,
            stderr: stderr.context("cannot read standard error")?,
            took: begun.at.elapsed(),
        };
        keep(&self.drplan.report, &ran)?;
        Ok(ran)
    }
}

/// A run that was started.
struct Begun {
    child: Child,
    at: Instant,
    stderr: tempfile::NamedTempFile,
}

/// Writes a run down, numbered in the order of all runs.
fn keep(report: &Path, ran: &Ran) -> Result<()> {
    let outputs = report.join("outputs");
    fs::create_dir_all(&outputs)
        .with_context(|| format!("cannot create `{}`", outputs.display()))?;
    let number = fs::read_dir(&outputs)?.count() + 1;
    let verb = ran.command.split(' ').nth(1).unwrap_or("drplan");
    let text = format!(
        "$ {}\nexit code {}, {:.1} s\n\n{}\n--- standard error ---\n{}",
        ran.command,
        ran.code
            .map_or("none: killed".to_owned(), |code| code.to_string()),
        ran.took.as_secs_f64(),
        ran.stdout,
        ran.stderr,
    );
    let file = outputs.join(format!("{number:03}-{verb}.txt"));
    fs::write(&file, text).with_context(|| format!("cannot write `{}`", file.display()))
}
