//! From an expanded spec to a graph: nodes, effective stages, and edges with their reasons.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use drplan_api::Address;
use drplan_api::Cap;
use drplan_api::ConnId;
use drplan_api::Json;
use drplan_api::Planned;
use drplan_api::Stage;

use super::edge::Edge;
use super::edge::EdgeWhy;
use super::expand::CheckInstance;
use super::expand::Expanded;
use super::expand::Instance;
use super::exprs::Exprs;
use super::targets::TargetPlan;
use crate::diag::Code;
use crate::diag::Diagnostic;
use crate::diag::Diagnostics;
use crate::lang::Span;
use crate::spec::Module;
use crate::spec::Ordering;

/// What a node is.
pub enum What {
    /// A resource or data source.
    Resource(Box<Instance>),
    /// A check.
    Check(Box<CheckInstance>),
    /// Joins two stages.
    Barrier,
}

/// One node.
pub struct Node {
    /// Its address.
    pub address: Address,
    /// Where it is declared; `None` for a barrier.
    pub span: Option<Span>,
    /// The effective stage.
    pub stage: Option<Stage>,
    /// Whether it runs as soon as what it waits for is there, stages or not.
    pub early: bool,
    /// What it is.
    pub what: What,
}

/// Nodes by address, and edges in order.
pub struct Graph {
    /// All nodes.
    pub nodes: BTreeMap<Address, Node>,
    /// All edges, sorted, each pair once for each reason.
    pub edges: Vec<Edge>,
    /// Connections.
    pub targets: BTreeMap<ConnId, TargetPlan>,
    /// Residual expressions.
    pub exprs: Exprs,
    /// Outputs as JSON with holes.
    pub outputs: BTreeMap<String, Json>,
    /// Warnings so far.
    pub findings: Diagnostics,
}

/// A proof that nobody put into a stage runs as soon as what it waits for is there.
fn runs_early(instance: &Instance) -> bool {
    instance.stage.is_none() && instance.def().stage == Some(Stage::Verify)
}

/// The address of the barrier in front of a stage.
fn barrier(stage: Stage) -> Address {
    Address::new(format!("barrier.{}", stage.as_str()))
}

/// The node that all cutovers wait for.
fn cutover() -> Address {
    Address::new("barrier.cutover")
}

/// Builds the graph. Cost: linear in instances, uses, needs and gives.
///
/// # Errors
///
/// Stages that contradict references, missing stages, needs that nothing gives.
pub fn build(module: &Module, expanded: Expanded) -> Result<Graph, Diagnostics> {
    let mut builder = Builder {
        diags: Diagnostics::default(),
        edges: BTreeSet::new(),
        stages: BTreeMap::new(),
    };
    for instance in &expanded.instances {
        builder.uses(&instance.address, &instance.uses, &instance.depends_on);
        builder.providers(instance, &expanded.targets);
        builder.stage(instance, module.recovery.ordering);
    }
    for check in &expanded.checks {
        builder.uses(&check.address, &check.uses, &check.depends_on);
    }
    builder.needs(&expanded);
    let barriers = match module.recovery.ordering {
        Ordering::Staged => builder.barriers(&expanded),
        Ordering::Inferred => BTreeSet::new(),
    };
    let gate = builder.cutover(&expanded);
    builder.guards(&expanded);
    builder.ends(&expanded);
    builder.run_store(module, &expanded.targets);
    if builder.diags.has_errors() {
        return Err(builder.diags);
    }
    let mut findings = expanded.findings;
    findings.extend(builder.diags);
    let mut nodes = BTreeMap::new();
    for instance in expanded.instances {
        let stage = builder.stages.get(&instance.address).copied();
        let address = instance.address.clone();
        let node = Node {
            address: address.clone(),
            span: Some(instance.span),
            stage,
            early: runs_early(&instance),
            what: What::Resource(Box::new(instance)),
        };
        nodes.insert(address, node);
    }
    for check in expanded.checks {
        let address = check.address.clone();
        let node = Node {
            address: address.clone(),
            span: Some(check.span),
            stage: Some(Stage::Verify),
            early: true,
            what: What::Check(Box::new(check)),
        };
        nodes.insert(address, node);
    }
    let gate = gate.then(|| (cutover(), Some(Stage::Dns)));
    let barriers = barriers
        .into_iter()
        .map(|stage| (barrier(stage), Some(stage)));
    for (address, stage) in barriers.chain(gate) {
        let node = Node {
            address: address.clone(),
            span: None,
            stage,
            early: false,
            what: What::Barrier,
        };
        nodes.insert(address, node);
    }
    let edges = builder
        .edges
        .into_iter()
        .filter(|e| nodes.contains_key(&e.before))
        .collect();
    Ok(Graph {
        nodes,
        edges,
        targets: expanded.targets,
        exprs: expanded.exprs,
        outputs: expanded.outputs,
        findings,
    })
}

struct Builder {
    diags: Diagnostics,
    edges: BTreeSet<Edge>,
    stages: BTreeMap<Address, Stage>,
}

impl Builder {
    /// Where runs are kept must be there whatever is lost, and before the first step.
    fn run_store(&mut self, module: &Module, targets: &BTreeMap<ConnId, TargetPlan>) {
        let Some(store) = &module.recovery.run_store else {
            return;
        };
        let Some(target) = targets.get(&store.conn) else {
            return;
        };
        let why = match (&target.lost, target.made_by.first()) {
            (Some(domain), _) => format!("`{}` lies in `{domain}`, which is lost", store.conn),
            (None, Some(step)) => format!("`{}` is known only after `{step}`", store.conn),
            (None, None) => return,
        };
        self.diags.push(
            Diagnostic::error(Code::BadRunStore, "runs cannot be kept here")
                .label(store.span, why)
                .hint("keep runs in a place that outlives every disaster of this spec"),
        );
    }

    fn edge(&mut self, before: &Address, after: &Address, why: EdgeWhy) {
        if before != after {
            self.edges.insert(Edge {
                before: before.clone(),
                after: after.clone(),
                why,
            });
        }
    }

    fn uses(
        &mut self,
        after: &Address,
        uses: &BTreeMap<Address, Span>,
        depends_on: &BTreeMap<Address, Span>,
    ) {
        for (before, span) in uses {
            self.edge(before, after, EdgeWhy::Reference { span: *span });
        }
        for (before, span) in depends_on {
            self.edge(before, after, EdgeWhy::DependsOn { span: *span });
        }
    }

    fn providers(&mut self, instance: &Instance, targets: &BTreeMap<ConnId, TargetPlan>) {
        for conn in instance.want.roles.values() {
            let Some(target) = targets.get(conn) else {
                continue;
            };
            for before in &target.made_by {
                self.edge(
                    before,
                    &instance.address,
                    EdgeWhy::Provider {
                        conn: conn.to_string(),
                    },
                );
            }
        }
    }

    /// The effective stage: the explicit one, else the later of the kind's default and the stages of
    /// what it refers to. Instances come in order of evaluation, so those are known.
    fn stage(&mut self, instance: &Instance, ordering: Ordering) {
        let address = &instance.address;
        let latest = instance
            .uses
            .keys()
            .chain(instance.depends_on.keys())
            .filter_map(|a| self.stages.get(a).map(|stage| (*stage, a)))
            .max();
        if instance.address.is_data() {
            if let Some((stage, _)) = latest {
                self.stages.insert(address.clone(), stage);
            }
            return;
        }
        let stage = match (instance.stage, instance.def().stage) {
            (Some((explicit, span)), _) => {
                if let Some((later, who)) = latest.filter(|(later, _)| *later > explicit) {
                    self.diags.push(
                        Diagnostic::error(
                            Code::StageOrder,
                            format!(
                                "`{address}` is of stage `{}` but refers to `{who}` of the later stage `{}`",
                                explicit.as_str(),
                                later.as_str()
                            ),
                        )
                        .label(span, "said here")
                        .hint(format!("write stage = \"{}\" or later", later.as_str())),
                    );
                }
                explicit
            }
            (None, Some(default)) => latest.map_or(default, |(later, _)| later.max(default)),
            (None, None) => {
                if ordering == Ordering::Staged {
                    self.diags.push(
                        Diagnostic::error(
                            Code::MissingStage,
                            format!("`{address}` must say its stage"),
                        )
                        .label(instance.span, "this kind has no default stage")
                        .hint("add stage = \"infra\" or stage = \"apps\""),
                    );
                }
                latest.map_or(Stage::Infra, |(later, _)| later)
            }
        };
        self.stages.insert(address.clone(), stage);
    }

    /// Joins needs with gives; a need that neither the spec nor the live world gives is an error, or a
    /// note where a program of the spec may give it.
    fn needs(&mut self, expanded: &Expanded) {
        let mut givers: BTreeMap<&Cap, Vec<&Address>> = BTreeMap::new();
        for instance in &expanded.instances {
            for (cap, _) in &instance.wires.gives {
                let list = givers.entry(cap).or_default();
                if list.last() != Some(&&instance.address) {
                    list.push(&instance.address);
                }
            }
        }
        let runs_programs = expanded.instances.iter().any(|i| {
            i.looked.as_ref().is_none_or(|l| match &l.planned {
                Planned::Step(p) => p.action == drplan_api::Action::Run,
                _ => false,
            })
        });
        for instance in &expanded.instances {
            for (cap, because) in &instance.wires.needs {
                let found = givers.get(cap).map_or(&[][..], |list| &list[..]);
                for before in found {
                    let what = format!("{} `{}`", cap.space.replace('_', " "), cap.key);
                    self.edge(
                        before,
                        &instance.address,
                        EdgeWhy::Needs {
                            what,
                            because: because.to_string(),
                        },
                    );
                }
                let idle = instance
                    .looked
                    .as_ref()
                    .is_some_and(|l| matches!(l.planned, Planned::Nothing(_)));
                // What makes the target, or a program after it, may bring it along.
                let known = cap.conn.as_ref().is_none_or(|conn| {
                    expanded
                        .targets
                        .get(conn)
                        .is_some_and(|t| t.made_by.is_empty() && t.lost.is_none())
                });
                // Of what cannot be read nobody can say that something is missing there: the step is blocked, and
                // tells why.
                let is_unreadable = instance.looked.as_ref().is_some_and(|l| l.present.is_err());
                let is_given = !found.is_empty() || instance.wires.already.contains(cap);
                if is_given || idle || !known || is_unreadable {
                    continue;
                }
                let on = cap
                    .conn
                    .as_ref()
                    .map(|c| format!(" on `{c}`"))
                    .unwrap_or_default();
                let message = format!(
                    "nothing provides the {} `{}`{on}",
                    cap.space.replace('_', " "),
                    cap.key
                );
                let d = if runs_programs || instance.looked.is_none() {
                    Diagnostic::warning(Code::NothingGives, message)
                        .hint("if a `command` makes it, name that in `depends_on`")
                } else {
                    Diagnostic::error(Code::NothingGives, message)
                        .hint("add the resource that makes it, or make it by hand first")
                };
                self.diags.push(
                    d.label(
                        instance.span,
                        format!("`{}` needs it: {because}", instance.address),
                    )
                    .address(instance.address.as_str()),
                );
            }
        }
    }

    fn barriers(&mut self, expanded: &Expanded) -> BTreeSet<Stage> {
        let members: Vec<(Address, Stage)> = expanded
            .instances
            .iter()
            .filter(|i| !i.address.is_data() && !runs_early(i) && i.guards.is_empty())
            .filter_map(|i| Some((i.address.clone(), *self.stages.get(&i.address)?)))
            .collect();
        let used: BTreeSet<Stage> = members.iter().map(|(_, stage)| *stage).collect();
        let fronts: BTreeSet<Stage> = used.iter().skip(1).copied().collect();
        let next = |stage: Stage| fronts.iter().copied().find(|s| *s > stage);
        for (address, stage) in &members {
            if fronts.contains(stage) {
                self.edge(&barrier(*stage), address, EdgeWhy::Stage);
            }
            if let Some(next) = next(*stage) {
                self.edge(address, &barrier(next), EdgeWhy::Stage);
            }
        }
        for stage in &fronts {
            if let Some(next) = next(*stage) {
                self.edge(&barrier(*stage), &barrier(next), EdgeWhy::Stage);
            }
        }
        fronts
    }

    /// Every cutover waits for all checks that do not themselves depend on one.
    fn cutover(&mut self, expanded: &Expanded) -> bool {
        let cutovers: BTreeSet<Address> = expanded
            .instances
            .iter()
            .filter(|i| i.def().cutover)
            .map(|i| i.address.clone())
            .collect();
        if cutovers.is_empty() {
            return false;
        }
        let mut next: BTreeMap<&Address, Vec<&Address>> = BTreeMap::new();
        for edge in self.edges.iter().filter(|e| e.why != EdgeWhy::Stage) {
            next.entry(&edge.before).or_default().push(&edge.after);
        }
        let mut behind: BTreeSet<&Address> = BTreeSet::new();
        let mut open: Vec<&Address> = cutovers.iter().collect();
        while let Some(address) = open.pop() {
            for after in next.get(address).into_iter().flatten() {
                if behind.insert(after) {
                    open.push(after);
                }
            }
        }
        let checks: Vec<Address> = expanded
            .checks
            .iter()
            .map(|c| &c.address)
            .chain(
                expanded
                    .instances
                    .iter()
                    .filter(|i| runs_early(i))
                    .map(|i| &i.address),
            )
            .filter(|a| !behind.contains(a))
            .cloned()
            .collect();
        for check in &checks {
            self.edge(check, &cutover(), EdgeWhy::Cutover);
        }
        for address in &cutovers {
            self.edge(&cutover(), address, EdgeWhy::Cutover);
        }
        true
    }

    /// What ends something comes after all that begin it, except after what waits for the end itself:
    /// that begins it anew.
    fn ends(&mut self, expanded: &Expanded) {
        for instance in &expanded.instances {
            for (cap, _) in &instance.wires.ends {
                let later = self.behind(&instance.address);
                for other in &expanded.instances {
                    let mut begins = other.wires.begins.iter();
                    if let Some((_, because)) = begins.find(|(begun, _)| begun == cap)
                        && !later.contains(&other.address)
                    {
                        let because = because.to_string();
                        let why = EdgeWhy::Ends { because };
                        self.edge(&other.address, &instance.address, why);
                    }
                }
            }
        }
    }

    /// All that waits for a node, itself included. Cost: linear in the edges.
    fn behind(&self, address: &Address) -> BTreeSet<Address> {
        let mut next: BTreeMap<&Address, Vec<&Address>> = BTreeMap::new();
        for edge in &self.edges {
            next.entry(&edge.before).or_default().push(&edge.after);
        }
        let mut out = BTreeSet::from([address.clone()]);
        let mut open = vec![address];
        while let Some(address) = open.pop() {
            for after in next.get(address).into_iter().flatten() {
                if out.insert((*after).clone()) {
                    open.push(after);
                }
            }
        }
        out
    }

    /// Of the guards of one step, those that only ask go before those that act.
    fn questions_first(&mut self, expanded: &Expanded) {
        let mut by_guarded: BTreeMap<&Address, (Vec<&Address>, Vec<&Address>)> = BTreeMap::new();
        for instance in &expanded.instances {
            for guarded in &instance.guards {
                let (asking, acting) = by_guarded.entry(guarded).or_default();
                if instance.def().envelope.is_empty() {
                    asking.push(&instance.address);
                } else {
                    acting.push(&instance.address);
                }
            }
        }
        for (asking, acting) in by_guarded.into_values() {
            for ask in asking {
                for act in &acting {
                    self.edge(ask, act, EdgeWhy::Guard);
                }
            }
        }
    }

    /// A guard goes before what it guards, and after everything that that waits for, so that a person is
    /// asked when the answer matters.
    fn guards(&mut self, expanded: &Expanded) {
        let guards: BTreeSet<&Address> = expanded
            .instances
            .iter()
            .filter(|i| !i.guards.is_empty())
            .map(|i| &i.address)
            .collect();
        if guards.is_empty() {
            return;
        }
        let mut before: BTreeMap<Address, Vec<Address>> = BTreeMap::new();
        let mut behind: BTreeMap<Address, Vec<Address>> = BTreeMap::new();
        for edge in &self.edges {
            behind
                .entry(edge.before.clone())
                .or_default()
                .push(edge.after.clone());
            if !guards.contains(&edge.before) {
                before
                    .entry(edge.after.clone())
                    .or_default()
                    .push(edge.before.clone());
            }
        }
        self.questions_first(expanded);
        for instance in &expanded.instances {
            // What itself waits for something guarded cannot go before the guard.
            let mut later: BTreeSet<&Address> = instance.guards.iter().collect();
            let mut open: Vec<&Address> = instance.guards.iter().collect();
            while let Some(address) = open.pop() {
                open.extend(
                    behind
                        .get(address)
                        .into_iter()
                        .flatten()
                        .filter(|a| later.insert(a)),
                );
            }
            let mut stage = None;
            for guarded in &instance.guards {
                for first in before.get(guarded).into_iter().flatten() {
                    if !later.contains(first) {
                        self.edge(first, &instance.address, EdgeWhy::Guard);
                    }
                }
                self.edge(&instance.address, guarded, EdgeWhy::Guard);
                let of = self.stages.get(guarded).copied();
                stage = match (stage, of) {
                    (Some(a), Some(b)) => Some(std::cmp::min(a, b)),
                    (a, b) => a.or(b),
                };
            }
            if let (false, Some(stage)) = (instance.guards.is_empty(), stage) {
                self.stages.insert(instance.address.clone(), stage);
            }
        }
    }
}
