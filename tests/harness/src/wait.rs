//! Bounded waits whose errors carry the end of the log.
//!
//! Knows nothing about what is waited for.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use anyhow::anyhow;
use tokio::time::Instant;
use tokio::time::sleep;

use crate::process::Process;

/// How often a condition is tried.
const TRY_EVERY: Duration = Duration::from_millis(100);

/// The longest that one try may take.
const TRY_LIMIT: Duration = Duration::from_secs(5);

/// How many lines of a log an error shows.
const TAIL_LINES: usize = 15;

/// How many characters of one log line an error shows.
const TAIL_LINE_CHARS: usize = 300;

/// Tries `condition` until it holds. Its error is what is reported at the limit.
///
/// # Errors
///
/// At the limit, or as soon as `process` has ended; with the end of its log.
pub(crate) async fn until<T, F: Future<Output = Result<T>>>(
    what: &str,
    limit: Duration,
    process: &Process,
    condition: impl Fn() -> F,
) -> Result<T> {
    let start = Instant::now();
    loop {
        let why = match tokio::time::timeout(TRY_LIMIT, condition()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => format!("{error:#}"),
            Err(_) => format!("no answer in {} s", TRY_LIMIT.as_secs()),
        };
        if !process.is_alive() {
            let tail = tail(&process.log);
            return Err(anyhow!("{what}: its process ended ({why}); {tail}"));
        }
        if start.elapsed() > limit {
            let (limit_s, tail) = (limit.as_secs(), tail(&process.log));
            return Err(anyhow!("{what}: not within {limit_s} s ({why}); {tail}"));
        }
        sleep(TRY_EVERY).await;
    }
}

/// The last lines of a log, for an error.
pub(crate) fn tail(log: &Path) -> String {
    let content = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&content);
    let lines: Vec<String> = text.lines().rev().take(TAIL_LINES).map(shorten).collect();
    let shown: Vec<&str> = lines.iter().rev().map(String::as_str).collect();
    format!(
        "the log `{}` ends with:\n{}",
        log.display(),
        shown.join("\n")
    )
}

fn shorten(line: &str) -> String {
    line.chars().take(TAIL_LINE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_holds_the_last_lines_in_order_and_cuts_long_ones() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("x.log");
        let mut text: String = (0..100).map(|n| format!("line {n}\n")).collect();
        text.push_str(&"x".repeat(TAIL_LINE_CHARS * 2));
        fs::write(&log, text).unwrap();
        let tail = tail(&log);
        let lines: Vec<&str> = tail.lines().skip(1).collect();
        assert_eq!(lines.len(), TAIL_LINES);
        assert_eq!(lines[TAIL_LINES - 2], "line 99");
        assert_eq!(lines[TAIL_LINES - 1].len(), TAIL_LINE_CHARS);
    }
}
