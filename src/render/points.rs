//! The recovery points of a spec, taken or not.

use drplan_api::Address;
use drplan_api::Json;
use serde_json::json;

use super::style::Style;
use super::style::Tone;
use super::style::span;
use super::style::time;
use super::style::wrapped;
use crate::plan::Plan;
use crate::plan::Point;

/// The version of the document.
const FORMAT_VERSION: &str = "1.0";

/// All points, by data source, the taken one first.
pub fn text(plan: &Plan, style: Style) -> String {
    let mut out = plan.notices();
    let mut last: Option<&Address> = None;
    let width = plan.points.iter().map(|p| p.id.chars().count()).max();
    for point in &plan.points {
        if last != Some(&point.address) {
            if last.is_some() {
                out.push(String::new());
            }
            out.push(style.paint(Tone::Head, point.address.as_str()));
            last = Some(&point.address);
        }
        out.extend(lines(plan, point, width.unwrap_or_default(), style));
    }
    if plan.points.is_empty() {
        out.push("The spec has no data source of recovery points that can be read now.".to_owned());
    }
    let objective = match plan.head.rpo_s {
        Some(rpo_s) => format!("objective {}", span(rpo_s)),
        None => "no objective is given".to_owned(),
    };
    out.push(String::new());
    out.push(match plan.head.incident_at {
        Some(at) => format!("Loss counts to the incident at {}; {objective}.", time(at)),
        None => format!(
            "Loss counts to {}, when this was read; {objective}.",
            time(plan.head.observed_at)
        ),
    });
    out.join("\n") + "\n"
}

fn lines(plan: &Plan, point: &Point, width: usize, style: Style) -> Vec<String> {
    const WHY_LINES_MAX: usize = 3;
    let (word, tone) = match (point.chosen, &point.unusable) {
        (true, _) => ("taken", Tone::Good),
        (false, Some(_)) => ("not usable", Tone::Bad),
        (false, None) => ("usable", Tone::Dim),
    };
    let sign = if point.chosen { ">" } else { " " };
    let loss = if point.violates_rpo {
        style.paint(
            Tone::Bad,
            &format!("loses {}, MORE than the objective", span(point.loss_s)),
        )
    } else {
        format!("loses {}", span(point.loss_s))
    };
    let mut out = vec![format!(
        "  {sign} {:width$}  {}  {} old  {loss}  {}",
        point.id,
        time(point.at),
        span(age_s(plan, point)),
        style.paint(tone, word),
    )];
    let why = point.unusable.iter().chain(&point.incomplete);
    let why = why.map(|why| format!("{}: {why}", point.of));
    let taken = point.chosen.then(|| point.of.clone());
    for text in why.chain(taken.filter(|_| point.incomplete.is_none())) {
        let room = style.width.saturating_sub(6);
        let wrapped = wrapped(&text, room, WHY_LINES_MAX);
        out.extend(wrapped.iter().map(|line| format!("      {line}")));
    }
    out
}

/// The same as one JSON document.
pub fn json(plan: &Plan) -> Json {
    let points = plan.points.iter().map(|point| {
        json!({
            "address": point.address,
            "id": point.id,
            "of": point.of,
            "at": point.at,
            "age_s": age_s(plan, point),
            "loss_s": point.loss_s,
            "violates_rpo": point.violates_rpo,
            "usable": point.unusable.is_none(),
            "unusable": point.unusable,
            "incomplete": point.incomplete,
            "chosen": point.chosen,
            "used": point.used,
        })
    });
    json!({
        "format_version": FORMAT_VERSION,
        "recovery": plan.head.recovery,
        "observed_at": plan.head.observed_at,
        "incident_at": plan.head.incident_at,
        "rpo_s": plan.head.rpo_s,
        "points": points.collect::<Vec<_>>(),
    })
}

fn age_s(plan: &Plan, point: &Point) -> u64 {
    let age = plan.head.observed_at.duration_since(point.at).as_secs();
    u64::try_from(age).unwrap_or(0)
}
