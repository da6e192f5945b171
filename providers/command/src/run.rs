//! The traces of a started command: whether it runs, how it ended, what it said.

use std::io::SeekFrom;
use std::path::Path;

use drplan_api::ProviderError;
use drplan_api::ReadCx;
use drplan_api::cut;
use drplan_api::process::Detached;
use drplan_api::process::Traces;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncSeekExt as _;

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

/// Says which program of the step still works, if one does that was started before its command was edited.
pub(crate) async fn before_an_edit(
    cx: &ReadCx,
    now: &Traces,
) -> Result<Option<String>, ProviderError> {
    for traces in Traces::all_in(&cx.work_dir)? {
        let is_another = traces != *now;
        if is_another && cx.doors.process.look(&traces).await? == Detached::Running {
            let group = traces.in_group();
            return Ok(Some(format!(
                "the command as it was before an edit still runs, {group}"
            )));
        }
    }
    Ok(None)
}

/// Returns the last line that the command wrote, on standard error if it wrote there, else on standard
/// output. A command that was given secrets may repeat them, so its output stays in its files.
pub(crate) async fn last_line(spec: &CommandSpec, traces: &Traces) -> String {
    if !spec.gets_secrets() {
        for path in [&traces.stderr, &traces.stdout] {
            let text = end_of(path).await;
            if let Some(line) = text.lines().rev().map(str::trim).find(|l| !l.is_empty()) {
                return cut::head(line, NOTE_CHARS_MAX);
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

/// A trace that cannot be read says nothing; that is no reason to fail a command that runs well. The word that it
/// may begin in the middle of is left out.
async fn end_of(path: &Path) -> String {
    let read = async {
        let mut file = tokio::fs::File::open(path).await?;
        let length = file.metadata().await?.len();
        let from = length.saturating_sub(TAIL_BYTES_MAX);
        file.seek(SeekFrom::Start(from)).await?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES_MAX).read_to_end(&mut bytes).await?;
        Ok::<_, std::io::Error>((bytes, from > 0))
    };
    let (bytes, is_cut) = read.await.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    match is_cut {
        true => cut::from_first_space(&text).to_owned(),
        false => text.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn of_a_long_trace_no_word_is_kept_in_part() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("apply.err");
        let filler = "x".repeat(usize::try_from(TAIL_BYTES_MAX).expect("it fits") - 4);
        let write = |text: String| tokio::fs::write(&path, text);
        write(format!("hunter22 {filler}")).await.expect("a file");
        assert_eq!(end_of(&path).await.trim(), filler);
        write("hunter22 is wrong".to_owned()).await.expect("a file");
        assert_eq!(end_of(&path).await, "hunter22 is wrong");
    }
}
