//! When each step ran, as a picture.

use drplan_api::Timestamp;
use maud::Markup;
use maud::html;

use super::super::outline::tone_of;
use super::super::outline::took;
use super::class;
use crate::render::style::cut;
use crate::report::Report;
use crate::report::data::StepReport;

/// How many steps are drawn; the longest are.
const STEPS_MAX: usize = 200;
const ROW_PX: u64 = 22;
const NAMES_PX: u64 = 300;
const CHART_PX: u64 = 800;
/// Room behind the chart for how long the last bar took.
const AFTER_PX: u64 = 90;
const NAME_CHARACTERS_MAX: usize = 38;
/// The narrowest bar that can be seen.
const BAR_PX_MIN: u64 = 2;
/// Into how many parts the time is divided.
const PARTS: u64 = 5;

pub(super) fn timeline(report: &Report) -> Markup {
    let mut steps: Vec<(&StepReport, Timestamp, u64)> = report
        .steps
        .iter()
        .filter_map(|s| Some((s, s.started_at?, s.ran_ms?)))
        .collect();
    let all = steps.len();
    steps.sort_by_key(|(_, _, ran)| std::cmp::Reverse(*ran));
    steps.truncate(STEPS_MAX);
    steps.sort_by_key(|(step, at, _)| (*at, step.wave));
    if steps.is_empty() {
        return html! {};
    }
    let rows = steps.len() as u64;
    let (width, height) = (NAMES_PX + CHART_PX + AFTER_PX, (rows + 2) * ROW_PX);
    html! {
        figure.fits {
            svg viewBox=(format!("0 0 {width} {height}")) width=(width) height=(height) role="img" aria-labelledby="timeline-title" {
                title id="timeline-title" { "When each step ran; the same as in the table of steps" }
                @for part in 0..=PARTS { (tick(report, part, height)) }
                @for (row, (step, at, ran)) in (0_u64..).zip(&steps) {
                    (bar(report, step, *at, *ran, (row + 1) * ROW_PX))
                }
            }
            figcaption {
                "When each step ran. Dotted: it was ready and waited for its turn. Circles: an attempt failed and was made again."
                @if all > steps.len() { " Only the " (steps.len()) " longest of " (all) " are drawn." }
            }
        }
    }
}

fn tick(report: &Report, part: u64, height: u64) -> Markup {
    let x = NAMES_PX + CHART_PX * part / PARTS;
    html! {
        line.grid x1=(x) y1=(ROW_PX) x2=(x) y2=(height - ROW_PX) {}
        text.quiet x=(x) y=(ROW_PX - 8) text-anchor="middle" { (took(report.took_ms * part / PARTS)) }
    }
}

fn bar(report: &Report, step: &StepReport, at: Timestamp, ran: u64, y: u64) -> Markup {
    let from = place(report, at);
    let ready = from.saturating_sub(length(report, step.queued_ms.unwrap_or_default()));
    let wide = length(report, ran).max(BAR_PX_MIN);
    let middle = y + ROW_PX / 2;
    let told = format!("{}: {}, {}", step.address, step.end.word(), took(ran));
    html! {
        g.(class(tone_of(step.end))) {
            title { (told) }
            text x=(NAMES_PX - 10) y=(middle + 4) text-anchor="end" { (cut(&step.address, NAME_CHARACTERS_MAX)) }
            line.queue x1=(ready) y1=(middle) x2=(from) y2=(middle) {}
            rect.bar x=(from) y=(y + 4) width=(wide) height=(ROW_PX - 8) rx="2" {}
            @for retry in &step.retries {
                circle.retry cx=(place(report, retry.at)) cy=(middle) r="4" {}
            }
            text.quiet x=(from + wide + 6) y=(middle + 4) { (took(ran)) }
        }
    }
}

/// Where an instant stands.
fn place(report: &Report, at: Timestamp) -> u64 {
    let since = at.duration_since(report.started_at).as_millis();
    NAMES_PX + length(report, u64::try_from(since).unwrap_or_default())
}

fn length(report: &Report, ms: u64) -> u64 {
    (ms.saturating_mul(CHART_PX) / report.took_ms.max(1)).min(CHART_PX)
}
