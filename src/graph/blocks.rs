//! The order of blocks: which block must be evaluated before which, and cycles shown whole.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use drplan_api::Address;
use drplan_api::ConnId;
use petgraph::algo::tarjan_scc;
use petgraph::graph::DiGraph;
use petgraph::graph::NodeIndex;

use crate::diag::Code;
use crate::diag::Diagnostic;
use crate::diag::Diagnostics;
use crate::lang::Expr;
use crate::lang::Part;
use crate::lang::Span;
use crate::lang::references;
use crate::spec::Module;
use crate::spec::nearest;

/// One block that is evaluated.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum BlockId {
    /// A provider.
    Provider(ConnId),
    /// A resource or data source, without instance key.
    Resource(Address),
    /// A check.
    Check(Address),
    /// An output.
    Output(String),
    /// A local.
    Local(String),
}

impl std::fmt::Display for BlockId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Provider(conn) => write!(f, "provider {conn}"),
            Self::Resource(address) | Self::Check(address) => write!(f, "{address}"),
            Self::Output(name) => write!(f, "output.{name}"),
            Self::Local(name) => write!(f, "local.{name}"),
        }
    }
}

/// What a reference names.
pub(crate) enum Named {
    /// A block.
    Block(BlockId),
    /// Something that is always there: a variable, `each`, `count`, `path`.
    Ambient,
}

/// Returns what the first parts of a reference name.
pub(crate) fn named(module: &Module, parts: &[Part], span: Span) -> Result<Named, Diagnostic> {
    let name = |i: usize| match parts.get(i) {
        Some(Part::Attr(name, _)) => Some(name.as_str()),
        _ => None,
    };
    let root = name(0).unwrap_or_default();
    match (root, name(1)) {
        ("each" | "count" | "path", _) => Ok(Named::Ambient),
        ("var", Some(var)) => {
            if module.variables.contains_key(var) {
                return Ok(Named::Ambient);
            }
            Err(unknown(
                format!("no variable `{var}` is declared"),
                span,
                var,
                module.variables.keys(),
            ))
        }
        ("local", Some(local)) => {
            if module.locals.contains_key(local) {
                return Ok(Named::Block(BlockId::Local(local.to_owned())));
            }
            Err(unknown(
                format!("there is no local `{local}`"),
                span,
                local,
                module.locals.keys(),
            ))
        }
        ("check", Some(check)) => {
            let address = Address::new(format!("check.{check}"));
            if module.checks.contains_key(&address) {
                return Ok(Named::Block(BlockId::Check(address)));
            }
            Err(unknown(
                format!("there is no check `{check}`"),
                span,
                check,
                module.checks.keys(),
            ))
        }
        ("data", Some(kind)) => resource(
            module,
            format!("data.{kind}.{}", name(2).unwrap_or_default()),
            span,
        ),
        (kind, Some(rest)) => resource(module, format!("{kind}.{rest}"), span),
        (alone, None) => Err(Diagnostic::error(
            Code::UnknownReference,
            format!("`{alone}` alone refers to nothing"),
        )
        .label(
            span,
            "a reference is KIND.NAME, data.KIND.NAME, var.NAME or local.NAME",
        )
        .hint(format!("if a text is meant, write \"{alone}\""))),
    }
}

fn resource(module: &Module, address: String, span: Span) -> Result<Named, Diagnostic> {
    let address = Address::new(address);
    if module.resources.contains_key(&address) {
        return Ok(Named::Block(BlockId::Resource(address)));
    }
    Err(unknown(
        format!("the spec has no `{address}`"),
        span,
        address.as_str(),
        module.resources.keys(),
    ))
}

fn unknown<T: std::fmt::Display>(
    message: String,
    span: Span,
    name: &str,
    among: impl Iterator<Item = T>,
) -> Diagnostic {
    let all: Vec<String> = among.map(|n| n.to_string()).collect();
    let d = Diagnostic::error(Code::UnknownReference, message).label(span, "referred to here");
    match nearest(name, all.iter().map(String::as_str)) {
        Some(near) => d.hint(format!("did you mean `{near}`?")),
        None => d,
    }
}

/// All references of a block: what they name and where they stand.
pub(super) fn references_of(
    module: &Module,
    id: &BlockId,
) -> Vec<(BlockId, Span, Option<Diagnostic>)> {
    let mut out = Vec::new();
    let mut add = |expr: &Expr| {
        for (parts, span) in references(expr) {
            match named(module, parts, span) {
                Ok(Named::Block(block)) => out.push((block, span, None)),
                Ok(Named::Ambient) => {}
                Err(d) => out.push((id.clone(), span, Some(d))),
            }
        }
    };
    match id {
        BlockId::Provider(conn) => {
            if let Some(block) = module.providers.get(conn) {
                block.args.values().for_each(|attr| add(&attr.expr));
            }
        }
        BlockId::Resource(address) => {
            if let Some(block) = module.resources.get(address) {
                block.args.values().for_each(|attr| add(&attr.expr));
                for (name, attr) in &block.meta {
                    // Connections are no values; guards point forward and make no order of evaluation.
                    if !matches!(name.as_str(), "provider" | "providers" | "guards") {
                        add(&attr.expr);
                    }
                }
            }
        }
        BlockId::Check(address) => {
            if let Some(check) = module.checks.get(address) {
                for (condition, message) in &check.asserts {
                    add(condition);
                    add(message);
                }
                if let Some(attr) = &check.depends_on {
                    add(&attr.expr);
                }
            }
        }
        BlockId::Output(name) => {
            if let Some(attr) = module.outputs.get(name) {
                add(&attr.expr);
            }
        }
        BlockId::Local(name) => {
            if let Some(attr) = module.locals.get(name) {
                add(&attr.expr);
            }
        }
    }
    out
}

/// Orders all blocks so that each comes after those that it refers to. `conns_of` names the connections
/// of a resource, which must be evaluated before it.
///
/// # Errors
///
/// Every unknown reference and every cycle, whole. Cost: linear in blocks and references.
pub(crate) fn ordered(
    module: &Module,
    conns_of: impl Fn(&Address) -> Vec<ConnId>,
) -> Result<Vec<BlockId>, Diagnostics> {
    let mut diags = Diagnostics::default();
    let mut graph: DiGraph<BlockId, Span> = DiGraph::new();
    let mut index: BTreeMap<BlockId, NodeIndex> = BTreeMap::new();
    let ids = module
        .locals
        .keys()
        .map(|name| BlockId::Local(name.clone()))
        .chain(
            module
                .providers
                .keys()
                .map(|conn| BlockId::Provider(conn.clone())),
        )
        .chain(
            module
                .resources
                .keys()
                .map(|address| BlockId::Resource(address.clone())),
        )
        .chain(
            module
                .checks
                .keys()
                .map(|address| BlockId::Check(address.clone())),
        )
        .chain(
            module
                .outputs
                .keys()
                .map(|name| BlockId::Output(name.clone())),
        );
    for id in ids {
        index.insert(id.clone(), graph.add_node(id));
    }
    for (id, &after) in &index {
        // By `before`, since looking for an edge in the graph would walk all that a provider is used by.
        let mut known = BTreeMap::new();
        let mut edge = |graph: &mut DiGraph<BlockId, Span>, before, span| {
            let edge = *known
                .entry(before)
                .or_insert_with(|| graph.add_edge(before, after, span));
            graph[edge] = span;
        };
        for (target, span, error) in references_of(module, id) {
            if let Some(error) = error {
                diags.push(error);
            } else if let Some(&before) = index.get(&target) {
                edge(&mut graph, before, span);
            }
        }
        if let BlockId::Resource(address) = id {
            for conn in conns_of(address) {
                if let Some(&before) = index.get(&BlockId::Provider(conn)) {
                    edge(&mut graph, before, module.resources[address].span);
                }
            }
        }
    }
    for component in tarjan_scc(&graph) {
        let own_loop = component.len() == 1 && graph.contains_edge(component[0], component[0]);
        if component.len() > 1 || own_loop {
            diags.push(cycle(&graph, &component));
        }
    }
    if diags.has_errors() {
        return Err(diags);
    }
    Ok(sorted(&graph))
}

/// Kahn's order, with the smallest block first among those that are ready, so that equal specs give
/// equal orders.
fn sorted(graph: &DiGraph<BlockId, Span>) -> Vec<BlockId> {
    let mut waits: Vec<usize> = graph
        .node_indices()
        .map(|n| graph.neighbors_directed(n, petgraph::Incoming).count())
        .collect();
    let mut ready: BTreeSet<(&BlockId, NodeIndex)> = graph
        .node_indices()
        .filter(|n| waits[n.index()] == 0)
        .map(|n| (&graph[n], n))
        .collect();
    let mut out = Vec::with_capacity(graph.node_count());
    while let Some((id, node)) = ready.pop_first() {
        out.push(id.clone());
        for next in graph.neighbors(node) {
            waits[next.index()] -= 1;
            if waits[next.index()] == 0 {
                ready.insert((&graph[next], next));
            }
        }
    }
    out
}

/// Walks once around a strongly connected component and says every hop.
fn cycle(graph: &DiGraph<BlockId, Span>, component: &[NodeIndex]) -> Diagnostic {
    let members: BTreeSet<NodeIndex> = component.iter().copied().collect();
    let start = component
        .iter()
        .copied()
        .min_by_key(|n| &graph[*n])
        .unwrap_or(component[0]);
    // The shortest way from the start back to itself.
    let mut from: BTreeMap<NodeIndex, NodeIndex> = BTreeMap::new();
    let mut queue = std::collections::VecDeque::from([start]);
    let mut last = start;
    'search: while let Some(node) = queue.pop_front() {
        for next in graph.neighbors(node).filter(|n| members.contains(n)) {
            if next == start {
                last = node;
                break 'search;
            }
            if next != start && !from.contains_key(&next) {
                from.insert(next, node);
                queue.push_back(next);
            }
        }
    }
    let mut way = vec![start];
    let mut back = vec![last];
    while let Some(previous) = back.last().and_then(|n| from.get(n)) {
        back.push(*previous);
    }
    way.extend(back.into_iter().rev().filter(|n| *n != start));
    let names: Vec<String> = way
        .iter()
        .chain([&start])
        .map(|n| format!("`{}`", graph[*n]))
        .collect();
    let mut d = Diagnostic::error(
        Code::DependencyCycle,
        format!("these blocks wait for each other: {}", names.join(" → ")),
    );
    for (i, node) in way.iter().enumerate() {
        let next = way[(i + 1) % way.len()];
        if let Some(edge) = graph.find_edge(*node, next) {
            d = d.label(
                graph[edge],
                format!("`{}` waits for `{}`", graph[next], graph[*node]),
            );
        }
    }
    d.hint("remove one of these references")
}
