//! Why a command ends without a result, and with which exit code.

use std::fmt::Write as _;

use crate::apply::LockError;
use crate::diag::Diagnostics;
use crate::diag::Sources;
use crate::plan::PlanFileError;
use crate::render::style::Style;
use crate::render::style::Tone;
use crate::report::Exit;
use crate::runs::RunError;
use crate::spec::LoadError;

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
        let hint = match &error {
            PlanFileError::Io { .. } => None,
            PlanFileError::Broken { .. } => {
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

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        let named = |known: &[String]| known.join(", ");
        let hint = match &error {
            RunError::None { .. } => Some(
                "`drplan apply` leaves one behind; name the folder of the spec with `--chdir DIR`"
                    .to_owned(),
            ),
            RunError::Unknown { known, .. } => Some(format!("the newest are {}", named(known))),
            RunError::Ambiguous { known, .. } => {
                Some(format!("write more of one of {}", named(known)))
            }
            RunError::Io { .. } => None,
            RunError::Plan(_) | RunError::Journal { .. } => Some(
                "see what `drplan evidence verify` says; nothing of it can be believed".to_owned(),
            ),
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
                    "wait until it has ended; the lock is free as soon as it has".to_owned(),
                ),
            },
            LockError::Io { .. } => Self::Other {
                exit: Exit::Error,
                error: error.into(),
                hint: None,
            },
        }
    }
}
