//! JSON: the plan in the shape of Terraform's `show -json` with drplan's own under `drplan`, and the
//! event stream.

mod change;

use std::collections::BTreeMap;

use drplan_api::Json;
use drplan_api::Timestamp;
use serde_json::json;

use super::style::span;
use crate::apply::Event;
use crate::apply::Frontier;
use crate::apply::Outcome;
use crate::graph::EdgeWhy;
use crate::graph::sentence;
use crate::plan::Do;
use crate::plan::Expected;
use crate::plan::From;
use crate::plan::Plan;
use crate::plan::Summary;

/// The version of the document: minor is additive, major is refused by readers.
const FORMAT_VERSION: &str = "1.2";

/// The first reason of each pair of which one waits for the other.
type Whys<'p> = BTreeMap<(usize, usize), &'p EdgeWhy>;

/// A plan as one JSON document.
pub fn plan(plan: &Plan) -> Json {
    let before = plan.before();
    let edges = plan.edges.iter().rev();
    let whys: Whys<'_> = edges.map(|e| ((e.before, e.after), &e.why)).collect();
    let changes: Vec<Json> = plan
        .steps
        .iter()
        .enumerate()
        .filter(|(_, s)| !matches!(s.what, Do::Barrier | Do::Check { .. }))
        .map(|(i, _)| resource_change(plan, i, &before[i], &whys))
        .collect();
    let checks: Vec<Json> = plan
        .steps
        .iter()
        .filter(|s| matches!(s.what, Do::Check { .. }))
        .map(|s| json!({ "address": { "kind": "check", "to_display": s.address }, "status": "unknown" }))
        .collect();
    let outputs: serde_json::Map<String, Json> = plan
        .outputs
        .iter()
        .map(|(name, value)| (name.clone(), change::output(value)))
        .collect();
    let mut out = json!({
        "format_version": FORMAT_VERSION,
        "resource_changes": changes,
        "output_changes": outputs,
        "checks": checks,
        "timestamp": plan.head.observed_at,
        "errored": false,
        "drplan": {
            "head": plan.head,
            "summary": Summary::of(plan),
            "forecast": plan.forecast,
            "points": plan.points,
            "findings": plan.findings,
            "targets": plan.targets.iter().map(|t| json!({
                "conn": t.conn, "identity": t.identity, "made_by": t.made_by, "lost": t.lost,
            })).collect::<Vec<_>>(),
        },
    });
    let notices = plan.notices();
    if !notices.is_empty() {
        // It sorts first.
        out["@notices"] = json!(notices);
    }
    out
}

fn resource_change(plan: &Plan, i: usize, before: &[usize], whys: &Whys<'_>) -> Json {
    let step = &plan.steps[i];
    let (change, before_is) = change::change(step);
    let waits: Vec<&str> = before
        .iter()
        .map(|&b| plan.steps[b].address.as_str())
        .collect();
    let because = before.iter().filter_map(|&b| {
        let why = whys.get(&(b, i))?;
        Some((plan.steps[b].address.to_string(), sentence(why).into()))
    });
    let because: serde_json::Map<String, Json> = because.collect();
    let effects = match &step.what {
        Do::Act { effects, .. } => json!(effects),
        _ => json!([]),
    };
    let what = serde_json::to_value(&step.what)
        .ok()
        .and_then(|w| w.get("do").cloned());
    json!({
        "address": step.address,
        "mode": if step.address.is_data() { "data" } else { "managed" },
        "type": step.kind,
        "name": step.address.name(),
        "provider_name": step.want.as_ref().and_then(|w| w.roles.values().next().cloned()),
        "change": change,
        "action_reason": step.because,
        "drplan": {
            "do": what,
            "action": step.action(),
            "because": step.because,
            "before": before_is,
            "stage": step.stage,
            "wave": step.wave,
            "at": step.at,
            "diff": step.diff,
            "breakdown": step.breakdown,
            "hazard": step.hazard,
            "sure": step.sure,
            "effects": effects,
            "waits_for": waits,
            "waits_because": because,
            "guards": step.guards,
            "warnings": step.warnings,
            "manual": step.manual,
            "expected": step.expected,
            "timeout_s": step.timeout_s,
            "best_effort": step.best_effort,
        },
    })
}

/// The first line of an event stream.
pub fn version_line(at: Timestamp) -> Json {
    json!({
        "@level": "info",
        "@message": format!("drplan {}", env!("CARGO_PKG_VERSION")),
        "@module": "drplan",
        "@timestamp": at,
        "type": "version",
        "seq": 0,
        "drplan": env!("CARGO_PKG_VERSION"),
        "ui": "1.2",
    })
}

/// Marks a line as one of a rehearsal, so that nobody takes it for one of a recovery.
#[cfg(feature = "rehearse")]
pub fn rehearsed(mut line: Json) -> Json {
    if let Json::Object(map) = &mut line {
        map.insert("rehearsed".to_owned(), Json::Bool(true));
    }
    line
}

/// The last line of an event stream of a rehearsal.
#[cfg(feature = "rehearse")]
pub fn rehearsal_line(at: Timestamp, seq: u64, report: &crate::rehearse::Report) -> Json {
    let said = if report.nothing_to_do {
        "nothing was rehearsed"
    } else {
        "rehearsed"
    };
    rehearsed(json!({
        "@level": if report.exit_code == 0 { "info" } else { "error" },
        "@message": format!("{said}; exit code {}", report.exit_code),
        "@module": "drplan.rehearse",
        "@timestamp": at,
        "type": "rehearsal",
        "seq": seq,
        "rehearsal": report,
    }))
}

/// One event as one line of a stream. Numbers count within a run; unknown types can be passed over.
pub fn event_line(at: Timestamp, seq: u64, event: &Event) -> Json {
    let hook = |address: &drplan_api::Address| json!({ "resource": { "addr": address } });
    let (kind, level, message, mut body) = match event {
        Event::RunStarted {
            run,
            recovery,
            steps,
            ..
        } => (
            "run_start",
            "info",
            format!("run {run} of recovery {recovery}: {steps} steps"),
            json!({ "run": run, "recovery": recovery, "steps": steps }),
        ),
        Event::RunResumed { run, by, .. } => (
            "run_resume",
            "info",
            format!("run {run} goes on, resumed by {by}"),
            json!({ "run": run, "by": by }),
        ),
        Event::RunPaused { because } => (
            "run_pause",
            "warn",
            format!("paused: {because}"),
            json!({ "because": because }),
        ),
        Event::RunWentOn { by, again } => (
            "run_go_on",
            "info",
            format!("goes on, wished by {by}"),
            json!({ "by": by, "again": again }),
        ),
        Event::StepStarted { address, action } => (
            "apply_start",
            "info",
            format!("{address}: started"),
            json!({ "hook": hook(address), "action": action }),
        ),
        Event::EffectStarted {
            address,
            effect,
            attempt,
            verb,
            object,
            ..
        } => (
            "effect_start",
            "info",
            format!("{address}: {verb} {object}"),
            json!({ "hook": hook(address), "effect": effect, "attempt": attempt, "verb": verb, "object": object }),
        ),
        Event::EffectAdopted { address, effect } => (
            "effect_adopted",
            "info",
            format!("{address}: effect {effect} goes on already, and is waited for"),
            json!({ "hook": hook(address), "effect": effect }),
        ),
        Event::EffectFinished {
            address,
            effect,
            found,
        } => (
            "effect_complete",
            "info",
            format!("{address}: effect {effect} done"),
            json!({ "hook": hook(address), "effect": effect, "found": found }),
        ),
        Event::Progress {
            address,
            effect,
            done,
            of,
            note,
        } => (
            "apply_progress",
            "info",
            format!("{address}: {note}"),
            json!({ "hook": hook(address), "effect": effect, "done": done, "of": of, "note": note }),
        ),
        Event::Outlook { left_ms, unknown } => (
            "outlook",
            "info",
            left_text(*left_ms, *unknown),
            json!({ "left_ms": left_ms, "unknown": unknown }),
        ),
        Event::Slow { address, expected } => (
            "apply_slow",
            "warn",
            format!("{address}: {}", slow_text(expected)),
            json!({ "hook": hook(address), "expected": expected }),
        ),
        Event::Retry {
            address,
            because,
            in_ms,
        } => (
            "retry_scheduled",
            "warn",
            format!("{address}: tried again in {in_ms} ms: {because}"),
            json!({ "hook": hook(address), "because": because, "in_ms": in_ms }),
        ),
        Event::GateOpened { address, ask } => (
            "gate_waiting",
            "info",
            format!("{address}: {ask}"),
            json!({ "hook": hook(address), "ask": ask }),
        ),
        Event::GatePassed { address, how } => (
            "gate_passed",
            "info",
            format!("{address}: approved ({how})"),
            json!({ "hook": hook(address), "how": how }),
        ),
        Event::StepEnded {
            address,
            outcome,
            evidence,
            elapsed_ms,
            ..
        } => (
            if outcome.is_good() {
                "apply_complete"
            } else {
                "apply_errored"
            },
            if outcome.is_good() { "info" } else { "error" },
            format!("{address}: {}", ended_text(outcome)),
            json!({
                "hook": hook(address), "outcome": outcome, "evidence": evidence,
                "elapsed_ms": elapsed_ms, "elapsed_seconds": elapsed_ms / 1000,
            }),
        ),
        Event::RunEnded { exit_code } => (
            "run_end",
            "info",
            format!("run ended with exit code {exit_code}"),
            json!({ "exit_code": exit_code }),
        ),
    };
    if let Json::Object(map) = &mut body {
        map.insert("@level".to_owned(), level.into());
        map.insert("@message".to_owned(), message.into());
        map.insert("@module".to_owned(), "drplan.apply".into());
        map.insert("@timestamp".to_owned(), json!(at));
        map.insert("type".to_owned(), kind.into());
        map.insert("seq".to_owned(), seq.into());
    }
    body
}

/// The last line of an event stream; `head` is the chain of the journal's last record.
pub fn summary_line(
    at: Timestamp,
    seq: u64,
    exit_code: u8,
    frontier: &Frontier,
    head: &str,
) -> Json {
    json!({
        "@level": if exit_code == 0 { "info" } else { "error" },
        "@message": format!("exit code {exit_code}"),
        "@module": "drplan.apply",
        "@timestamp": at,
        "type": "apply_summary",
        "seq": seq,
        "exit_code": exit_code,
        "frontier": frontier,
        "head": head,
    })
}

/// How long a run will still take, in words.
pub(crate) fn left_text(left_ms: Option<u64>, unknown: usize) -> String {
    match left_ms {
        Some(ms) => format!("about {} left", span(ms.div_ceil(1000))),
        None if unknown == 1 => "time left unknown: 1 step has no time".to_owned(),
        None => format!("time left unknown: {unknown} steps have no time"),
    }
}

/// What a slow step takes otherwise, in words.
pub(crate) fn slow_text(expected: &Expected) -> String {
    let time = span(expected.p50_ms.div_ceil(1000));
    match expected.from {
        From::Declared => format!("slower than declared ({time})"),
        From::Runs(_) => format!("slower than usual (usually {time})"),
    }
}

/// How a step ended, in words.
pub(crate) fn ended_text(outcome: &Outcome) -> String {
    match outcome.because() {
        Some(because) => format!("{}: {because}", outcome.word()),
        None => outcome.word().to_owned(),
    }
}
