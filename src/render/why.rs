//! Why a step does what it does, and why one step waits for another.

use drplan_api::Address;

use super::style::Style;
use super::style::Tone;
use crate::diag::Sources;
use crate::graph::EdgeWhy;
use crate::lang::FileId;
use crate::plan::Do;
use crate::plan::Plan;
use crate::plan::PlanEdge;
use crate::plan::Step;

fn place(why: &EdgeWhy, sources: Option<&Sources>) -> String {
    let (EdgeWhy::Reference { span } | EdgeWhy::DependsOn { span }) = why else {
        return String::new();
    };
    match sources {
        Some(sources) if span.file != FileId(u32::MAX) => {
            let (file, line, _) = sources.line_column(*span);
            format!(" ({file}:{line})")
        }
        _ => String::new(),
    }
}

/// Why a step does what it does, what it guards, what it waits for and what waits for it.
pub fn one(plan: &Plan, index: usize, sources: Option<&Sources>, style: Style) -> String {
    let step: &Step = &plan.steps[index];
    let mut out = plan.notices();
    let at = step
        .at
        .as_ref()
        .map(|w| format!(" ({}:{})", w.file, w.line))
        .unwrap_or_default();
    out.push(format!(
        "{}{at}",
        style.paint(Tone::Head, step.address.as_str())
    ));
    out.push(format!("  {}: {}", word(step), step.because));
    if !step.guards.is_empty() {
        out.push("  guards".to_owned());
        out.extend(step.guards.iter().map(|address| guarded(plan, address)));
    }
    let say = |edge: &PlanEdge, other: usize| {
        format!(
            "    {}: {}{}",
            plan.steps[other].address,
            plan.reason(edge),
            place(&edge.why, sources)
        )
    };
    let mut list = |what: &str, lines: Vec<String>| {
        if lines.is_empty() {
            out.push(format!("  {what} nothing"));
        } else {
            out.push(format!("  {what}"));
            out.extend(lines);
        }
    };
    let edges = || plan.edges.iter();
    list(
        "waits for",
        edges()
            .filter(|e| e.after == index)
            .map(|e| say(e, e.before))
            .collect(),
    );
    list(
        "is waited for by",
        edges()
            .filter(|e| e.before == index)
            .map(|e| say(e, e.after))
            .collect(),
    );
    out.join("\n") + "\n"
}

/// What becomes of a step, in a word.
pub(crate) fn word(step: &Step) -> &'static str {
    match &step.what {
        Do::Gate { .. } => "ask",
        Do::Check { .. } => "check",
        Do::Conflict => "conflict",
        Do::Blocked { .. } => "blocked",
        Do::Read => "read",
        _ => step.action().map_or("no action", |a| a.as_str()),
    }
}

/// A guard stays or goes with the actions of what it guards.
fn guarded(plan: &Plan, address: &Address) -> String {
    let acts = match plan.step(address.as_str()) {
        Some(step) if step.is_action() => word(step),
        _ => "no action",
    };
    format!("    {address}: {acts}")
}

/// The chain of reasons why one step waits for another. If it is the other way round, says so, and why.
pub fn two(plan: &Plan, waiting: usize, first: usize, sources: Option<&Sources>) -> String {
    let notices: String = plan.notices().iter().map(|n| format!("{n}\n")).collect();
    notices + &related(plan, waiting, first, sources)
}

fn related(plan: &Plan, waiting: usize, first: usize, sources: Option<&Sources>) -> String {
    let name = |i: usize| &plan.steps[i].address;
    if waiting == first {
        return format!("`{}` is one and the same step\n", name(first));
    }
    if let Some(chain) = chain(plan, waiting, first, sources) {
        return chain;
    }
    match chain(plan, first, waiting, sources) {
        Some(chain) => format!(
            "`{}` does not wait for `{}`; it is the other way round:\n{chain}",
            name(waiting),
            name(first)
        ),
        None => format!(
            "`{}` and `{}` do not wait for each other\n",
            name(waiting),
            name(first)
        ),
    }
}

/// The shortest chain; `None` if there is none.
fn chain(plan: &Plan, after: usize, before: usize, sources: Option<&Sources>) -> Option<String> {
    let mut via: Vec<Option<usize>> = vec![None; plan.steps.len()];
    let mut queue = std::collections::VecDeque::from([before]);
    let mut next: Vec<Vec<usize>> = vec![Vec::new(); plan.steps.len()];
    for (i, edge) in plan.edges.iter().enumerate() {
        next[edge.before].push(i);
    }
    while let Some(node) = queue.pop_front() {
        for &i in &next[node] {
            let to = plan.edges[i].after;
            if via[to].is_none() && to != before {
                via[to] = Some(i);
                queue.push_back(to);
            }
        }
    }
    let mut lines = Vec::new();
    let mut at = after;
    while at != before {
        let edge = &plan.edges[via[at]?];
        let name = |i: usize| -> &Address { &plan.steps[i].address };
        lines.push(format!(
            "`{}` waits for `{}`: {}{}",
            name(edge.after),
            name(edge.before),
            plan.reason(edge),
            place(&edge.why, sources)
        ));
        at = edge.before;
    }
    Some(lines.join("\n") + "\n")
}
