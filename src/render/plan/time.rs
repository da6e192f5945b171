//! How long a plan will take, against its objective.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use drplan_api::Address;

use crate::plan::Expected;
use crate::plan::Forecast;
use crate::plan::From;
use crate::plan::Plan;
use crate::plan::Step;
use crate::render::style::Style;
use crate::render::style::Tone;
use crate::render::style::count;
use crate::render::style::span;
use crate::render::style::wrapped;

/// The lines of the summary.
pub(super) fn lines(plan: &Plan, style: Style) -> Vec<String> {
    const LINES_MAX: usize = 2;
    let Some((text, tone)) = said_of(plan) else {
        return Vec::new();
    };
    let mut label = "Time";
    let mut out = Vec::new();
    for line in wrapped(&text, style.width.saturating_sub(16), LINES_MAX) {
        out.push(format!("  {label:<14}{}", style.paint(tone, &line)));
        label = "";
    }
    out
}

/// What is to be said about the whole; nothing without any time and without an objective, where it is
/// obvious.
pub(super) fn said_of(plan: &Plan) -> Option<(String, Tone)> {
    let forecast = plan.forecast.as_ref()?;
    let obvious = forecast.unknown.len() == forecast.of && plan.head.rto_s.is_none();
    (!obvious).then(|| verdict(plan, forecast))
}

fn verdict(plan: &Plan, forecast: &Forecast) -> (String, Tone) {
    let objective = plan.head.rto_s.map(|rto_s| (rto_s, span(rto_s)));
    let over = |ms: u64| {
        objective
            .as_ref()
            .is_some_and(|(rto_s, _)| ms > rto_s * 1000)
    };
    if !forecast.is_whole() {
        let mut text = match (forecast.unknown.len(), forecast.of) {
            (1, 1) => "unknown: its one step has no time".to_owned(),
            (missing, of) if missing == of => format!("unknown: none of {of} steps has a time"),
            (1, of) => format!("unknown: 1 of {of} steps has no time"),
            (missing, of) => format!("unknown: {missing} of {of} steps have no time"),
        };
        if forecast.p50_ms > 0 {
            let _ = write!(
                text,
                "; the others take at least {}",
                length(forecast.p50_ms)
            );
        }
        return match &objective {
            Some((_, limit)) if over(forecast.p50_ms) => (
                format!("{text}, MORE than the objective {limit}"),
                Tone::Bad,
            ),
            Some((_, limit)) => (format!("{text} (objective {limit})"), Tone::Change),
            None => (text, Tone::Dim),
        };
    }
    let mut text = length(forecast.p50_ms);
    if forecast.p90_ms > forecast.p50_ms {
        let _ = write!(text, ", if all goes slowly {}", length(forecast.p90_ms));
    }
    let (judged, tone) = match &objective {
        None => (String::new(), Tone::Dim),
        Some((_, limit)) if over(forecast.p50_ms) => {
            (format!(" (MORE than the objective {limit})"), Tone::Bad)
        }
        Some((_, limit)) if over(forecast.p90_ms) => (
            format!(" (within the objective {limit}, unless it goes slowly)"),
            Tone::Change,
        ),
        Some((_, limit)) => (format!(" (within the objective {limit})"), Tone::Good),
    };
    text.push_str(&judged);
    if !forecast.questions.is_empty() {
        let questions = count(forecast.questions.len() as u64, "question", "questions");
        let _ = write!(text, ", plus what people take for {questions}");
    }
    if let Some(saving) = forecast
        .shorten
        .as_ref()
        .filter(|_| forecast.critical_path.len() > 1)
    {
        let _ = write!(
            text,
            "; {} could save most, {}",
            saving.address,
            length(saving.saves_ms)
        );
    }
    (text, tone)
}

/// To the second from a second on.
fn length(ms: u64) -> String {
    match ms {
        0..1000 => format!("{ms}ms"),
        _ => span(ms.saturating_add(500) / 1000),
    }
}

/// What the full form says about one step.
pub(super) fn of_step(step: &Step) -> Option<String> {
    let expected = step.expected.as_ref().filter(|_| step.is_action())?;
    Some(format!("takes {}", said(expected)))
}

fn said(expected: &Expected) -> String {
    let p50 = length(expected.p50_ms);
    match expected.from {
        From::Declared => format!("{p50}, says the spec"),
        From::Runs(runs) => format!(
            "{p50}, in one of ten cases more than {}, by {}",
            length(expected.p90_ms),
            count(runs as u64, "run", "runs")
        ),
    }
}

/// The critical path, for the full form.
pub(super) fn path(plan: &Plan) -> Vec<String> {
    let Some(forecast) = &plan.forecast else {
        return Vec::new();
    };
    if forecast.unknown.len() == forecast.of {
        return Vec::new();
    }
    let steps = plan.steps.iter();
    let times: BTreeMap<&Address, &Expected> = steps
        .filter_map(|step| Some((&step.address, step.expected.as_ref()?)))
        .collect();
    let of = |address: &Address| {
        let expected = times.get(address);
        expected.map_or("unknown".to_owned(), |e| length(e.p50_ms))
    };
    let lines = forecast.critical_path.iter();
    let lines = lines.map(|address| format!("    {address}  {}", of(address)));
    std::iter::once("what takes longest, one after the other:".to_owned())
        .chain(lines)
        .chain([String::new()])
        .collect()
}
