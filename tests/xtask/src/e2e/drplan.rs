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
pub(crate) struct Trigger {
    /// Says whether this event is the point.
    pub(crate) hit: fn(&Value) -> bool,
    /// How long drplan lives on after it.
    pub(crate) grace: Duration,
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
        let (mut child, start) = self.spawn(args)?;
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
                args.join(" "),
                RUN_LIMIT.as_secs()
            )
        })??;
        self.ran(args, status.code(), stdout, start)
    }

    /// Runs a command whose standard output is an event stream, and kills drplan alone, with
    /// SIGKILL, when the trigger says so. Returns the events, the point last.
    ///
    /// # Errors
    ///
    /// When it ends before that.
    pub(crate) async fn run_until(&self, args: &[&str], trigger: &Trigger) -> Result<Vec<Value>> {
        let (mut child, start) = self.spawn(args)?;
        let stdout = child.stdout.take().context("no standard output")?;
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
                    tokio::time::sleep(trigger.grace).await;
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
        child.start_kill().ok();
        let status = child.wait().await.context("cannot wait for drplan")?;
        let ran = self.ran(args, status.code(), text, start)?;
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
        let mut command = self.command(args);
        command.env_remove("NO_COLOR");
        if let Ok(term) = std::env::var("TERM") {
            command.env("TERM", term);
        }
        let mut child = command.spawn().context("cannot start drplan")?;
        let status = timeout(RUN_LIMIT, child.wait())
            .await
            .context("drplan does not end")??;
        Ok(status.code())
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

    fn stderr_file(&self) -> PathBuf {
        self.dir.join("stderr.txt")
    }

    fn spawn(&self, args: &[&str]) -> Result<(Child, Instant)> {
        // A file, not a pipe: children that outlive drplan would keep a pipe open.
        let stderr = fs::File::create(self.stderr_file()).context("cannot keep standard error")?;
        let child = self
            .command(args)
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .with_context(|| format!("cannot start `{}`", self.drplan.program.display()))?;
        Ok((child, Instant::now()))
    }

    fn ran(&self, args: &[&str], code: Option<i32>, stdout: String, start: Instant) -> Result<Ran> {
        let ran = Ran {
            command: format!("drplan {}", args.join(" ")),
            code,
            stdout,
            stderr: fs::read_to_string(self.stderr_file()).context("cannot read standard error")?,
            took: start.elapsed(),
        };
        keep(&self.drplan.report, &ran)?;
        Ok(ran)
    }
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
