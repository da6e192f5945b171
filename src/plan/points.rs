//! Recovery points that cannot be what they seem: made after the incident, or after now.

use std::time::Duration;

use drplan_api::Timestamp;

use super::step::Finding;
use super::step::Plan;
use super::step::Point;
use crate::diag::Code;
use crate::lang::format_duration;

/// How far a point may lie after the reading before a clock must be wrong.
const CLOCKS_DIFFER: Duration = Duration::from_secs(60);

/// Warns of chosen points that are doubtful.
pub(super) fn doubtful_points(plan: &mut Plan) {
    let chosen = plan.points.iter().filter(|p| p.chosen);
    let findings: Vec<Finding> = match plan.head.incident_at {
        Some(incident_at) => chosen.filter_map(|p| late(p, incident_at)).collect(),
        None => {
            let now = plan.head.observed_at;
            chosen.filter_map(|p| from_the_future(p, now)).collect()
        }
    };
    plan.findings.extend(findings);
}

/// A point that a person chose may lie after the incident, and must not do so unsaid.
fn late(point: &Point, incident_at: Timestamp) -> Option<Finding> {
    (point.at > incident_at).then(|| {
        let message = format!(
            "`{}` of `{}` was made at {}, after the incident at {incident_at}",
            point.id, point.address, point.at
        );
        let hint = "`drplan points` lists earlier ones";
        warning(point, Code::PointAfterIncident, message, hint)
    })
}

/// Where a clock is wrong a point lies after now, and its loss is no number.
fn from_the_future(point: &Point, now: Timestamp) -> Option<Finding> {
    let ahead_s = u64::try_from(point.at.duration_since(now).as_secs()).ok()?;
    (ahead_s > CLOCKS_DIFFER.as_secs()).then(|| {
        let message = format!(
            "`{}` of `{}` was made at {}, {} after this was read: a clock is wrong, and nobody can tell what is \
             lost",
            point.id,
            point.address,
            point.at,
            format_duration(Duration::from_secs(ahead_s))
        );
        let hint = "compare the clock of this machine with that of what made the backup, then plan again";
        warning(point, Code::PointFromTheFuture, message, hint)
    })
}

fn warning(point: &Point, code: Code, message: String, hint: &str) -> Finding {
    Finding {
        code: code.as_str().to_owned(),
        severity: "warning".to_owned(),
        address: Some(point.address.to_string()),
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
            doubtful_points(&mut plan);
            let codes: Vec<&str> = plan.findings.iter().map(|f| f.code.as_str()).collect();
            assert_eq!(codes.contains(&"DR0033"), warns, "{ahead_s}: {codes:?}");
        }
    }
}
