//! Why a command ends without a result, and with which exit code.

use std::fmt::Write as _;

use crate::diag::Diagnostics;
#[cfg(feature = "rehearse")]
use crate::diag::Severity;
use crate::diag::Sources;
use crate::plan::PlanFileError;
use crate::render::style::Style;
use crate::render::style::Tone;
use crate::report::Exit;
use crate::report::Illegal;
use crate::sealed::SealError;
use crate::signature::SignatureError;
use crate::snapshot::SnapshotError;
use crate::spec::LoadError;
use crate::store::LeaseError;
use crate::store::LockError;
use crate::store::StoreError;

/// The funnel of all errors of commands.
pub enum Failure {
    /// Mistakes of the spec, with its sources.
    Spec(Box<(Diagnostics, Sources)>),
    /// Anything else: exit code, message, what to do.
    Other {
        /// The exit code.
        exit: Exit,
        /// What happened.
        error: anyhow::Error,
        /// What to do.
        hint: Option<String>,
    },
}

impl Failure {
    pub(crate) fn refused(exit: Exit, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Other {
            exit,
            error: anyhow::anyhow!(message.into()),
            hint: Some(hint.into()),
        }
    }

    /// Says that a journal does not tell the story of a run.
    pub(crate) fn senseless(run: &str, illegal: &Illegal) -> Self {
        Self::refused(
            Exit::Error,
            format!("the journal of run {run} makes no sense: {illegal}"),
            format!("see `drplan evidence verify {run}`"),
        )
    }

    /// Each mistake in a line, for who has said everything else already.
    #[cfg(feature = "rehearse")]
    pub(crate) fn lines(&self) -> Vec<String> {
        match self {
            Self::Spec(both) => {
                let errors = both.0.iter().filter(|d| d.severity == Severity::Error);
                errors
                    .map(|d| format!("{} ({})", d.message, d.code))
                    .collect()
            }
            Self::Other { error, .. } => vec![format!("{error:#}")],
        }
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Spec(_) => Exit::Error,
            Self::Other { exit, .. } => *exit,
        }
    }

    /// All of it for people.
    pub fn render(&self, style: Style) -> String {
        match self {
            Self::Spec(both) => diagnostics(&both.0, &both.1, style),
            Self::Other { error, hint, .. } => {
                let mut out = format!("{}: {error:#}", style.paint(Tone::Bad, "error"));
                if let Some(hint) = hint {
                    write!(out, "\n  hint: {hint}").ok();
                }
                out
            }
        }
    }
}

/// All diagnostics in order of place, with a closing line.
pub(super) fn diagnostics(diags: &Diagnostics, sources: &Sources, style: Style) -> String {
    let mut out = String::new();
    let (mut errors, mut warnings) = (0, 0);
    for d in diags.clone().sorted() {
        match d.severity {
            crate::diag::Severity::Error => errors += 1,
            crate::diag::Severity::Warning => warnings += 1,
            crate::diag::Severity::Note => {}
        }
        out.push_str(crate::diag::render(&d, sources, style.color, style.width).trim_end());
        out.push_str("\n\n");
    }
    write!(
        out,
        "{} and {}",
        crate::render::style::count(errors, "error", "errors"),
        crate::render::style::count(warnings, "warning", "warnings")
    )
    .ok();
    out
}

impl From<SignatureError> for Failure {
    fn from(error: SignatureError) -> Self {
        let hint = match &error {
            SignatureError::Key { .. } => None,
            SignatureError::Unsigned { .. } => {
                Some("sign it where it is made: `drplan plan --out FILE --sign KEY`")
            }
            SignatureError::Wrong { .. } => {
                Some("it was signed by somebody else, or changed since; use nothing of it")
            }
        };
        Self::Other {
            exit: match &error {
                SignatureError::Key { .. } => Exit::Error,
                SignatureError::Unsigned { .. } | SignatureError::Wrong { .. } => Exit::Refused,
            },
            error: error.into(),
            hint: hint.map(str::to_owned),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other {
            exit: Exit::Error,
            error,
            hint: None,
        }
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        let hint = match &error {
            LoadError::NoSpec { .. } => {
                Some("go to the folder of a spec, or name it with `--chdir DIR`".to_owned())
            }
            LoadError::Unreadable { .. } => None,
        };
        Self::Other {
            exit: Exit::Error,
            error: error.into(),
            hint,
        }
    }
}

impl From<PlanFileError> for Failure {
    fn from(error: PlanFileError) -> Self {
        let hint = match error {
            PlanFileError::Signature(error) => return error.into(),
            PlanFileError::Sealed(SealError::Io { remedy, .. }) => remedy.map(str::to_owned),
            PlanFileError::Sealed(SealError::Broken { .. }) => {
                Some("make a new one with `drplan plan --out FILE`".to_owned())
            }
            PlanFileError::Version { .. } => {
                Some("use the drplan that wrote it, or plan again with this one".to_owned())
            }
        };
        Self::Other {
            exit: Exit::Error,
            error: error.into(),
            hint,
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let error = match error {
            StoreError::Plan(error) => return error.into(),
            other => other,
        };
        let (exit, hint) = match &error {
            StoreError::Io { remedy, .. } => (Exit::Error, remedy.map(str::to_owned)),
            StoreError::Journal(error) => (
                match error.is_taken() {
                    true => Exit::Locked,
                    false => Exit::Error,
                },
                error.remedy().map(str::to_owned),
            ),
            StoreError::Unknown { known, .. } if !known.is_empty() => (
                Exit::Usage,
                Some(format!("the newest are: {}", known.join(", "))),
            ),
            StoreError::Ambiguous { known, .. } => (
                Exit::Usage,
                Some(format!("write more of it: {}", known.join(", "))),
            ),
            StoreError::Unknown { .. } | StoreError::None { .. } => (
                Exit::Usage,
                Some("runs are kept beside the spec, or in its `run_store`".to_owned()),
            ),
            StoreError::Plan(_) => (Exit::Error, None),
        };
        Self::Other {
            exit,
            error: error.into(),
            hint,
        }
    }
}

impl From<LeaseError> for Failure {
    fn from(error: LeaseError) -> Self {
        let (exit, hint) = match &error {
            LeaseError::Held { .. } => (
                Exit::Locked,
                Some(format!(
                    "if it lives, wait until it has ended; if it is dead, its lock expires {} s after it was last renewed: `--lock-timeout 2m` waits for that, and `drplan unlock RUN` does not",
                    crate::store::TTL.as_secs()
                )),
            ),
            LeaseError::Lost { .. } => (Exit::Locked, None),
            LeaseError::Store(error) => (Exit::Refused, error.hint.clone()),
        };
        Self::Other {
            exit,
            error: error.into(),
            hint,
        }
    }
}

impl From<SnapshotError> for Failure {
    fn from(error: SnapshotError) -> Self {
        let hint = match &error {
            SnapshotError::Sealed(SealError::Io { remedy, .. }) => remedy.map(str::to_owned),
            SnapshotError::Sealed(SealError::Broken { .. }) | SnapshotError::Foreign { .. } => {
                Some("make a new one with `drplan snapshot --out FILE`".to_owned())
            }
            SnapshotError::Version { .. } => {
                Some("use the drplan that wrote it, or make a new one with this one".to_owned())
            }
        };
        Self::Other {
            exit: Exit::Error,
            error: error.into(),
            hint,
        }
    }
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Held { .. } => Self::Other {
                exit: Exit::Locked,
                error: error.into(),
                hint: Some(
                    "wait until it has ended; `drplan status` says what it does, and `drplan resume` lets it go on if it is paused".to_owned(),
                ),
            },
            LockError::Io { remedy, .. } => Self::Other {
                exit: Exit::Error,
                error: error.into(),
                hint: remedy.map(str::to_owned),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::JournalError;

    #[test]
    fn a_journal_that_somebody_else_goes_on_with_is_a_lock_that_is_held() {
        for (error, exit) in [
            (JournalError::taken("journal"), Exit::Locked),
            (
                JournalError::new("write", "journal", "no room"),
                Exit::Error,
            ),
        ] {
            assert_eq!(Failure::from(StoreError::from(error)).exit(), exit);
        }
    }
}
