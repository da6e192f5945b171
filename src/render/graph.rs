//! The order as a picture: DOT and Mermaid. Barriers are drawn as points.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::graph::sentence;
use crate::plan::Do;
use crate::plan::Plan;

fn pairs(plan: &Plan) -> BTreeSet<(usize, usize)> {
    plan.edges.iter().map(|e| (e.before, e.after)).collect()
}

/// What must be said before anything else, as comments.
fn notices(plan: &Plan, sign: &str) -> String {
    let texts = plan.notices().into_iter();
    texts.map(|text| format!("{sign} {text}\n")).collect()
}

/// Graphviz DOT.
pub fn dot(plan: &Plan) -> String {
    let mut out = notices(plan, "//");
    out.push_str(
        "digraph drplan {\n  rankdir = LR;\n  node [shape = box, fontname = \"monospace\"];\n",
    );
    for (i, step) in plan.steps.iter().enumerate() {
        let shape = match step.what {
            Do::Barrier => ", shape = point",
            Do::Gate { .. } => ", shape = diamond",
            Do::Check { .. } => ", shape = hexagon",
            _ => "",
        };
        let style = if step.is_action() {
            ""
        } else {
            ", style = dashed"
        };
        writeln!(
            out,
            "  n{i} [label = {:?}{shape}{style}];",
            step.address.as_str()
        )
        .ok();
    }
    let mut last = None;
    for edge in &plan.edges {
        if last == Some((edge.before, edge.after)) {
            continue;
        }
        last = Some((edge.before, edge.after));
        let why = sentence(&edge.why);
        writeln!(
            out,
            "  n{} -> n{} [tooltip = {why:?}];",
            edge.before, edge.after
        )
        .ok();
    }
    out.push_str("}\n");
    out
}

/// Mermaid, for Markdown.
pub fn mermaid(plan: &Plan) -> String {
    let mut out = notices(plan, "%%");
    out.push_str("flowchart LR\n");
    for (i, step) in plan.steps.iter().enumerate() {
        let name = step.address.as_str().replace('"', "#quot;");
        let node = match step.what {
            Do::Barrier => format!("n{i}((\" \"))"),
            Do::Gate { .. } => format!("n{i}{{\"{name}\"}}"),
            Do::Check { .. } => format!("n{i}{{{{\"{name}\"}}}}"),
            _ => format!("n{i}[\"{name}\"]"),
        };
        writeln!(out, "  {node}").ok();
    }
    for (before, after) in pairs(plan) {
        writeln!(out, "  n{before} --> n{after}").ok();
    }
    out
}
