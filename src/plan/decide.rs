//! The decision about the whole: a pure function of graph, facts and options.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use drplan_api::Address;
use drplan_api::Facts;
use drplan_api::Hazard;
use drplan_api::Json;
use drplan_api::Lack;
use drplan_api::Looked;
use drplan_api::Mode;
use drplan_api::Planned;
use drplan_api::Registry;
use drplan_api::SecretRef;
use drplan_api::TargetState;
use drplan_api::Timestamp;
use drplan_api::holes;

use super::doubts::doubts;
use super::forecast::expected;
use super::forecast::forecast;
use super::history::History;
use super::policy::Policy;
use super::select::Selection;
use super::select::select;
use super::step::Declared;
use super::step::Do;
use super::step::FORMAT;
use super::step::Finding;
use super::step::Given;
use super::step::Head;
use super::step::Hypothesis;
use super::step::OVERWRITES;
use super::step::Plan;
use super::step::PlanEdge;
use super::step::Point;
use super::step::RunStorePin;
use super::step::Step;
use super::step::Sure;
use super::step::TargetPin;
use super::step::Where;
use crate::diag::Diagnostic;
use crate::diag::Diagnostics;
use crate::diag::Severity;
use crate::diag::Sources;
use crate::graph::EdgeWhy;
use crate::graph::Graph;
use crate::graph::Instance;
use crate::graph::Node;
use crate::graph::STEP_TIMEOUT;
use crate::graph::What;
use crate::graph::order;
use crate::lang::Span;
use crate::lang::each_secret;
use crate::spec::Module;

/// How long a check may take.
const CHECK_TIMEOUT_S: u64 = 60;

/// What the plan is told besides graph and facts.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// When the facts were read.
    pub observed_at: Timestamp,
    /// The zero of all ages, if given.
    pub incident_at: Option<Timestamp>,
    /// Domains that a person declared lost.
    pub lost: Vec<String>,
    /// Who declared them lost, and when.
    pub declared: Option<Declared>,
    /// The disaster that is planned for, if it has not happened.
    pub hypothesis: Option<Hypothesis>,
    /// How long steps took before.
    pub history: History,
    /// What of the spec is planned.
    pub selection: Selection,
    /// What the plan may not do.
    pub policy: Policy,
    /// Recovery points that a person chose, by data source.
    pub points: BTreeMap<Address, String>,
    /// Addresses whose foreign data may be overwritten.
    pub accept: Vec<String>,
    /// Digests of the spec's files.
    pub spec: BTreeMap<String, String>,
    /// Digests of other files.
    pub files: BTreeMap<String, String>,
    /// Digests of variables.
    pub variables: BTreeMap<String, String>,
    /// How variables got their values.
    pub given: Given,
}

/// Makes the plan.
///
/// # Errors
///
/// Cycles.
pub fn plan(
    module: &Module,
    registry: &Registry,
    mut graph: Graph,
    facts: &Facts,
    sources: &Sources,
    options: &Options,
) -> Result<Plan, Diagnostics> {
    let ordered = order(&graph)?;
    let index: BTreeMap<&Address, usize> = ordered
        .list
        .iter()
        .enumerate()
        .map(|(i, a)| (a, i))
        .collect();
    let mut edges: Vec<PlanEdge> = graph
        .edges
        .iter()
        .filter_map(|e| {
            let (before, after) = (*index.get(&e.before)?, *index.get(&e.after)?);
            Some(PlanEdge {
                before,
                after,
                why: e.why.clone(),
            })
        })
        .collect();
    edges.sort();
    let mut steps = Vec::with_capacity(ordered.list.len());
    let mut early = Vec::with_capacity(ordered.list.len());
    let mut points = Vec::new();
    let mut redone = BTreeSet::new();
    for address in &ordered.list {
        let Some(node) = graph.nodes.remove(address) else {
            continue;
        };
        if let What::Resource(instance) = &node.what {
            points.extend(points_of(instance, module, options));
            redone.extend(instance.redone.then(|| instance.address.clone()));
        }
        early.push(node.early);
        let wave = ordered.waves.get(address).copied().unwrap_or_default();
        let declared = match &node.what {
            What::Resource(instance) => instance.expected,
            _ => None,
        };
        let mut step = step(node, wave, facts, sources);
        let declared_ms = declared.map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX));
        step.expected = expected(&step, declared_ms, &options.history);
        steps.push(step);
    }
    let mut plan = Plan {
        head: head(module, registry, options, &steps),
        targets: graph.targets.values().map(|t| target(t, facts)).collect(),
        exprs: Vec::new(),
        steps,
        edges,
        points,
        findings: graph
            .findings
            .into_iter()
            .map(|d| finding(&d, sources))
            .collect(),
        forecast: None,
        outputs: graph.outputs,
    };
    plan.exprs = graph.exprs.into_list();
    select(&mut plan, &options.selection, &early);
    let acting = plan.steps.iter().filter(|s| s.action().is_some());
    let again = acting.map(|s| &s.address).filter(|a| redone.contains(*a));
    plan.head.redo = again.cloned().collect();
    block_dependents(&mut plan);
    ends_later(&mut plan, registry);
    idle_guards(&mut plan);
    accepted(&mut plan);
    mark_used_points(&mut plan);
    doubts(&mut plan);
    plan.head.secrets = secrets(&plan);
    plan.forecast = forecast(&plan);
    Ok(plan)
}

fn head(module: &Module, registry: &Registry, options: &Options, steps: &[Step]) -> Head {
    let used: BTreeSet<&str> = steps.iter().map(|s| s.kind.as_str()).collect();
    Head {
        format: FORMAT.to_owned(),
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        recovery: module.recovery.name.clone(),
        observed_at: options.observed_at,
        incident_at: options.incident_at,
        lost: options.lost.clone(),
        declared: options.declared.clone(),
        hypothesis: options.hypothesis.clone(),
        partial: None,
        policy: options.policy.clone(),
        points: options.points.clone(),
        accept: options.accept.clone(),
        redo: Vec::new(),
        rpo_s: module.recovery.rpo.map(|d| d.as_secs()),
        rto_s: module.recovery.rto.map(|d| d.as_secs()),
        spec: options.spec.clone(),
        files: options.files.clone(),
        variables: options.variables.clone(),
        given: options.given.clone(),
        secrets: Vec::new(),
        kinds: registry
            .resources()
            .map(|k| k.def())
            .filter(|d| used.contains(d.name))
            .map(|d| (d.name.to_owned(), d.op_version))
            .collect(),
        contacts: module.recovery.contacts.clone(),
        run_store: module.recovery.run_store.as_ref().map(|store| RunStorePin {
            conn: store.conn.clone(),
            bucket: store.bucket.clone(),
            prefix: store.prefix.clone(),
        }),
        reverts: None,
        releases: false,
    }
}

fn target(target: &crate::graph::TargetPlan, facts: &Facts) -> TargetPin {
    let identity = match facts.targets.get(&target.conn) {
        Some(TargetState::Ready(id)) => Some(id.clone()),
        _ => None,
    };
    TargetPin {
        conn: target.conn.clone(),
        config: target.config.clone(),
        identity,
        made_by: target.made_by.iter().cloned().collect(),
        made_with: target.made_with.iter().cloned().collect(),
        lost: target.lost.clone(),
    }
}

fn place(span: Option<Span>, sources: &Sources) -> Option<Where> {
    let (file, line, _) = sources.line_column(span?);
    Some(Where {
        file: file.to_owned(),
        line,
    })
}

fn finding(d: &Diagnostic, sources: &Sources) -> Finding {
    let mut message = d.message.clone();
    if let Some(label) = d.labels.first().filter(|l| !l.text.is_empty()) {
        message = format!("{message}; {}", label.text);
    }
    Finding {
        code: d.code.as_str().to_owned(),
        severity: match d.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
        .to_owned(),
        address: d.address.clone(),
        message,
        at: place(d.labels.first().map(|l| l.span), sources),
        hints: d.hints.clone(),
    }
}

fn blank(node: &Node, wave: usize, sources: &Sources) -> Step {
    Step {
        address: node.address.clone(),
        at: place(node.span, sources),
        kind: String::new(),
        stage: node.stage,
        wave,
        what: Do::Barrier,
        because: String::new(),
        diff: Vec::new(),
        hazard: Hazard::none(),
        sure: Sure::Exact,
        breakdown: None,
        warnings: Vec::new(),
        manual: Vec::new(),
        want: None,
        outputs: Json::Null,
        expected: None,
        timeout_s: STEP_TIMEOUT.as_secs(),
        best_effort: false,
        guards: Vec::new(),
        cutover: false,
        leaves: None,
    }
}

fn step(node: Node, wave: usize, facts: &Facts, sources: &Sources) -> Step {
    let mut step = blank(&node, wave, sources);
    match node.what {
        What::Barrier => {
            step.kind = "barrier".to_owned();
            step.because = "everything before this stage is done".to_owned();
        }
        What::Check(check) => {
            step.kind = "check".to_owned();
            step.timeout_s = CHECK_TIMEOUT_S;
            step.because = "the spec asserts it".to_owned();
            step.what = Do::Check {
                asserts: check.asserts,
                warning: check.warning,
            };
        }
        What::Resource(instance) => resource(&mut step, *instance, facts),
    }
    step
}

fn resource(step: &mut Step, mut instance: Instance, facts: &Facts) {
    let kind = Arc::clone(&instance.kind);
    let def = kind.def();
    step.kind = def.name.to_owned();
    step.best_effort = instance.best_effort;
    step.cutover = def.cutover;
    if let Some(timeout) = instance.timeout {
        step.timeout_s = timeout.as_secs().max(1);
    }
    match instance.looked.take() {
        None => late(step, &instance),
        Some(looked) => {
            if let Some(by) = target_to_come(&instance, facts) {
                step.sure = Sure::Approximate { by };
            }
            decided(step, looked);
        }
    }
    step.guards = instance.guards;
    let begins = instance.wires.begins.first();
    step.leaves = begins.map(|(_, because)| because.to_string());
    step.want = Some(instance.want);
}

fn late(step: &mut Step, instance: &Instance) {
    let def = instance.def();
    let names: Vec<String> = instance
        .waits_for
        .iter()
        .map(|a| format!("`{a}`"))
        .collect();
    step.because = if names.is_empty() {
        "it is read when its turn comes".to_owned()
    } else {
        format!("known after {}", names.join(", "))
    };
    step.sure = Sure::Unknown {
        until: instance.waits_for.clone(),
    };
    step.what = match def.mode {
        Mode::Data => Do::Read,
        // What guards and does nothing by itself asks somebody.
        Mode::Guard if def.envelope.is_empty() => Do::Gate {
            ask: match names.is_empty() {
                true => "what is asked is read when its turn comes".to_owned(),
                false => format!("what is asked is {}", step.because),
            },
        },
        _ => Do::Late {
            actions: def.envelope.to_vec(),
            hazard_max: def.hazard_max,
        },
    };
}

fn decided(step: &mut Step, looked: Looked) {
    step.outputs = looked.outputs;
    step.breakdown = looked.notes.breakdown;
    step.warnings = looked.notes.warnings;
    step.manual = looked.notes.manual;
    match looked.planned {
        Planned::Nothing(because) => {
            step.because = because.0;
            step.what = Do::Nothing;
        }
        Planned::Gate { ask, because } => {
            step.because = because.0;
            step.what = Do::Gate { ask };
        }
        Planned::Conflict(because, changes) => {
            step.because = because.0;
            step.diff = changes;
            step.what = Do::Conflict;
        }
        Planned::Blocked(because) => {
            step.because = because.0;
            step.what = Do::Blocked {
                unreadable: looked.present.is_err(),
            };
        }
        Planned::Step(p) => {
            step.because = p.because.0;
            step.diff = p.diff;
            step.hazard = p.hazard;
            step.what = Do::Act {
                action: p.action,
                op: p.op,
                effects: p.effects,
                binding: p.binding,
            };
        }
    }
}

/// The steps that make one of the resource's targets, if one of them is not there yet.
fn target_to_come(instance: &Instance, facts: &Facts) -> Option<Vec<Address>> {
    instance
        .want
        .roles
        .values()
        .find_map(|conn| match Lack::of(facts.targets.get(conn)?)? {
            Lack::Target { made_by } => Some(made_by),
            _ => None,
        })
}

fn points_of(instance: &Instance, module: &Module, options: &Options) -> Vec<Point> {
    let Some(looked) = &instance.looked else {
        return Vec::new();
    };
    let zero = options.incident_at.unwrap_or(options.observed_at);
    looked
        .notes
        .points
        .iter()
        .enumerate()
        .map(|(i, point)| {
            let loss_s = u64::try_from(zero.duration_since(point.at).as_secs()).unwrap_or(0);
            Point {
                address: instance.address.clone(),
                of: point.of.clone(),
                id: point.id.clone(),
                at: point.at,
                loss_s,
                incomplete: point.incomplete.clone(),
                unusable: point.unusable.clone(),
                bytes: point.bytes,
                // A data source names the point that it took first.
                chosen: i == 0,
                violates_rpo: module
                    .recovery
                    .rpo
                    .is_some_and(|rpo| loss_s > rpo.as_secs()),
                used: false,
            }
        })
        .collect()
}

/// What waits for a conflict or for something blocked is blocked too, and says by which step at the
/// root. Barriers only pass it on.
fn block_dependents(plan: &mut Plan) {
    let mut roots: Vec<Option<Address>> = vec![None; plan.steps.len()];
    for (i, before) in plan.before().into_iter().enumerate() {
        let step = &plan.steps[i];
        if matches!(step.what, Do::Nothing) {
            continue;
        }
        if matches!(step.what, Do::Conflict | Do::Blocked { .. }) {
            roots[i] = (!step.best_effort).then(|| step.address.clone());
            continue;
        }
        let Some(root) = before.into_iter().find_map(|b| roots[b].clone()) else {
            continue;
        };
        let step = &mut plan.steps[i];
        if step.what != Do::Barrier {
            step.because = format!("it waits for `{root}`, which cannot go on");
            step.what = Do::Blocked { unreadable: false };
        }
        roots[i] = Some(root);
    }
}

/// What ends something does not find all of it before it has begun: if a step of this plan begins it, the
/// end is decided when its turn comes.
fn ends_later(plan: &mut Plan, registry: &Registry) {
    let idle: BTreeSet<usize> = idle(plan).into_iter().collect();
    let mut begun: BTreeMap<usize, Vec<Address>> = BTreeMap::new();
    for edge in &plan.edges {
        let before = &plan.steps[edge.before];
        let begins = matches!(edge.why, EdgeWhy::Ends { .. }) && acts(before);
        if begins && !idle.contains(&edge.before) {
            let list = begun.entry(edge.after).or_default();
            list.push(before.address.clone());
        }
    }
    for (i, until) in begun {
        let step = &mut plan.steps[i];
        let Some(kind) = registry.get_resource(&step.kind) else {
            continue;
        };
        let names: Vec<String> = until.iter().map(|a| format!("`{a}`")).collect();
        step.because = match step.what {
            Do::Nothing => format!("known after {}", names.join(", ")),
            Do::Act { .. } => format!("{}; more after {}", step.because, names.join(", ")),
            _ => continue,
        };
        step.sure = Sure::Unknown { until };
        step.what = Do::Late {
            actions: kind.def().envelope.to_vec(),
            hazard_max: kind.def().hazard_max,
        };
    }
}

/// Whether a step does something, or asks somebody.
fn acts(step: &Step) -> bool {
    match &step.what {
        Do::Act { .. } | Do::Gate { .. } => true,
        Do::Late { actions, .. } => !actions.is_empty(),
        _ => false,
    }
}

/// The guards that stay out: nothing that they guard has an action. A guard that guards another one
/// counts only if that one stays in, so the last ones are judged first.
fn idle(plan: &Plan) -> Vec<usize> {
    let mut acting: BTreeSet<&Address> = BTreeSet::new();
    let mut idle = Vec::new();
    for (i, step) in plan.steps.iter().enumerate().rev() {
        if !step.guards.is_empty() && !step.guards.iter().any(|a| acting.contains(a)) {
            idle.push(i);
        } else if acts(step) {
            acting.insert(&step.address);
        }
    }
    idle
}

/// A guard acts only around others: without an action to guard it stays out.
fn idle_guards(plan: &mut Plan) {
    for i in idle(plan) {
        let step = &mut plan.steps[i];
        step.what = Do::Idle;
        step.because = "nothing that it guards has an action".to_owned();
        step.warnings.clear();
    }
}

/// That a person accepted what a step overwrites must show. At a target that is not there yet nobody can see
/// now what that is; it must show all the same.
fn accepted(plan: &mut Plan) {
    let accept = &plan.head.accept;
    let is_accepted = |step: &&mut Step| accept.iter().any(|a| a == step.address.as_str());
    for step in plan.steps.iter_mut().filter(is_accepted) {
        if step.changes_what_is_there() {
            step.because.insert_str(0, OVERWRITES);
        } else if step.sure != Sure::Exact && step.is_action() {
            step.hazard =
                Hazard::irreversible("what is found in the way is overwritten, as was accepted");
        }
    }
}

/// A point is used if a step that acts waits for its data source by reference.
fn mark_used_points(plan: &mut Plan) {
    let mut used = BTreeSet::new();
    for edge in &plan.edges {
        let (before, after) = (&plan.steps[edge.before], &plan.steps[edge.after]);
        let reference = matches!(edge.why, EdgeWhy::Reference { .. });
        if reference && after.is_action() {
            used.insert(before.address.clone());
        }
    }
    for point in plan.points.iter_mut().filter(|p| p.chosen) {
        point.used = used.contains(&point.address);
    }
}

/// The sensitive variables that some hole of the plan starts at.
fn secrets(plan: &Plan) -> Vec<String> {
    let mut used = BTreeSet::new();
    let wants = plan
        .steps
        .iter()
        .filter_map(|s| s.want.as_ref())
        .map(|w| &w.args);
    for json in wants.chain(plan.targets.iter().map(|t| &t.config)) {
        for (_, hole) in holes(json) {
            used.insert(hole.expr);
        }
    }
    let mut names = BTreeSet::new();
    for expr in used.into_iter().filter_map(|i| plan.exprs.get(i)) {
        each_secret(expr, &mut |secret| {
            if let SecretRef::Variable(name) = secret {
                names.insert(name.clone());
            }
        });
    }
    names.into_iter().collect()
}
