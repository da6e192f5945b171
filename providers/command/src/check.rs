//! The question whether a command's work is done, and what its answer means.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use drplan_api::ErrorKind;
use drplan_api::Json;
use drplan_api::ProviderError;
use drplan_api::Standing;
use drplan_api::cut;
use drplan_api::process::Output;
use drplan_api::process::ProcessDoor;
use drplan_api::process::Program;
use serde::Deserialize;
use serde::Serialize;

use crate::spec::CommandSpec;
use drplan_api::shell;

/// How long a `check` may take, in milliseconds.
const CHECK_TIMEOUT_MS: u64 = 60_000;
/// How much of a check's standard output is kept; longer outputs belong into files.
const STDOUT_CHARACTERS_MAX: usize = 64 * 1024;
/// How much of a program's standard error is kept for messages.
const STDERR_CHARACTERS_MAX: usize = 2 * 1024;

/// The arguments of the question `check`. Holds no secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CheckAsk {
    argv: Vec<String>,
    env: BTreeMap<String, String>,
    cwd: String,
    timeout_ms: u64,
    /// Whether an output is what it prints. If none is, nobody keeps it: it may be anything.
    #[serde(default)]
    keep_stdout: bool,
}

/// The answer to `check`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CheckAnswer {
    code: Option<i32>,
    stdout_tail: String,
    stdout_cut: bool,
    stderr_tail: String,
}

/// What a check said.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// The work is done; holds what the check printed, or nothing if that was too long.
    True(Option<String>),
    /// The work is not done.
    False,
}

impl CheckAsk {
    /// Makes the question of a command that has a check.
    pub(crate) fn of(spec: &CommandSpec) -> Option<Self> {
        Some(Self {
            argv: spec.check.clone()?,
            env: spec.known_env(),
            cwd: spec.working_dir.clone(),
            timeout_ms: CHECK_TIMEOUT_MS,
            keep_stdout: spec.exports_stdout(),
        })
    }

    /// Writes the command for people.
    pub(crate) fn shown(&self) -> String {
        shell::joined(&self.argv)
    }

    /// Runs the check.
    pub(crate) async fn run(
        &self,
        process: &dyn ProcessDoor,
        base_dir: &Path,
    ) -> Result<CheckAnswer, ProviderError> {
        let output = process
            .run(Program {
                argv: self.argv.clone(),
                env: self.env.clone(),
                cwd: base_dir.join(&self.cwd),
                stdin: None,
                timeout: Duration::from_millis(self.timeout_ms),
            })
            .await?;
        Ok(CheckAnswer::of(&output, self.keep_stdout))
    }

    /// Says what an answer means.
    ///
    /// # Errors
    ///
    /// If the check ended with anything but 0 and 1.
    pub(crate) fn judge(&self, answer: &CheckAnswer) -> Result<Verdict, ProviderError> {
        match answer.code {
            Some(0) => Ok(Verdict::True(
                (!answer.stdout_cut).then(|| answer.stdout_tail.clone()),
            )),
            Some(1) => Ok(Verdict::False),
            other => {
                let mut error = ProviderError::new(
                    ErrorKind::Invalid,
                    format!("check with `{}`", self.shown()),
                    "this machine",
                )
                .because(match other {
                    Some(code) => format!("it ended with exit code {code}"),
                    None => "a signal ended it".to_owned(),
                });
                let said = answer.stderr_tail.trim();
                if !said.is_empty() {
                    error = error.because(format!("it said: {said}"));
                }
                Err(error.hint(
                    "a check exits 0 if the work is done and 1 if it is not; anything else means that it cannot be told",
                ))
            }
        }
    }

    /// How the program ended, by a recorded answer; nothing if a signal ended it. What was cut off of its
    /// output nobody knows, and without it the check would say something else.
    pub(crate) fn ended(self, answer: CheckAnswer) -> Option<Standing> {
        if answer.stdout_cut {
            let what = format!(
                "what `{}` printed, which was too long to keep",
                self.shown()
            );
            return Some(Standing::Unknown(what));
        }
        Some(Standing::Ended {
            argv: self.argv,
            env: self.env,
            cwd: self.cwd,
            code: answer.code?,
            stdout: answer.stdout_tail,
            stderr: answer.stderr_tail,
        })
    }

    /// Runs the check and says what it means.
    pub(crate) async fn verdict(
        &self,
        process: &dyn ProcessDoor,
        base_dir: &Path,
    ) -> Result<Verdict, ProviderError> {
        self.judge(&self.run(process, base_dir).await?)
    }
}

impl CheckAnswer {
    /// Keeps what the decision rests on: what it printed if that is an output, what it complained about
    /// if it could not tell.
    fn of(output: &Output, keep_stdout: bool) -> Self {
        let stdout: &[u8] = match output.code {
            Some(0) if keep_stdout => &output.stdout,
            _ => &[],
        };
        let stderr: &[u8] = match output.code {
            Some(0 | 1) => &[],
            _ => &output.stderr,
        };
        let (stdout, stderr) = (
            String::from_utf8_lossy(stdout),
            String::from_utf8_lossy(stderr),
        );
        Self {
            code: output.code,
            stdout_tail: cut::tail(&stdout, STDOUT_CHARACTERS_MAX),
            stdout_cut: stdout.chars().count() > STDOUT_CHARACTERS_MAX,
            stderr_tail: cut::tail(&stderr, STDERR_CHARACTERS_MAX),
        }
    }

    /// Reads an answer back.
    pub(crate) fn read(json: &Json) -> Result<Self, ProviderError> {
        Self::deserialize(json).map_err(|e| {
            ProviderError::new(ErrorKind::Bug, "read the answer of a check", "this machine")
                .caused_by(&e)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask() -> CheckAsk {
        CheckAsk {
            argv: vec!["./up".to_owned()],
            env: BTreeMap::new(),
            cwd: String::new(),
            timeout_ms: 1,
            keep_stdout: true,
        }
    }

    fn answer(code: Option<i32>) -> CheckAnswer {
        CheckAnswer {
            code,
            stdout_tail: "x".to_owned(),
            stdout_cut: false,
            stderr_tail: "no route\n".to_owned(),
        }
    }

    #[test]
    fn a_check_that_could_not_tell_is_recalled_with_what_it_complained_of() {
        let recalled = ask().ended(answer(Some(2)));
        let Some(Standing::Ended { code, stderr, .. }) = recalled else {
            panic!("{recalled:?}");
        };
        assert_eq!((code, stderr.as_str()), (2, "no route\n"));
    }

    #[test]
    fn a_check_whose_output_was_cut_is_not_known() {
        let cut = CheckAnswer {
            stdout_cut: true,
            ..answer(Some(0))
        };
        let recalled = ask().ended(cut);
        assert!(
            matches!(recalled, Some(Standing::Unknown(_))),
            "{recalled:?}"
        );
    }

    #[test]
    fn only_zero_and_one_are_answers() {
        let ask = ask();
        assert_eq!(
            ask.judge(&answer(Some(0))),
            Ok(Verdict::True(Some("x".to_owned())))
        );
        assert_eq!(ask.judge(&answer(Some(1))), Ok(Verdict::False));
        for code in [Some(2), Some(127), None] {
            let error = ask.judge(&answer(code)).expect_err("no answer");
            assert!(error.to_string().contains("no route"), "{error}");
        }
    }

    #[test]
    fn of_a_long_complaint_no_word_is_kept_in_part() {
        let filler = "x".repeat(STDERR_CHARACTERS_MAX - 4);
        let output = Output {
            code: Some(2),
            stdout: Vec::new(),
            stderr: format!("hunter22 {filler}").into_bytes(),
        };
        let kept = CheckAnswer::of(&output, false).stderr_tail;
        assert_eq!(kept, format!("… {filler}"));
    }
}
