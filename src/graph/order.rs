//! A stable topological order, waves, and the path that answers "why".

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;

use drplan_api::Address;
use petgraph::algo::tarjan_scc;
use petgraph::graph::DiGraph;

use super::build::Graph;
use super::edge::Edge;
use super::edge::EdgeWhy;
use crate::diag::Code;
use crate::diag::Diagnostic;
use crate::diag::Diagnostics;

/// The order of a graph.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// Every node after all that it waits for; among those that are ready, by address.
    pub list: Vec<Address>,
    /// The wave of each node: one more than the latest of what it waits for.
    pub waves: BTreeMap<Address, usize>,
}

/// Orders a graph. Cost: O((nodes + edges) · log nodes).
///
/// # Errors
///
/// Cycles, each shown whole with the reason of every hop.
pub fn order(graph: &Graph) -> Result<Order, Diagnostics> {
    let addresses: Vec<&Address> = graph.nodes.keys().collect();
    let index: BTreeMap<&Address, usize> =
        addresses.iter().enumerate().map(|(i, a)| (*a, i)).collect();
    let mut next: Vec<Vec<usize>> = vec![Vec::new(); addresses.len()];
    let mut waits = vec![0_usize; addresses.len()];
    let mut last = None;
    for edge in &graph.edges {
        let (Some(&from), Some(&to)) = (index.get(&edge.before), index.get(&edge.after)) else {
            continue;
        };
        // Edges are sorted, so several reasons of one pair stand together.
        if last != Some((from, to)) {
            next[from].push(to);
            waits[to] += 1;
            last = Some((from, to));
        }
    }
    let mut ready: BTreeSet<usize> = (0..addresses.len()).filter(|i| waits[*i] == 0).collect();
    let mut wave = vec![0_usize; addresses.len()];
    let mut out = Order::default();
    while let Some(node) = ready.pop_first() {
        out.list.push(addresses[node].clone());
        out.waves.insert(addresses[node].clone(), wave[node]);
        for &after in &next[node] {
            wave[after] = wave[after].max(wave[node] + 1);
            waits[after] -= 1;
            if waits[after] == 0 {
                ready.insert(after);
            }
        }
    }
    if out.list.len() == addresses.len() {
        Ok(out)
    } else {
        Err(cycles(graph))
    }
}

fn cycles(graph: &Graph) -> Diagnostics {
    let mut diags = Diagnostics::default();
    let mut pet: DiGraph<&Address, &Edge> = DiGraph::new();
    let index: BTreeMap<&Address, _> = graph.nodes.keys().map(|a| (a, pet.add_node(a))).collect();
    for edge in &graph.edges {
        if let (Some(&from), Some(&to)) = (index.get(&edge.before), index.get(&edge.after)) {
            pet.add_edge(from, to, edge);
        }
    }
    for component in tarjan_scc(&pet).into_iter().filter(|c| c.len() > 1) {
        let members: BTreeSet<&Address> = component.iter().map(|n| pet[*n]).collect();
        let Some(start) = members.first() else {
            continue;
        };
        let edges: Vec<&Edge> = graph
            .edges
            .iter()
            .filter(|e| members.contains(&e.before) && members.contains(&e.after))
            .collect();
        let way = shortest(&edges, start, start);
        let names: Vec<String> = way
            .iter()
            .map(|e| format!("`{}`", e.before))
            .chain([format!("`{start}`")])
            .collect();
        let mut d = Diagnostic::error(
            Code::DependencyCycle,
            format!("these steps wait for each other: {}", names.join(" → ")),
        );
        for edge in &way {
            let text = format!(
                "`{}` waits for `{}`: {}",
                edge.after,
                edge.before,
                sentence(&edge.why)
            );
            let span = match &edge.why {
                EdgeWhy::Reference { span } | EdgeWhy::DependsOn { span } => Some(*span),
                _ => graph.nodes.get(&edge.after).and_then(|n| n.span),
            };
            match span {
                Some(span) => d = d.label(span, text),
                None => d = d.hint(text),
            }
        }
        diags.push(d.hint("remove one of these dependencies or change a stage"));
    }
    diags
}

/// Says why an edge exists, as a fragment.
pub(crate) fn sentence(why: &EdgeWhy) -> String {
    match why {
        EdgeWhy::Reference { .. } => "an expression refers to it".to_owned(),
        EdgeWhy::DependsOn { .. } => "`depends_on` names it".to_owned(),
        EdgeWhy::Provider { conn } => format!("it makes the connection `{conn}`"),
        EdgeWhy::Needs { what, because } => {
            format!("it gives the {what}, needed because {because}")
        }
        EdgeWhy::Ends { because } => format!("{because}, and that is ended here"),
        EdgeWhy::Stage => "its stage comes first".to_owned(),
        EdgeWhy::Cutover => "cutovers wait for all checks".to_owned(),
        EdgeWhy::Guard => "a guard goes right before what it guards".to_owned(),
    }
}

/// The shortest chain of edges from one node to another; empty if there is none. With equal ends, the
/// shortest cycle.
fn shortest<'e>(edges: &[&'e Edge], from: &Address, to: &Address) -> Vec<&'e Edge> {
    let mut next: BTreeMap<&Address, Vec<&'e Edge>> = BTreeMap::new();
    for edge in edges {
        next.entry(&edge.before).or_default().push(edge);
    }
    let mut via: BTreeMap<&Address, &'e Edge> = BTreeMap::new();
    let mut queue = VecDeque::from([from]);
    while let Some(address) = queue.pop_front() {
        for edge in next.get(address).into_iter().flatten() {
            if via.contains_key(&edge.after) {
                continue;
            }
            via.insert(&edge.after, edge);
            if edge.after == *to {
                let mut way = vec![*edge];
                while way[way.len() - 1].before != *from {
                    match via.get(&way[way.len() - 1].before) {
                        Some(edge) => way.push(edge),
                        None => break,
                    }
                }
                way.reverse();
                return way;
            }
            queue.push_back(&edge.after);
        }
    }
    Vec::new()
}

/// The shortest chain of reasons why `after` waits for `before`; empty if it does not.
pub fn path<'e>(edges: &'e [Edge], before: &Address, after: &Address) -> Vec<&'e Edge> {
    let all: Vec<&Edge> = edges.iter().collect();
    shortest(&all, before, after)
}
