//! What was said or found and cannot be what it seems: points and incidents after now, points after the
//! incident, a consent that nothing needs.

use std::collections::BTreeMap;
use std::time::Duration;

use drplan_api::HazardLevel;
use drplan_api::Timestamp;

use super::step::Finding;
use super::step::Plan;
use super::step::Point;
use super::step::Step;
use super::step::Sure;
use crate::diag::Code;
use crate::lang::format_duration;

/// How far something may lie ahead before a clock must be wrong.
pub(crate) const CLOCKS_DIFFER: Duration = Duration::from_secs(60);

/// Warns of what is doubtful. O(steps + points).
pub(super) fn doubts(plan: &mut Plan) {
    let now = plan.head.observed_at;
    let chosen = plan.points.iter().filter(|p| p.chosen);
    let mut findings: Vec<Finding> = match plan.head.incident_at {
        Some(incident_at) => chosen.filter_map(|p| late(p, incident_at)).collect(),
        None => chosen.filter_map(|p| from_the_future(p, now)).collect(),
    };
    let incident = plan.head.incident_at;
    findings.extend(incident.and_then(|at| not_yet(at, now)));
    findings.extend(needless(plan));
    plan.findings.extend(findings);
}

/// How far a time lies after the reading, if that is more than clocks differ.
fn ahead(at: Timestamp, now: Timestamp) -> Option<String> {
    let ahead_s = u64::try_from(at.duration_since(now).as_secs()).ok()?;
    (ahead_s > CLOCKS_DIFFER.as_secs()).then(|| format_duration(Duration::from_secs(ahead_s)))
}

/// An incident after the reading keeps no recovery point out, and makes every age too long.
fn not_yet(incident_at: Timestamp, now: Timestamp) -> Option<Finding> {
    ahead(incident_at, now).map(|ahead| {
        let message = format!(
            "the incident is said to be at {incident_at}, {ahead} after this was read: no recovery point is kept out"
        );
        let hint = "correct `incident_at`, or the clock of this machine, then plan again";
        warning(None, Code::IncidentFromTheFuture, message, hint)
    })
}

/// Consent to overwrite where the plan touches nothing that existed, or that no step has.
fn needless(plan: &Plan) -> Vec<Finding> {
    let mut steps: BTreeMap<&str, &Step> = BTreeMap::new();
    if !plan.head.accept.is_empty() {
        steps.extend(plan.steps.iter().map(|s| (s.address.as_str(), s)));
    }
    let touches = |step: &&Step| {
        let seen = step.sure == Sure::Exact;
        step.is_action() && !(seen && step.hazard.level == HazardLevel::None)
    };
    let accepted = plan.head.accept.iter();
    let idle =
        accepted.filter(|address| steps.get(address.as_str()).filter(|s| touches(s)).is_none());
    idle.map(|address| {
        let message = match steps.contains_key(address.as_str()) {
            true => format!(
                "`--accept {address}=overwrite` is not needed: nothing there is overwritten"
            ),
            false => {
                format!("`--accept {address}=overwrite` says nothing: the plan has no such step")
            }
        };
        let hint = "leave it out, so that nothing that comes in between is overwritten";
        warning(Some(address.clone()), Code::NothingToAccept, message, hint)
    })
    .collect()
}

/// A point that a person chose may lie after the incident, and must not do so unsaid.
fn late(point: &Point, incident_at: Timestamp) -> Option<Finding> {
    (point.at > incident_at).then(|| {
        let message = format!(
            "`{}` of `{}` was made at {}, after the incident at {incident_at}",
            point.id, point.address, point.at
        );
        let hint = "`drplan points` lists earlier ones";
        warning(
            Some(point.address.to_string()),
            Code::PointAfterIncident,
            message,
            hint,
        )
    })
}

/// Where a clock is wrong a point lies after now, and its loss is no number.
fn from_the_future(point: &Point, now: Timestamp) -> Option<Finding> {
    ahead(point.at, now).map(|ahead| {
        let message = format!(
            "`{}` of `{}` was made at {}, {ahead} after this was read: a clock is wrong, and nobody can tell what \
             is lost",
            point.id, point.address, point.at
        );
        let hint = "compare the clock of this machine with that of what made the backup, then plan again";
        warning(Some(point.address.to_string()), Code::PointFromTheFuture, message, hint)
    })
}

fn warning(address: Option<String>, code: Code, message: String, hint: &str) -> Finding {
    Finding {
        code: code.as_str().to_owned(),
        severity: "warning".to_owned(),
        address,
        message,
        at: None,
        hints: vec![hint.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use drplan_api::Address;
    use jiff::SignedDuration;

    use super::*;
    use crate::tests::memory::Case;

    #[tokio::test(start_paused = true)]
    async fn a_point_from_the_future_is_taken_with_a_warning_that_its_loss_is_not_known() {
        let plan = Case::new("resource \"thing\" \"a\" {\n  value = 1\n}\n")
            .plan()
            .await;
        for (ahead_s, warns) in [(-3600, false), (60, false), (3600, true)] {
            let mut plan = plan.clone();
            let at = plan.head.observed_at + SignedDuration::from_secs(ahead_s);
            plan.points.push(Point {
                address: Address::new("data.dump_archive.shop"),
                of: "database `shop`".to_owned(),
                id: "monday".to_owned(),
                at,
                bytes: None,
                loss_s: 0,
                incomplete: None,
                unusable: None,
                chosen: true,
                violates_rpo: false,
                used: true,
            });
            doubts(&mut plan);
            let codes: Vec<&str> = plan.findings.iter().map(|f| f.code.as_str()).collect();
            assert_eq!(codes.contains(&"DR0033"), warns, "{ahead_s}: {codes:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_incident_from_the_future_is_warned_of() {
        let plan = Case::new("resource \"thing\" \"a\" {\n  value = 1\n}\n")
            .plan()
            .await;
        for (ahead_s, warns) in [(-3600, false), (60, false), (3600, true)] {
            let mut plan = plan.clone();
            plan.head.incident_at =
                Some(plan.head.observed_at + SignedDuration::from_secs(ahead_s));
            doubts(&mut plan);
            let codes: Vec<&str> = plan.findings.iter().map(|f| f.code.as_str()).collect();
            assert_eq!(codes.contains(&"DR0034"), warns, "{ahead_s}: {codes:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_consent_is_warned_of_where_nothing_that_existed_is_touched() {
        let plan = Case::new("resource \"thing\" \"a\" {\n  value = 1\n}\n")
            .plan()
            .await;
        let (none, worse) = (HazardLevel::None, HazardLevel::Irreversible);
        for (address, level, warns) in [
            ("thing.a", none, true),
            ("thing.a", worse, false),
            ("thing.b", worse, true),
        ] {
            let mut plan = plan.clone();
            plan.head.accept = vec![address.to_owned()];
            plan.steps[0].hazard.level = level;
            doubts(&mut plan);
            let codes: Vec<&str> = plan.findings.iter().map(|f| f.code.as_str()).collect();
            assert_eq!(codes.contains(&"DR0035"), warns, "{address}: {codes:?}");
        }
    }
}
