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
use drplan_api::ErrorKind;
use drplan_api::Facts;
use drplan_api::Json;
use drplan_api::LookError;
use drplan_api::Looked;
use drplan_api::Mode;
use drplan_api::PlanCx;
use drplan_api::Planned;
use drplan_api::Query;
use drplan_api::RawWant;
use drplan_api::Registry;
use drplan_api::SecretRef;
use drplan_api::Stage;
use drplan_api::Timestamp;
use drplan_api::Type;
use drplan_api::View;
use drplan_api::Wires;
use drplan_api::holes;
use serde::Deserialize as _;

use super::blocks::BlockId;
use super::blocks::Named;
use super::blocks::named;
use super::blocks::ordered;
use super::exprs::Exprs;
use super::files::SpecFiles;
use super::scope::Instances;
use super::scope::Looking;
use super::scope::Uses;
use super::scope::World;
use super::scope::export_of;
use super::scope::instance_address;
use super::scope::secret;
use super::targets::TargetAsk;
use super::targets::TargetPlan;
use crate::diag::Code;
use crate::diag::Diagnostic;
use crate::diag::Diagnostics;
use crate::lang::Attr;
use crate::lang::Expr;
use crate::lang::Node;
use crate::lang::Part;
use crate::lang::Span;
use crate::lang::Value;
use crate::lang::json_to_value;
use crate::lang::parse_duration;
use crate::spec::Module;
use crate::spec::ResourceBlock;
use crate::spec::check::def_of;
use crate::spec::check::fits;
use crate::spec::variables::Bound;

/// How many instances one block may have.
const INSTANCES_MAX: usize = 200_000;

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
    /// Every failure domain that is lost.
    pub lost: &'a BTreeSet<String>,
    /// Addresses whose foreign data may be overwritten.
    pub accept: &'a BTreeSet<String>,
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
    /// Whether its failure is tolerated.
    pub best_effort: bool,
    /// What the kind said; `None` if arguments are not known yet.
    pub looked: Option<Looked>,
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
        if diags.has_errors() {
            return Err(diags);
        }
        let mut out = Expanded {
            findings: diags,
            ..Expanded::default()
        };
        for conn in implicit {
            let target = TargetPlan {
                conn: conn.clone(),
                config: Json::Object(serde_json::Map::new()),
                made_by: BTreeSet::new(),
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
            return Err(state.diags);
        }
        if !state.asks.queries.is_empty() || !state.asks.targets.is_empty() {
            state.asks.exprs = self.out.exprs.clone().into_list();
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
struct RoundState {
    asks: Asks,
    diags: Diagnostics,
    /// Instances and blocks whose exports are not final in this round.
    pending: BTreeSet<Address>,
    pending_conns: BTreeSet<ConnId>,
}

fn provider(
    situation: &Situation<'_>,
    world: &World<'_>,
    conn: &ConnId,
    exprs: &mut Exprs,
) -> Result<(TargetPlan, Uses), Diagnostics> {
    let mut diags = Diagnostics::default();
    let block = &situation.module.providers[conn];
    let schema = situation
        .registry
        .get_system(&block.system)
        .map(|s| s.schema())
        .unwrap_or_default();
    let looking = Looking::new(world, None);
    let mut config = serde_json::Map::new();
    let mut made_by = BTreeSet::new();
    for (name, attr) in &block.args {
        let ty = schema
            .args
            .iter()
            .find(|a| a.name == name)
            .map_or(&Type::Any, |a| &a.ty);
        match argument(situation, &looking, name, ty, attr) {
            Ok(value) => {
                let json = exprs.to_json(&value);
                for (_, hole) in holes(&json) {
                    made_by.extend(hole.after);
                }
                config.insert(name.clone(), json);
            }
            Err(d) => diags.push(d),
        }
    }
    let lost = match block.failure_domain.as_ref().map(|expr| looking.eval(expr)) {
        None => None,
        Some(Ok(Value::List(list))) => list.iter().find_map(|v| match v {
            Value::String(domain) if situation.lost.contains(&**domain) => Some(domain.to_string()),
            _ => None,
        }),
        Some(Ok(_)) => {
            diags.push(
                Diagnostic::error(
                    Code::WrongType,
                    "`failure_domain` must be a list of strings",
                )
                .label(block.span, "in this block")
                .hint("write for example failure_domain = [\"region:eu-west-1\"]"),
            );
            None
        }
        Some(Err(d)) => {
            diags.push(d);
            None
        }
    };
    if diags.has_errors() {
        return Err(diags);
    }
    let target = TargetPlan {
        conn: conn.clone(),
        config: Json::Object(config),
        made_by,
        lost,
        span: Some(block.span),
    };
    Ok((target, looking.into_uses()))
}

/// Evaluates one argument, brings it into the form of its type and checks it.
fn argument(
    situation: &Situation<'_>,
    looking: &Looking<'_>,
    name: &str,
    ty: &Type,
    attr: &Attr,
) -> Result<Value, Diagnostic> {
    let value = looking.eval(&attr.expr)?;
    let wrong = |wanted: &str| {
        Diagnostic::error(Code::WrongType, format!("`{name}` must be {wanted}"))
            .label(attr.expr.span, "this is not")
    };
    fits(ty, &value).map_err(|wanted| wrong(&wanted))?;
    let cannot_read = |why: String| {
        Diagnostic::error(
            Code::FileNotFound,
            format!("`{name}` names what cannot be read"),
        )
        .label(attr.expr.span, why)
        .hint("paths start at the folder of the spec")
    };
    Ok(match (ty, value) {
        (Type::String, Value::Number(n)) => Value::String(n.normalized().to_plain_string().into()),
        (Type::String, Value::Bool(b)) => Value::String(b.to_string().into()),
        (Type::Tree, Value::String(path)) => {
            json_to_value(&situation.files.tree(&path).map_err(cannot_read)?)
        }
        (Type::Files, Value::List(paths)) => {
            let mut all = Vec::new();
            for path in paths {
                if let Value::String(path) = path {
                    let files = situation.files.files(&path).map_err(cannot_read)?;
                    all.extend(files.iter().map(json_to_value));
                }
            }
            Value::List(all)
        }
        (_, value) => value,
    })
}

fn check(
    situation: &Situation<'_>,
    world: &World<'_>,
    address: &Address,
    exprs: &mut Exprs,
    diags: &mut Diagnostics,
) -> Option<CheckInstance> {
    let block = &situation.module.checks[address];
    let looking = Looking::new(world, None);
    let mut asserts = Vec::new();
    for (condition, message) in &block.asserts {
        match (looking.eval(condition), looking.eval(message)) {
            (Ok(condition_value), Ok(message)) => {
                if !matches!(condition_value, Value::Bool(_) | Value::Hole(_)) {
                    diags.push(
                        Diagnostic::error(Code::WrongType, "a `condition` must be true or false")
                            .label(condition.span, "this is neither"),
                    );
                }
                asserts.push((exprs.to_json(&condition_value), exprs.to_json(&message)));
            }
            (condition, message) => diags_push(diags, [condition.err(), message.err()]),
        }
    }
    let depends_on = named_blocks(situation, world, block.depends_on.as_ref(), diags);
    (!diags.has_errors()).then(|| CheckInstance {
        address: address.clone(),
        span: block.span,
        asserts,
        warning: block.warning,
        uses: looking.into_uses(),
        depends_on,
    })
}

fn diags_push(diags: &mut Diagnostics, errors: impl IntoIterator<Item = Option<Diagnostic>>) {
    for error in errors.into_iter().flatten() {
        diags.push(error);
    }
}

/// The instances that a list of addresses names, such as `depends_on` and `guards`.
fn named_blocks(
    situation: &Situation<'_>,
    world: &World<'_>,
    attr: Option<&Attr>,
    diags: &mut Diagnostics,
) -> Uses {
    let mut out = Uses::new();
    let Some(attr) = attr else { return out };
    let items: Vec<&Expr> = match &attr.expr.node {
        Node::Tuple(items) => items.iter().collect(),
        _ => vec![&attr.expr],
    };
    for item in items {
        let Node::Ref(parts) = &item.node else {
            diags.push(
                Diagnostic::error(Code::UnknownReference, "only addresses can stand here")
                    .label(item.span, "this is no address")
                    .hint("write for example [velero_restore.shop]"),
            );
            continue;
        };
        match named(situation.module, parts, item.span) {
            Ok(Named::Block(BlockId::Resource(address))) => {
                let from = if address.is_data() { 3 } else { 2 };
                match (world.exports.get(&address), parts.get(from)) {
                    (Some(Instances::Many(map, by_count)), None) => {
                        for key in map.keys() {
                            out.insert(instance_address(&address, key, *by_count), item.span);
                        }
                    }
                    (Some(Instances::Many(_, by_count)), Some(Part::Index(index))) => {
                        let key = match crate::spec::literal(index) {
                            Some(Value::String(text)) => text.to_string(),
                            Some(Value::Number(n)) => n.normalized().to_plain_string(),
                            _ => String::new(),
                        };
                        out.insert(instance_address(&address, &key, *by_count), item.span);
                    }
                    _ => {
                        out.insert(address, item.span);
                    }
                }
            }
            Ok(Named::Block(BlockId::Check(address))) => {
                out.insert(address, item.span);
            }
            Ok(_) => diags.push(
                Diagnostic::error(Code::UnknownReference, "this is not a step")
                    .label(item.span, "here"),
            ),
            Err(d) => diags.push(d),
        }
    }
    out
}

/// What the evaluation of one resource block needs.
struct Work<'w, 'a> {
    situation: &'w Situation<'a>,
    world: &'w World<'w>,
    roles: BTreeMap<String, ConnId>,
    targets: &'w BTreeMap<ConnId, TargetPlan>,
    exprs: &'w mut Exprs,
    facts: &'w Facts,
    state: &'w mut RoundState,
}

impl Work<'_, '_> {
    fn resource(&mut self, address: &Address) -> (Vec<Instance>, Instances, bool) {
        let block = &self.situation.module.resources[address];
        let unknown = Instances::One(Value::Null);
        let Some(kind) = self.kind(block) else {
            return (Vec::new(), unknown, true);
        };
        let keys = match self.keys(block) {
            Ok(keys) => keys,
            Err(Some(d)) => {
                self.state.diags.push(d);
                self.state.pending.insert(address.clone());
                return (Vec::new(), unknown, false);
            }
            Err(None) => {
                self.state.pending.insert(address.clone());
                return (Vec::new(), Instances::Many(BTreeMap::new(), false), false);
            }
        };
        let mut settled = true;
        let mut instances = Vec::new();
        let mut many = BTreeMap::new();
        let mut one = None;
        for key in &keys.list {
            let (address, each) = match key {
                None => (address.clone(), None),
                Some((key, value)) => {
                    let index = if keys.by_count {
                        Value::Number(key.parse().unwrap_or_default())
                    } else {
                        Value::String(key.as_str().into())
                    };
                    (
                        instance_address(address, key, keys.by_count),
                        Some((index, value.clone())),
                    )
                }
            };
            let (instance, exports) = self.instance(block, &kind, address, each);
            settled &= instance.is_some();
            instances.extend(instance);
            match key {
                None => one = Some(exports),
                Some((key, _)) => {
                    many.insert(key.clone(), exports);
                }
            }
        }
        let exports = match one {
            Some(value) => Instances::One(value),
            None => Instances::Many(many, keys.by_count),
        };
        (instances, exports, settled)
    }

    fn kind(&self, block: &ResourceBlock) -> Option<Arc<dyn DynKind>> {
        let registry = self.situation.registry;
        let kind = if block.address.is_data() {
            registry.get_data(&block.kind)
        } else {
            registry.get_resource(&block.kind)
        };
        kind.cloned()
    }

    /// The instance keys of a block; `Err(None)` while what they come from is pending.
    fn keys(&mut self, block: &ResourceBlock) -> Result<Keys, Option<Diagnostic>> {
        let (attr, by_count) = match (block.meta.get("for_each"), block.meta.get("count")) {
            (None, None) => {
                return Ok(Keys {
                    list: vec![None],
                    by_count: false,
                });
            }
            (Some(attr), None) => (attr, false),
            (None, Some(attr)) => (attr, true),
            (Some(_), Some(count)) => {
                return Err(Some(
                    Diagnostic::error(
                        Code::BadForEach,
                        "`for_each` and `count` exclude each other",
                    )
                    .label(count.name_span, "remove one of them"),
                ));
            }
        };
        let looking = Looking::new(self.world, None);
        let value = looking.eval(&attr.expr).map_err(Some)?;
        let bad = |what: String| {
            Diagnostic::error(Code::BadForEach, what)
                .label(attr.expr.span, "this decides how many there are")
        };
        let list: Vec<(String, Value)> = match (value, by_count) {
            (Value::Hole(residual), _) => {
                if residual
                    .after
                    .iter()
                    .any(|a| self.state.pending.contains(a))
                {
                    return Err(None);
                }
                let names: Vec<String> = residual.after.iter().map(|a| format!("`{a}`")).collect();
                return Err(Some(if residual.secret {
                    bad("a secret cannot decide how many instances there are".to_owned())
                } else {
                    bad(format!("the instances are known only after {}", names.join(", ")))
                        .hint("use keys that are known while planning, and the late value inside the block")
                }));
            }
            (Value::Map(map), false) => map.into_iter().collect(),
            (Value::List(list), false) => {
                let mut out = BTreeMap::new();
                for item in list {
                    let Value::String(text) = &item else {
                        return Err(Some(bad(
                            "a list for `for_each` must hold strings only".to_owned()
                        )));
                    };
                    out.insert(text.to_string(), item.clone());
                }
                out.into_iter().collect()
            }
            (Value::Number(n), true) => {
                let count: usize = n.normalized().to_plain_string().parse().map_err(|_| {
                    Some(bad(
                        "`count` must be a whole number of at least 0".to_owned()
                    ))
                })?;
                if count > INSTANCES_MAX {
                    return Err(Some(bad(format!(
                        "a block can have at most {INSTANCES_MAX} instances"
                    ))));
                }
                (0..count)
                    .map(|i| (i.to_string(), Value::Number(i.into_number())))
                    .collect()
            }
            (_, false) => {
                return Err(Some(bad(
                    "`for_each` must be a map or a list of strings".to_owned()
                )));
            }
            (_, true) => return Err(Some(bad("`count` must be a number".to_owned()))),
        };
        if list.len() > INSTANCES_MAX {
            return Err(Some(bad(format!(
                "a block can have at most {INSTANCES_MAX} instances"
            ))));
        }
        Ok(Keys {
            list: list.into_iter().map(Some).collect(),
            by_count,
        })
    }

    /// One instance and its exports; without an instance while something is pending.
    fn instance(
        &mut self,
        block: &ResourceBlock,
        kind: &Arc<dyn DynKind>,
        address: Address,
        each: Option<(Value, Value)>,
    ) -> (Option<Instance>, Value) {
        let def = kind.def();
        let mut diags = Diagnostics::default();
        let looking = Looking::new(self.world, each);
        let mut args = serde_json::Map::new();
        for (name, attr) in &block.args {
            let ty = def
                .schema
                .args
                .iter()
                .find(|a| a.name == name)
                .map_or(&Type::Any, |a| &a.ty);
            match argument(self.situation, &looking, name, ty, attr) {
                Ok(Value::Null) => {}
                Ok(value) => {
                    args.insert(name.clone(), self.exprs.to_json(&value));
                }
                Err(d) => diags.push(d.address(address.as_str())),
            }
        }
        let meta = self.meta(block, &looking, &mut diags);
        let depends_on = named_blocks(
            self.situation,
            self.world,
            block.meta.get("depends_on"),
            &mut diags,
        );
        let guards = self.guards(block, &mut diags);
        if !guards.is_empty() {
            let names: Vec<Json> = guards.iter().map(|a| Json::from(a.as_str())).collect();
            if def.schema.args.iter().any(|a| a.name == "guards") {
                args.insert("guards".to_owned(), Json::Array(names));
            }
        }
        let nothing_known = exports(kind.def(), &Json::Null, &address, block.span);
        if diags.has_errors() {
            self.state.diags.extend(diags);
            self.state.pending.insert(address);
            return (None, nothing_known);
        }
        let bounded = def.mode == Mode::Data && def.schema.args.iter().any(|a| a.name == "before");
        if let (true, Some(at)) = (bounded, self.situation.incident_at) {
            // What was written after the incident is no point to go back to.
            args.entry("before")
                .or_insert_with(|| Json::from(at.to_string()));
        }
        let args = Json::Object(args);
        let mut after = BTreeSet::new();
        let mut unknown_now = false;
        for (at, hole) in holes(&args) {
            let top = at.split('/').nth(1).unwrap_or_default();
            let late = def.schema.args.iter().any(|a| a.name == top && a.late);
            unknown_now |= !late;
            after.extend(hole.after);
        }
        let pending = after.iter().any(|a| self.state.pending.contains(a))
            || self
                .roles
                .values()
                .any(|conn| self.state.pending_conns.contains(conn));
        let mut instance = Instance {
            address: address.clone(),
            span: block.span,
            kind: Arc::clone(kind),
            want: RawWant {
                address: address.clone(),
                recovery: self.situation.module.recovery.name.clone(),
                args,
                roles: self.roles.clone(),
            },
            uses: looking.into_uses(),
            depends_on,
            guards,
            stage: meta.stage,
            timeout: meta.timeout,
            best_effort: meta.best_effort,
            looked: None,
            waits_for: after.iter().cloned().collect(),
            wires: Wires::default(),
        };
        if self.situation.offline || meta.read_late || (unknown_now && !pending) {
            if !unknown_now {
                let view = View::new(self.facts);
                instance.wires = kind.wires(&instance.want, &view).unwrap_or_default();
            }
            return (Some(instance), nothing_known);
        }
        if unknown_now {
            self.state.pending.insert(address);
            return (None, nothing_known);
        }
        match self.look(&mut instance) {
            Ok(true) if !pending => {
                let outputs = instance.looked.as_ref().map_or(&Json::Null, |l| &l.outputs);
                let value = exports(kind.def(), outputs, &address, block.span);
                (Some(instance), value)
            }
            Ok(_) => {
                self.state.pending.insert(address);
                (None, nothing_known)
            }
            Err(d) => {
                self.state.diags.push(d);
                self.state.pending.insert(address);
                (None, nothing_known)
            }
        }
    }

    /// Lets the kind look; `Ok(false)` while answers are missing.
    fn look(&mut self, instance: &mut Instance) -> Result<bool, Diagnostic> {
        let view = View::new(self.facts);
        let cx = PlanCx {
            observed_at: self.situation.observed_at,
            incident_at: self.situation.incident_at,
            accept_overwrite: self.situation.accept.contains(instance.address.as_str()),
        };
        let looked = instance.kind.look(&cx, &instance.want, &view);
        if looked.is_ok() {
            instance.wires = instance
                .kind
                .wires(&instance.want, &view)
                .unwrap_or_default();
        }
        let (queries, conns) = view.missing();
        match looked {
            Ok(looked) => {
                if instance.address.is_data() {
                    absent_data(instance, &looked)?;
                }
                instance.looked = Some(looked);
                Ok(true)
            }
            Err(LookError::Pending) => {
                self.state.asks.queries.extend(queries);
                for conn in conns {
                    if let Some(target) = self.targets.get(&conn) {
                        self.state.asks.targets.insert(conn, target.ask());
                    }
                }
                Ok(false)
            }
            Err(LookError::Decode(why)) => Err(Diagnostic::error(
                Code::WrongType,
                format!("the arguments of `{}` do not fit", instance.address),
            )
            .label(instance.span, why)
            .address(instance.address.as_str())),
        }
    }

    fn meta(&self, block: &ResourceBlock, looking: &Looking<'_>, diags: &mut Diagnostics) -> Meta {
        let mut text = |name: &str| -> Option<(String, Span)> {
            let attr = block.meta.get(name)?;
            match looking.eval(&attr.expr) {
                Ok(Value::String(text)) => Some((text.to_string(), attr.expr.span)),
                Ok(_) => {
                    diags.push(
                        Diagnostic::error(
                            Code::WrongType,
                            format!("`{name}` must be a string that is known"),
                        )
                        .label(attr.expr.span, "here"),
                    );
                    None
                }
                Err(d) => {
                    diags.push(d);
                    None
                }
            }
        };
        let (stage, timeout) = (text("stage"), text("timeout"));
        let (criticality, read) = (text("criticality"), text("read"));
        let mut word = |given: Option<(String, Span)>, name: &str, words: &[&str]| -> bool {
            let Some((given, span)) = given else {
                return false;
            };
            if !words.contains(&given.as_str()) {
                diags.push(
                    Diagnostic::error(Code::WrongType, format!("`{given}` is no {name}"))
                        .label(span, format!("one of {}", words.join(", "))),
                );
            }
            given == words[words.len() - 1]
        };
        let best_effort = word(criticality, "criticality", &["critical", "best_effort"]);
        let read_late = word(read, "time to read", &["plan", "apply"]);
        let stage = stage.and_then(|(text, span)| match Stage::parse(&text) {
            Some(stage) => Some((stage, span)),
            None => {
                let names: Vec<&str> = Stage::ALL.iter().map(|s| s.as_str()).collect();
                diags.push(
                    Diagnostic::error(Code::BadStage, format!("there is no stage `{text}`"))
                        .label(span, "here")
                        .hint(format!("the stages are, in order: {}", names.join(", "))),
                );
                None
            }
        });
        let timeout = timeout.and_then(|(text, span)| {
            let parsed = parse_duration(&text);
            if parsed.is_none() {
                diags.push(
                    Diagnostic::error(Code::WrongType, format!("`{text}` is not a length of time"))
                        .label(span, "write for example \"10m\""),
                );
            }
            parsed
        });
        Meta {
            stage,
            timeout,
            best_effort,
            read_late,
        }
    }

    /// What a guard guards. The addresses may stand later in the order, so they are read as names.
    fn guards(&self, block: &ResourceBlock, diags: &mut Diagnostics) -> Vec<Address> {
        named_blocks(self.situation, self.world, block.meta.get("guards"), diags)
            .into_keys()
            .collect()
    }
}

struct Keys {
    list: Vec<Option<(String, Value)>>,
    by_count: bool,
}

struct Meta {
    stage: Option<(Stage, Span)>,
    timeout: Option<Duration>,
    best_effort: bool,
    read_late: bool,
}

trait IntoNumber {
    fn into_number(self) -> bigdecimal::BigDecimal;
}

impl IntoNumber for usize {
    fn into_number(self) -> bigdecimal::BigDecimal {
        bigdecimal::BigDecimal::from(self as u64)
    }
}

/// A data source that finds nothing is a mistake of the spec or of the world that no step will mend.
fn absent_data(instance: &Instance, looked: &Looked) -> Result<(), Diagnostic> {
    let here = |text: String, hint: Option<&String>| {
        let d = Diagnostic::error(
            Code::EvaluationError,
            format!("`{}` finds nothing usable", instance.address),
        )
        .label(instance.span, text)
        .address(instance.address.as_str());
        match hint {
            Some(hint) => d.hint(hint.clone()),
            None => d,
        }
    };
    match (&looked.present, &looked.planned) {
        (Err(error), _) if is_final(error.kind) => {
            Err(here(error.to_string(), error.hint.as_ref()))
        }
        (Ok(_), Planned::Blocked(because) | Planned::Conflict(because, _)) => {
            Err(here(because.to_string(), None))
        }
        _ => Ok(()),
    }
}

/// Whether the world said no, rather than nothing.
fn is_final(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::NotFound | ErrorKind::Corrupt | ErrorKind::Invalid
    )
}

/// The value of a whole resource: what is known, and a hole for each other export.
fn exports(def: &Def, outputs: &Json, address: &Address, span: Span) -> Value {
    let mut map = BTreeMap::new();
    if let Json::Object(known) = outputs {
        for (name, json) in known {
            map.insert(name.clone(), with_secrets(json, span));
        }
    }
    for (name, _) in &def.schema.exports {
        if !map.contains_key(*name) {
            map.insert((*name).to_owned(), export_of(address, name, span));
        }
    }
    Value::Map(map)
}

/// Converts exports; `{"$secret": …}` becomes a hole that names where the secret lives.
pub(crate) fn with_secrets(json: &Json, span: Span) -> Value {
    match json {
        Json::Object(map) => {
            if let (1, Some(reference)) = (map.len(), map.get("$secret"))
                && let Ok(reference) = SecretRef::deserialize(reference)
            {
                return secret(reference, span);
            }
            Value::Map(
                map.iter()
                    .map(|(k, v)| (k.clone(), with_secrets(v, span)))
                    .collect(),
            )
        }
        Json::Array(list) => Value::List(list.iter().map(|v| with_secrets(v, span)).collect()),
        scalar => json_to_value(scalar),
    }
}

type Chosen = (
    BTreeMap<Address, BTreeMap<String, ConnId>>,
    BTreeSet<ConnId>,
    Diagnostics,
);

/// Chooses the connection of each role of each resource.
fn choose_connections(situation: &Situation<'_>) -> Chosen {
    let module = situation.module;
    let mut by_system: BTreeMap<&str, Vec<&ConnId>> = BTreeMap::new();
    for (conn, provider) in &module.providers {
        by_system.entry(&provider.system).or_default().push(conn);
    }
    let mut out = BTreeMap::new();
    let mut implicit = BTreeSet::new();
    let mut diags = Diagnostics::default();
    for (address, block) in &module.resources {
        let Some(def) = def_of(block, situation.registry) else {
            continue;
        };
        let given = given_connections(module, block, &mut diags);
        let mut roles = BTreeMap::new();
        for (role, system) in def.roles {
            let all = by_system.get(system).map_or(&[][..], |list| &list[..]);
            let by_role = given.iter().find(|(r, _, _)| r.as_deref() == Some(*role));
            let by_kind = given
                .iter()
                .find(|(r, c, _)| r.is_none() && c.system() == *system);
            if let Some((_, conn, _)) = by_role.or(by_kind) {
                roles.insert((*role).to_owned(), conn.clone());
                continue;
            }
            match all {
                [only] => {
                    roles.insert((*role).to_owned(), (*only).clone());
                }
                [] if situation
                    .registry
                    .get_system(system)
                    .is_some_and(|s| s.implicit()) =>
                {
                    let conn = ConnId::new(format!("{system}.default"));
                    implicit.insert(conn.clone());
                    roles.insert((*role).to_owned(), conn);
                }
                [] => diags.push(
                    Diagnostic::error(
                        Code::NoProvider,
                        format!(
                            "`{address}` needs a connection to `{system}` and the spec has none"
                        ),
                    )
                    .label(block.span, format!("as its {role}"))
                    .hint(format!(
                        "add a block `provider \"{system}\" \"NAME\" {{ … }}`"
                    )),
                ),
                many => {
                    let names: Vec<&str> = many.iter().map(|c| c.as_str()).collect();
                    diags.push(
                        Diagnostic::error(
                            Code::AmbiguousProvider,
                            format!("`{address}` does not say which `{system}` it means"),
                        )
                        .label(block.span, format!("as its {role}"))
                        .hint(format!(
                            "add `provider = {}`; there are {}",
                            names[0],
                            names.join(", ")
                        )),
                    );
                }
            }
        }
        for (role, conn, span) in &given {
            let used = roles
                .iter()
                .any(|(r, c)| c == conn && role.as_ref().is_none_or(|g| g == r));
            if !used {
                diags.push(
                    Diagnostic::error(
                        Code::UnknownProvider,
                        format!("`{address}` has no role for `{conn}`"),
                    )
                    .label(*span, "not used by this kind")
                    .hint(format!(
                        "its roles are: {}",
                        def.roles
                            .iter()
                            .map(|(r, s)| format!("{r} ({s})"))
                            .collect::<Vec<_>>()
                            .join(", ")
                    )),
                );
            }
        }
        out.insert(address.clone(), roles);
    }
    (out, implicit, diags)
}

/// What `provider` and `providers` of a block say: role if given, connection, where.
fn given_connections(
    module: &Module,
    block: &ResourceBlock,
    diags: &mut Diagnostics,
) -> Vec<(Option<String>, ConnId, Span)> {
    let mut out = Vec::new();
    let mut add = |role: Option<String>, expr: &Expr| {
        let text = match &expr.node {
            Node::Ref(parts) => parts
                .iter()
                .filter_map(|p| {
                    if let Part::Attr(name, _) = p {
                        Some(name.as_str())
                    } else {
                        None
                    }
                })
                .collect::<Vec<_>>()
                .join("."),
            _ => String::new(),
        };
        let conn = ConnId::new(&text);
        if module.providers.contains_key(&conn) {
            out.push((role, conn, expr.span));
            return;
        }
        let mut d = Diagnostic::error(
            Code::UnknownProvider,
            if text.is_empty() {
                "a connection is written SYSTEM.NAME, without quotes".to_owned()
            } else {
                format!("the spec has no provider `{text}`")
            },
        )
        .label(expr.span, "named here");
        let names = module.providers.keys().map(ConnId::as_str);
        if let Some(near) = crate::spec::nearest(&text, names) {
            d = d.hint(format!("did you mean `{near}`?"));
        }
        diags.push(d);
    };
    if let Some(attr) = block.meta.get("provider") {
        add(None, &attr.expr);
    }
    if let Some(attr) = block.meta.get("providers") {
        if let Node::Object(fields) = &attr.expr.node {
            for (key, value) in fields {
                if let Some(Value::String(role)) = crate::spec::literal(key) {
                    add(Some(role.to_string()), value);
                }
            }
        } else {
            diags.push(
                Diagnostic::error(
                    Code::WrongType,
                    "`providers` must be an object of role and connection",
                )
                .label(attr.expr.span, "write for example { bucket = s3.backups }"),
            );
        }
    }
    out
}
