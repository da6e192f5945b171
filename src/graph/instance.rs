//! One resource block: its instances, their arguments and meta-arguments, and what their kind says.

use super::block::argument;
use super::block::named_blocks;
use super::block::refused;
use super::expand::Instance;
use super::expand::RoundState;
use super::expand::STEP_TIMEOUT;
use super::expand::Situation;
use super::exports::exports;
use super::exprs::Exprs;
use super::gone::Gone;
use super::scope::Instances;
use super::scope::Looking;
use super::scope::World;
use super::scope::instance_address;
use super::targets::TargetPlan;
use crate::diag::Code;
use crate::diag::Diagnostic;
use crate::diag::Diagnostics;
use crate::lang::Span;
use crate::lang::Value;
use crate::lang::format_duration;
use crate::lang::parse_duration;
use crate::spec::ResourceBlock;
use drplan_api::Address;
use drplan_api::ConnId;
use drplan_api::DynKind;
use drplan_api::ErrorKind;
use drplan_api::Facts;
use drplan_api::Json;
use drplan_api::LookError;
use drplan_api::Looked;
use drplan_api::Mode;
use drplan_api::PlanCx;
use drplan_api::Planned;
use drplan_api::RawWant;
use drplan_api::Shape;
use drplan_api::Stage;
use drplan_api::Type;
use drplan_api::View;
use drplan_api::Wires;
use drplan_api::holes;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// How many instances one block may have.
const INSTANCES_MAX: usize = 200_000;

/// What the evaluation of one resource block needs.
pub(super) struct Work<'w, 'a> {
    pub(super) situation: &'w Situation<'a>,
    pub(super) world: &'w World<'w>,
    pub(super) roles: BTreeMap<String, ConnId>,
    pub(super) targets: &'w BTreeMap<ConnId, TargetPlan>,
    /// Whether the block counts as gone.
    pub(super) gone: Option<&'w Gone>,
    pub(super) exprs: &'w mut Exprs,
    pub(super) facts: &'w Facts,
    pub(super) state: &'w mut RoundState,
}

impl Work<'_, '_> {
    pub(super) fn resource(&mut self, address: &Address) -> (Vec<Instance>, Instances, bool) {
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
        if def.schema.args.iter().any(|a| a.name == "guards") {
            let names: Vec<Json> = guards.iter().map(|a| Json::from(a.as_str())).collect();
            args.insert("guards".to_owned(), Json::Array(names));
        }
        let mut args = Json::Object(args);
        if !diags.has_errors() {
            for fault in kind.check(&args) {
                let d = refused(fault, &block.args, block.span);
                diags.push(d.address(address.as_str()));
            }
        }
        let unknown = |shape: &Shape| exports(kind.def(), &Json::Null, shape, &address, block.span);
        let nothing_known = unknown(&Shape::Any);
        if diags.has_errors() {
            self.state.diags.extend(diags);
            self.state.pending.insert(address);
            return (None, nothing_known);
        }
        let bounded = def.mode == Mode::Data && def.schema.args.iter().any(|a| a.name == "before");
        if let (true, Some(at)) = (bounded, self.situation.incident_at) {
            // What was written after the incident is no point to go back to.
            if args.get("before").is_none() {
                args["before"] = Json::from(at.to_string());
            }
        }
        if let Some(id) = self.situation.points.get(&address) {
            args["point"] = Json::from(id.as_str());
        }
        let mut after = BTreeSet::new();
        let mut unknown_now = false;
        for (at, hole) in holes(&args) {
            let top = at.split('/').nth(1).unwrap_or_default();
            let late = def.schema.args.iter().any(|a| a.name == top && a.late);
            if let (false, true, Some(attr)) = (late, hole.secret, block.args.get(top)) {
                let places = def.schema.args.iter().filter(|a| a.late).map(|a| a.name);
                let d = no_secret_here(top, attr.expr.span, places);
                self.state.diags.push(d.address(address.as_str()));
            }
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
            expected: meta.expected,
            best_effort: meta.best_effort,
            looked: None,
            redone: false,
            waits_for: after.iter().cloned().collect(),
            wires: Wires::default(),
        };
        if self.situation.offline || meta.read_late || (unknown_now && !pending) {
            if !unknown_now {
                let view = View::new(self.facts);
                match kind.wires(&instance.want, &view) {
                    Ok(wires) => instance.wires = wires,
                    Err(LookError::Pending) => {}
                    Err(LookError::Decode(why)) => {
                        self.state.diags.push(unfit(&instance, why));
                        self.state.pending.insert(address);
                        return (None, nothing_known);
                    }
                }
            }
            // Arguments that are not known yet tell nothing.
            let value = match kind.shape(&instance.want) {
                Ok(shape) if !unknown_now => unknown(&shape),
                _ => nothing_known,
            };
            return (Some(instance), value);
        }
        if unknown_now {
            self.state.pending.insert(address);
            return (None, nothing_known);
        }
        match self.look(&mut instance) {
            Ok(true) if !pending => {
                let value = match &instance.looked {
                    Some(l) => exports(kind.def(), &l.outputs, &l.shape, &address, block.span),
                    None => nothing_known,
                };
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
        let gone = self.gone.map(|g| g.facts(instance.want.roles.values()));
        let view = View::new(gone.as_ref().unwrap_or(self.facts));
        let cx = PlanCx {
            observed_at: self.situation.observed_at,
            incident_at: self.situation.incident_at,
            accept_overwrite: self.situation.accept.contains(instance.address.as_str()),
        };
        let mut looked = instance.kind.look(&cx, &instance.want, &view);
        let is_true = |l: &Looked| matches!(l.planned, Planned::Nothing(_));
        let is_redone = looked.as_ref().is_ok_and(is_true) && self.is_redone(&instance.address);
        if is_redone {
            let again = instance.kind.again(&cx, &instance.want, &view);
            looked = looked.and_then(|l| {
                Ok(Looked {
                    planned: again?,
                    ..l
                })
            });
        }
        // A kind that could decide may still want to know more, such as what its needs look like.
        let (queries, conns) = view.missing();
        self.state.asks.queries.extend(queries);
        for conn in conns {
            if let Some(target) = self.targets.get(&conn) {
                self.state.asks.targets.insert(conn, target.ask());
            }
        }
        match looked {
            Ok(mut looked) => {
                if let (Some(Gone::Assumed(domain)), Planned::Step(step)) =
                    (self.gone, &mut looked.planned)
                {
                    step.because = format!("it counts as gone with `{domain}`").into();
                }
                instance.redone = is_redone && matches!(looked.planned, Planned::Step(_));
                instance.wires = std::mem::take(&mut looked.wires);
                if instance.address.is_data() {
                    absent_data(instance, &looked)?;
                }
                instance.looked = Some(looked);
                Ok(true)
            }
            Err(LookError::Pending) => Ok(false),
            Err(LookError::Decode(why)) => Err(unfit(instance, why)),
        }
    }

    /// Whether a person wants a step done again: by its address, or by that of its block.
    fn is_redone(&self, address: &Address) -> bool {
        let redo = self.situation.redo;
        let is_named = redo.contains(address.as_str()) || redo.contains(address.block().as_str());
        is_named && !address.is_data()
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
        let (stage, timeout, expected) = (text("stage"), text("timeout"), text("expected"));
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
        let (timeout, expected) = (length(timeout, diags), length(expected, diags));
        let limit = timeout.map_or(STEP_TIMEOUT, |(timeout, _)| timeout);
        if let Some((expected, span)) = expected.filter(|(expected, _)| *expected > limit) {
            let (expected, limit) = (format_duration(expected), format_duration(limit));
            diags.push(
                Diagnostic::error(
                    Code::WrongType,
                    format!("it is expected to take {expected} and may take {limit}"),
                )
                .label(span, "it would always be cut off")
                .hint("raise `timeout`, or expect less"),
            );
        }
        Meta {
            stage,
            timeout: timeout.map(|(timeout, _)| timeout),
            expected: expected.map(|(expected, _)| expected),
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

/// Reads a length of time.
fn length(given: Option<(String, Span)>, diags: &mut Diagnostics) -> Option<(Duration, Span)> {
    let (text, span) = given?;
    let parsed = parse_duration(&text);
    if parsed.is_none() {
        diags.push(
            Diagnostic::error(Code::WrongType, format!("`{text}` is not a length of time"))
                .label(span, "write for example \"10m\""),
        );
    }
    parsed.map(|parsed| (parsed, span))
}

/// What decides, what is shown and what is on a command line must not be secret.
fn no_secret_here<'a>(name: &str, span: Span, places: impl Iterator<Item = &'a str>) -> Diagnostic {
    let places: Vec<String> = places.map(|name| format!("`{name}`")).collect();
    let d = Diagnostic::error(
        Code::WrongType,
        format!("`{name}` cannot hold a secret, because it is shown"),
    )
    .label(span, "comes from something sensitive");
    if places.is_empty() {
        d
    } else {
        d.hint(format!("give secrets in {}", places.join(" or ")))
    }
}

/// The arguments fit their types and yet make no sense together.
fn unfit(instance: &Instance, why: String) -> Diagnostic {
    Diagnostic::error(
        Code::WrongType,
        format!("the arguments of `{}` do not fit", instance.address),
    )
    .label(instance.span, why)
    .address(instance.address.as_str())
}

struct Keys {
    list: Vec<Option<(String, Value)>>,
    by_count: bool,
}

struct Meta {
    stage: Option<(Stage, Span)>,
    timeout: Option<Duration>,
    expected: Option<Duration>,
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
    // Nobody has looked yet: this says nothing about what the backups hold.
    if let Err(error) = &looked.present
        && error.is_missing_secret()
    {
        let d = Diagnostic::error(
            Code::MissingVariable,
            format!(
                "`{}` cannot be read: {} has no value",
                instance.address, error.target
            ),
        );
        let d = d.label(instance.span, "its connection needs it");
        let d = d.address(instance.address.as_str());
        return Err(match &error.hint {
            Some(hint) => d.hint(hint.clone()),
            None => d,
        });
    }
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
