//! What a rehearsal says about the objectives of its recovery: how long it may take, and how much may
//! be lost.

use drplan_api::Timestamp;
use serde::Serialize;

use crate::plan::Plan;

/// How long the recovery took in the world's time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Time {
    /// From beginning to end, in seconds.
    pub took_s: u64,
    /// The longest that it may take, in seconds.
    pub rto_s: Option<u64>,
    /// What that means.
    pub verdict: TimeVerdict,
}

/// Whether a recovery is quick enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeVerdict {
    /// Within the objective.
    Within,
    /// It took longer.
    Over,
    /// The spec gives no objective.
    NoObjective,
    /// It does not come back at all.
    Never,
    /// There was nothing to bring back.
    NothingToDo,
}

/// How much is lost of what was written before the recovery began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// The age of the oldest backup that is restored, in seconds; `None` if it is not known or nothing
    /// is restored.
    pub loss_s: Option<u64>,
    /// The most that may be lost, in seconds.
    pub rpo_s: Option<u64>,
    /// What that means.
    pub verdict: LossVerdict,
    /// The backups that are newer than the beginning of the rehearsal.
    pub newer: Vec<Newer>,
}

/// Whether little enough is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LossVerdict {
    /// Within the objective.
    Within,
    /// More is lost.
    Over,
    /// The spec gives no objective.
    NoObjective,
    /// No step restores from a backup.
    NothingRestored,
    /// The age of a backup says nothing, for the rehearsal begins before it was made.
    Unknown,
}

/// A backup that is newer than the beginning of the rehearsal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Newer {
    /// Its name.
    pub id: String,
    /// When it was made.
    pub at: Timestamp,
}

impl Time {
    /// Judges how long it took.
    #[must_use]
    pub fn judged(took_s: u64, rto_s: Option<u64>, comes_back: bool) -> Self {
        let verdict = match rto_s {
            _ if !comes_back => TimeVerdict::Never,
            None => TimeVerdict::NoObjective,
            Some(rto_s) if took_s <= rto_s => TimeVerdict::Within,
            Some(_) => TimeVerdict::Over,
        };
        Self {
            took_s,
            rto_s,
            verdict,
        }
    }

    /// Says of the time of a plan without any action that it meets no objective.
    #[must_use]
    pub fn of_nothing(self) -> Self {
        Self {
            verdict: TimeVerdict::NothingToDo,
            ..self
        }
    }
}

impl Loss {
    /// Judges what a plan restores from.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        let zero = plan.head.incident_at.unwrap_or(plan.head.observed_at);
        let points = plan.points.iter().filter(|p| p.used);
        let points: Vec<(&str, Timestamp, u64)> =
            points.map(|p| (p.id.as_str(), p.at, p.loss_s)).collect();
        Self::judged(zero, &points, plan.head.rpo_s)
    }

    fn judged(zero: Timestamp, points: &[(&str, Timestamp, u64)], rpo_s: Option<u64>) -> Self {
        let newer = points.iter().filter(|(_, at, _)| *at > zero);
        let newer: Vec<Newer> = newer
            .map(|(id, at, _)| Newer {
                id: (*id).to_owned(),
                at: *at,
            })
            .collect();
        let worst = points.iter().map(|(_, _, loss_s)| *loss_s).max();
        let worst = worst.filter(|_| newer.is_empty());
        let verdict = match (worst, rpo_s) {
            _ if !newer.is_empty() => LossVerdict::Unknown,
            (None, _) => LossVerdict::NothingRestored,
            (Some(_), None) => LossVerdict::NoObjective,
            (Some(loss_s), Some(rpo_s)) if loss_s <= rpo_s => LossVerdict::Within,
            _ => LossVerdict::Over,
        };
        Self {
            loss_s: worst,
            rpo_s,
            verdict,
            newer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn time_is_held_against_its_objective() {
        let verdict = |took, rto, back| Time::judged(took, rto, back).verdict;
        assert_eq!(verdict(3600, Some(3600), true), TimeVerdict::Within);
        assert_eq!(verdict(3601, Some(3600), true), TimeVerdict::Over);
        assert_eq!(verdict(3601, None, true), TimeVerdict::NoObjective);
        assert_eq!(verdict(1, Some(3600), false), TimeVerdict::Never);
    }

    #[test]
    fn the_oldest_backup_says_what_is_lost() {
        let zero = at("2026-01-05T03:00:00Z");
        let points = [
            ("old", at("2026-01-05T01:00:00Z"), 7200),
            ("new", at("2026-01-05T02:00:00Z"), 3600),
        ];
        let loss = |rpo| Loss::judged(zero, &points, rpo);
        assert_eq!(loss(Some(7200)).loss_s, Some(7200));
        assert_eq!(loss(Some(7200)).verdict, LossVerdict::Within);
        assert_eq!(loss(Some(7199)).verdict, LossVerdict::Over);
        assert_eq!(loss(None).verdict, LossVerdict::NoObjective);
        let nothing = Loss::judged(zero, &[], Some(1));
        assert_eq!(nothing.verdict, LossVerdict::NothingRestored);
    }

    #[test]
    fn a_backup_from_after_the_beginning_leaves_the_loss_unknown() {
        let zero = at("2026-01-05T03:00:00Z");
        let points = [
            ("old", at("2026-01-05T01:00:00Z"), 7200),
            ("late", at("2026-01-05T04:00:00Z"), 0),
        ];
        let loss = Loss::judged(zero, &points, Some(7200));
        assert_eq!((loss.verdict, loss.loss_s), (LossVerdict::Unknown, None));
        assert_eq!(loss.newer[0].id, "late");
    }
}
