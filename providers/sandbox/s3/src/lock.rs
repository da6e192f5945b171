//! Object lock: what protects versions from being removed.

use drplan_api::Timestamp;
use jiff::SignedDuration;

use crate::refusal::Refusal;

/// The seconds of a day, the unit of default retention.
const DAY: i64 = 24 * 3600;
/// The days that S3 counts for a year.
const DAYS_OF_YEAR: i64 = 365;

/// How strict a retention is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// May be lifted by those who ask to bypass it.
    Governance,
    /// May be lifted by nobody.
    Compliance,
}

/// Keeps a version until a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retention {
    pub(crate) mode: Mode,
    pub(crate) until: Timestamp,
}

/// What protects one version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Protection {
    pub(crate) retention: Option<Retention>,
    /// Whether it is held until somebody lifts the hold; nothing if nobody ever said.
    pub(crate) legal_hold: Option<bool>,
}

/// How long new versions of a bucket are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DefaultRetention {
    pub(crate) mode: Mode,
    pub(crate) period: Period,
}

/// A length of retention as its author wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Period {
    /// Days.
    Days(i32),
    /// Years.
    Years(i32),
}

/// Object lock of a bucket that was made with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lock {
    pub(crate) default: Option<DefaultRetention>,
}

/// Whether a governance retention is to be passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bypass {
    /// It is.
    Governance,
    /// It is not.
    None,
}

impl Bypass {
    pub(crate) fn asked(header: Option<bool>) -> Self {
        if header == Some(true) {
            Self::Governance
        } else {
            Self::None
        }
    }
}

impl DefaultRetention {
    /// The retention of a version that is written now.
    pub(crate) fn from(self, now: Timestamp) -> Retention {
        let days = match self.period {
            Period::Days(days) => i64::from(days),
            Period::Years(years) => i64::from(years) * DAYS_OF_YEAR,
        };
        let length = SignedDuration::from_secs(days.saturating_mul(DAY));
        Retention {
            mode: self.mode,
            until: now.checked_add(length).unwrap_or(Timestamp::MAX),
        }
    }
}

impl Protection {
    /// Whether the version may be removed now.
    pub(crate) fn allows_removal(
        &self,
        id: &str,
        now: Timestamp,
        bypass: Bypass,
    ) -> Result<(), Refusal> {
        let kept = self.retention.is_some_and(|retention| {
            retention.until > now && (retention.mode == Mode::Compliance || bypass == Bypass::None)
        });
        if kept || self.legal_hold == Some(true) {
            return Err(Refusal::Locked(id.to_owned()));
        }
        Ok(())
    }

    /// Whether the retention may become another one now: lengthened always, else as removal.
    pub(crate) fn allows_change(
        &self,
        id: &str,
        to: Option<Retention>,
        now: Timestamp,
        bypass: Bypass,
    ) -> Result<(), Refusal> {
        let Some(old) = self.retention.filter(|old| old.until > now) else {
            return Ok(());
        };
        let longer = to.is_some_and(|new| new.mode == old.mode && new.until >= old.until);
        if longer {
            return Ok(());
        }
        let alone = Self {
            legal_hold: None,
            ..*self
        };
        alone.allows_removal(id, now, bypass)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protected_version_stays_until_its_time() {
        let at = |n| Timestamp::from_second(n).expect("a time");
        let kept = |mode| Protection {
            retention: Some(Retention {
                mode,
                until: at(100),
            }),
            legal_hold: None,
        };
        let may = |protection: Protection, now, bypass| {
            protection.allows_removal("v", at(now), bypass).is_ok()
        };
        assert!(!may(kept(Mode::Governance), 99, Bypass::None));
        assert!(may(kept(Mode::Governance), 99, Bypass::Governance));
        assert!(!may(kept(Mode::Compliance), 99, Bypass::Governance));
        assert!(may(kept(Mode::Compliance), 100, Bypass::None));
        let held = Protection {
            legal_hold: Some(true),
            ..Protection::default()
        };
        assert!(!may(held, 1000, Bypass::Governance));
    }
}
