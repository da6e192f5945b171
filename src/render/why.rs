//! Why a step does what it does, and why one step waits for another.

use drplan_api::Address;

use super::style::Style;
use super::style::Tone;
use crate::diag::Sources;
use crate::graph::EdgeWhy;
use crate::graph::sentence;
use crate::lang::FileId;
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

/// Why a step does what it does, what it waits for and what waits for it.
pub fn one(plan: &Plan, index: usize, sources: Option<&Sources>, style: Style) -> String {
    let step: &Step = &plan.steps[index];
    let mut out = Vec::new();
    let at = step
        .at
        .as_ref()
        .map(|w| format!(" ({}:{})", w.file, w.line))
        .unwrap_or_default();
    out.push(format!(
        "{}{at}",
        style.paint(Tone::Head, step.address.as_str())
    ));
    let what = step.action().map_or("no action", |a| a.as_str());
    out.push(format!("  {what}: {}", step.because));
    let say = |edge: &PlanEdge, other: usize| {
        format!(
            "    {}: {}{}",
            plan.steps[other].address,
            sentence(&edge.why),
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

/// The chain of reasons why `after` waits for `before`; `None` if it does not.
pub fn two(plan: &Plan, before: usize, after: usize, sources: Option<&Sources>) -> Option<String> {
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
            sentence(&edge.why),
            place(&edge.why, sources)
        ));
        at = edge.before;
    }
    Some(lines.join("\n") + "\n")
}
