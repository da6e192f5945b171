//! The traces of a started command: whether it runs, how it ended, what it said.

use std::io::SeekFrom;
use std::path::Path;

use drplan_api::ReadCx;
use drplan_api::process::Traces;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncSeekExt as _;

use crate::check::tail;
use crate::spec::CommandSpec;

/// How much of the end of a trace is read.
const TAIL_BYTES_MAX: u64 = 4 * 1024;
/// How many lines of standard error go into a message.
const SAID_LINES_MAX: usize = 8;
/// How long a line of progress may be, in characters.
const NOTE_CHARS_MAX: usize = 160;

/// Names the traces of a step's command: after an edit of the command they are others.
pub(crate) fn traces(cx: &ReadCx, spec: &CommandSpec) -> Traces {
    let what = drplan_api::short_hash(&(&spec.apply, &spec.working_dir));
    Traces::in_dir(&cx.work_dir, &format!("apply-{what}"))
}

/// Returns the last line that the command wrote, on standard error if it wrote there, else on standard
/// output. A command that was given secrets may repeat them, so its output stays in its files.
pub(crate) async fn last_line(spec: &CommandSpec, traces: &Traces) -> String {
    if !spec.gets_secrets() {
        for path in [&traces.stderr, &traces.stdout] {
            let text = end_of(path).await;
            if let Some(line) = text.lines().rev().map(str::trim).find(|l| !l.is_empty()) {
                return line.chars().take(NOTE_CHARS_MAX).collect();
            }
        }
    }
    "the command runs".to_owned()
}

/// Returns the end of what the command wrote to standard error, or where to read it.
pub(crate) async fn said(spec: &CommandSpec, traces: &Traces) -> String {
    if spec.gets_secrets() {
        return format!(
            "it was given secrets, so its output is only in `{}`",
            traces.stderr.display()
        );
    }
    let text = end_of(&traces.stderr).await;
    let lines: Vec<&str> = text.trim().lines().collect();
    if lines.is_empty() {
        return "it wrote nothing to standard error".to_owned();
    }
    lines[lines.len().saturating_sub(SAID_LINES_MAX)..].join("\n")
}

/// A trace that cannot be read says nothing; that is no reason to fail a command that runs well.
async fn end_of(path: &Path) -> String {
    let read = async {
        let mut file = tokio::fs::File::open(path).await?;
        let length = file.metadata().await?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES_MAX)))
            .await?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES_MAX).read_to_end(&mut bytes).await?;
        Ok::<_, std::io::Error>(bytes)
    };
    let bytes = read.await.unwrap_or_default();
    tail(&bytes, bytes.len())
}
