//! Expansion: evaluates every block in order, lets kinds look at the facts, and asks for what is
//! missing. Pure: called again with more facts until nothing is missing.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use drplan_api::Address;
use drplan_api::ConnId;
use drplan_api::Def;
use drplan_api::DynKind;
use drplan_api::Facts;
use drplan_api::Json;
use drplan_api::Looked;
use drplan_api::Query;
use drplan_api::RawWant;
use drplan_api::Registry;
use drplan_api::Stage;
use drplan_api::Timestamp;
use drplan_api::Wires;

use super::block::check;
use super::block::named_blocks;
use super::block::provider;
use super::blocks::BlockId;
use super::blocks::ordered;
use super::connections::choose_connections;
use super::exprs::Exprs;
use super::files::SpecFiles;
use super::gone::Gone;
use super::gone::gone;
use super::instance::Work;
use super::scope::Instances;
use super::scope::Looking;
use super::scope::Uses;
use super::scope::World;
use super::targets::TargetAsk;
use super::targets::TargetPlan;
use crate::diag::Code;
use crate::diag::Diagnostic;
use crate::diag::Diagnostics;
use crate::lang::Expr;
use crate::lang::Span;
use crate::lang::Value;
use crate::spec::Module;
use crate::spec::nearest;
use crate::spec::variables::Bound;

/// How long a step may take if the spec does not say it.
pub(crate) const STEP_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// Everything that planning depends on besides the facts.
pub struct Situation<'a> {
    /// The spec.
    pub module: &'a Module,
    /// The kinds.
    pub registry: &'a Registry,
    /// Values of variables.
    pub bound: &'a Bound,
    /// Files that expressions name.
    pub files: &'a SpecFiles,
    /// Every failure domain that a person declared lost.
    pub lost: &'a BTreeSet<String>,
    /// Every failure domain that is assumed lost, to see what a recovery would do.
    pub assumed: &'a BTreeSet<String>,
    /// Addresses whose foreign data may be overwritten.
    pub accept: &'a BTreeSet<String>,
    /// Steps, or blocks of steps, that are done again though they are true.
    pub redo: &'a BTreeSet<String>,
    /// Recovery points that a person chose.
    pub points: &'a BTreeMap<Address, String>,
    /// When the facts were read.
    pub observed_at: Timestamp,
    /// The zero of all ages, if given.
    pub incident_at: Option<Timestamp>,
    /// Whether nothing is read: every export is unknown.
    pub offline: bool,
}

/// One resource or data source.
pub struct Instance {
    /// Its address.
    pub address: Address,
    /// The header of its block.
    pub span: Span,
    /// Its kind.
    pub kind: Arc<dyn DynKind>,
    /// Its arguments and connections.
    pub want: RawWant,
    /// What its arguments use, with where.
    pub uses: Uses,
    /// What `depends_on` names, with where.
    pub depends_on: Uses,
    /// What it guards.
    pub guards: Vec<Address>,
    /// The explicit stage.
    pub stage: Option<(Stage, Span)>,
    /// The explicit time-out.
    pub timeout: Option<Duration>,
    /// How long it takes, by the spec.
    pub expected: Option<Duration>,
    /// Whether its failure is tolerated.
    pub best_effort: bool,
    /// What the kind said; `None` if arguments are not known yet.
    pub looked: Option<Looked>,
    /// Whether it is true and done again all the same.
    pub redone: bool,
    /// Which steps its arguments wait for, if it could not be looked at.
    pub waits_for: Vec<Address>,
    /// What it needs and gives.
    pub wires: Wires,
}

impl Instance {
    /// The declaration of its kind.
    pub fn def(&self) -> &Def {
        self.kind.def()
    }
}

/// What must be fetched before the next round.
#[derive(Debug, Default)]
pub struct Asks {
    /// Questions.
    pub queries: BTreeSet<Query>,
    /// Connections to open or to note as absent.
    pub targets: BTreeMap<ConnId, TargetAsk>,
    /// The residual expressions that holes in the targets' arguments name.
    pub exprs: Vec<Arc<Expr>>,
}

/// The outcome of one round.
pub enum Round {
    /// Everything is known that can be known now.
    Ready(Box<Expanded>),
    /// Something must be fetched first.
    Need(Asks),
}

/// A fully expanded spec.
#[derive(Default)]
pub struct Expanded {
    /// Resources and data sources in order of evaluation.
    pub instances: Vec<Instance>,
    /// Checks: address, span, condition and message as JSON with holes, uses.
    pub checks: Vec<CheckInstance>,
    /// Outputs as JSON with holes.
    pub outputs: BTreeMap<String, Json>,
    /// Connections.
    pub targets: BTreeMap<ConnId, TargetPlan>,
    /// Residual expressions.
    pub exprs: Exprs,
    /// Warnings.
    pub findings: Diagnostics,
    /// The failure domains that resources name.
    pub domains: BTreeSet<String>,
}

/// One check.
pub struct CheckInstance {
    /// Its address.
    pub address: Address,
    /// The header.
    pub span: Span,
    /// Condition and message, as JSON with holes.
    pub asserts: Vec<(Json, Json)>,
    /// Whether a failure is only a warning.
    pub warning: bool,
    /// What it uses.
    pub uses: Uses,
    /// What `depends_on` names.
    pub depends_on: Uses,
}

/// Keeps what was finished between rounds, so that the cost of all rounds together is linear in the
/// size of the spec plus what each round adds.
pub struct Expander<'a> {
    situation: &'a Situation<'a>,
    order: Vec<BlockId>,
    roles: BTreeMap<Address, BTreeMap<String, ConnId>>,
    exports: BTreeMap<Address, Instances>,
    /// Blocks whose exports are final.
    settled: BTreeSet<BlockId>,
    /// Blocks that count as gone, whatever answers.
    gone: BTreeMap<Address, Gone>,
    out: Expanded,
    made: BTreeMap<Address, Vec<Instance>>,
}

impl<'a> Expander<'a> {
    /// Orders the blocks.
    ///
    /// # Errors
    ///
    /// Unknown references, cycles, and connections that cannot be chosen.
    pub fn new(situation: &'a Situation<'a>) -> Result<Self, Diagnostics> {
        let (roles, implicit, mut diags) = choose_connections(situation);
        let conns_of = |address: &Address| {
            roles
                .get(address)
                .map(|r| r.values().cloned().collect())
                .unwrap_or_default()
        };
        let order = match ordered(situation.module, conns_of) {
            Ok(order) => order,
            Err(errors) => {
                diags.extend(errors);
                Vec::new()
            }
        };
        let (gone, domains) = gone(situation, &mut diags);
        if diags.has_errors() {
            return Err(diags);
        }
        let mut out = Expanded {
            findings: diags,
            domains,
            ..Expanded::default()
        };
        for conn in implicit {
            let target = TargetPlan {
                conn: conn.clone(),
                config: Json::Object(serde_json::Map::new()),
                made_by: BTreeSet::new(),
                made_with: BTreeSet::new(),
                domains: Vec::new(),
                lost: None,
                span: None,
            };
            out.targets.insert(conn, target);
        }
        Ok(Self {
            situation,
            order,
            roles,
            exports: BTreeMap::new(),
            settled: BTreeSet::new(),
            gone,
            out,
            made: BTreeMap::new(),
        })
    }

    /// Evaluates everything that is not settled yet.
    ///
    /// # Errors
    ///
    /// All mistakes of the spec that show while evaluating.
    pub fn round(mut self, facts: &Facts) -> Result<(Option<Self>, Round), Diagnostics> {
        let mut state = RoundState::default();
        let locals = RefCell::new(BTreeMap::new());
        let order = std::mem::take(&mut self.order);
        for id in order.iter().filter(|id| !matches!(id, BlockId::Local(_))) {
            if !self.settled.contains(id) {
                self.block(id, facts, &locals, &mut state);
            }
        }
        self.order = order;
        if state.diags.has_errors() {
            return Err(state.diags.distinct());
        }
        if !state.asks.queries.is_empty() || !state.asks.targets.is_empty() {
            state.asks.exprs = self.out.exprs.list().to_vec();
            return Ok((Some(self), Round::Need(state.asks)));
        }
        let mut out = self.out;
        out.findings.extend(state.diags);
        for id in &self.order {
            if let BlockId::Resource(address) = id {
                out.instances
                    .extend(self.made.remove(address).unwrap_or_default());
            }
        }
        let world = World {
            module: self.situation.module,
            bound: self.situation.bound,
            files: self.situation.files,
            exports: &self.exports,
            locals: &locals,
        };
        let unknown = settle_names(self.situation, &world, &mut out);
        if unknown.has_errors() {
            return Err(unknown);
        }
        Ok((None, Round::Ready(Box::new(out))))
    }

    fn block(
        &mut self,
        id: &BlockId,
        facts: &Facts,
        locals: &RefCell<BTreeMap<String, (Value, Uses)>>,
        state: &mut RoundState,
    ) {
        let world = World {
            module: self.situation.module,
            bound: self.situation.bound,
            files: self.situation.files,
            exports: &self.exports,
            locals,
        };
        match id {
            BlockId::Provider(conn) => {
                match provider(self.situation, &world, conn, &mut self.out.exprs) {
                    Ok((target, uses)) => {
                        let pending = uses.keys().any(|a| state.pending.contains(a));
                        if pending {
                            state.pending_conns.insert(conn.clone());
                        } else {
                            self.settled.insert(id.clone());
                            self.out.targets.insert(conn.clone(), target);
                        }
                    }
                    Err(errors) => {
                        state.pending_conns.insert(conn.clone());
                        state.diags.extend(errors);
                    }
                }
            }
            BlockId::Resource(address) => {
                let roles = self.roles.get(address).cloned().unwrap_or_default();
                let mut work = Work {
                    situation: self.situation,
                    world: &world,
                    roles,
                    targets: &self.out.targets,
                    gone: self.gone.get(address),
                    exprs: &mut self.out.exprs,
                    facts,
                    state,
                };
                let (instances, exports, settled) = work.resource(address);
                if settled {
                    self.settled.insert(id.clone());
                }
                self.exports.insert(address.clone(), exports);
                self.made.insert(address.clone(), instances);
            }
            BlockId::Check(address) => {
                let mut diags = Diagnostics::default();
                if let Some(check) = check(
                    self.situation,
                    &world,
                    address,
                    &mut self.out.exprs,
                    &mut diags,
                ) {
                    let pending = check.uses.keys().any(|a| state.pending.contains(a));
                    if !pending {
                        self.settled.insert(id.clone());
                        self.out.checks.push(check);
                        state.diags.extend(diags);
                    }
                } else {
                    state.diags.extend(diags);
                }
            }
            BlockId::Output(name) => {
                let Some(attr) = self.situation.module.outputs.get(name) else {
                    return;
                };
                let looking = Looking::new(&world, None);
                match looking.eval(&attr.expr) {
                    Ok(value) => {
                        let pending = looking
                            .into_uses()
                            .keys()
                            .any(|a| state.pending.contains(a));
                        if !pending {
                            self.settled.insert(id.clone());
                            let json = self.out.exprs.to_json(&value);
                            self.out.outputs.insert(name.clone(), json);
                        }
                    }
                    Err(d) => state.diags.push(d),
                }
            }
            BlockId::Local(_) => {}
        }
    }
}

#[derive(Default)]
pub(super) struct RoundState {
    pub(super) asks: Asks,
    pub(super) diags: Diagnostics,
    /// Instances and blocks whose exports are not final in this round.
    pub(super) pending: BTreeSet<Address>,
    pub(super) pending_conns: BTreeSet<ConnId>,
}

/// Reads what guards name once more, now that the instances of every block are known: what a guard
/// guards may stand behind it in the order. Then nothing may be named that is not there, since an edge
/// to nothing would silently be none.
fn settle_names(situation: &Situation<'_>, world: &World<'_>, out: &mut Expanded) -> Diagnostics {
    let mut diags = Diagnostics::default();
    let known: BTreeSet<Address> = out
        .instances
        .iter()
        .map(|i| i.address.clone())
        .chain(out.checks.iter().map(|c| c.address.clone()))
        .collect();
    let mut missing = Uses::new();
    for instance in &mut out.instances {
        let block = &situation.module.resources[&instance.address.block()];
        let guards = named_blocks(situation, world, block.meta.get("guards"), &mut diags);
        missing.extend(
            guards
                .iter()
                .map(|(address, span)| (address.clone(), *span)),
        );
        missing.extend(instance.depends_on.clone());
        instance.guards = guards.into_keys().collect();
    }
    missing.extend(out.checks.iter().flat_map(|check| check.depends_on.clone()));
    missing.retain(|address, _| !known.contains(address));
    for (address, span) in missing {
        let diag = Diagnostic::error(
            Code::UnknownReference,
            format!("there is no instance `{address}`"),
        )
        .label(span, "named here");
        diags.push(
            match nearest(address.as_str(), known.iter().map(Address::as_str)) {
                Some(near) => diag.hint(format!("did you mean `{near}`?")),
                None => diag,
            },
        );
    }
    diags
}
