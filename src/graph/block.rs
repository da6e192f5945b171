//! The smaller blocks: providers, checks, single arguments and lists of addresses.

use super::blocks::BlockId;
use super::blocks::Named;
use super::blocks::named;
use super::expand::CheckInstance;
use super::expand::Situation;
use super::exprs::Exprs;
use super::scope::Instances;
use super::scope::Looking;
use super::scope::Uses;
use super::scope::World;
use super::scope::instance_address;
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
use crate::spec::check::fitted;
use drplan_api::Address;
use drplan_api::ConnId;
use drplan_api::Fault;
use drplan_api::Given;
use drplan_api::Json;
use drplan_api::Type;
use drplan_api::holes;
use drplan_api::is_hole;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

pub(super) fn provider(
    situation: &Situation<'_>,
    world: &World<'_>,
    conn: &ConnId,
    exprs: &mut Exprs,
) -> Result<(TargetPlan, Uses), Diagnostics> {
    let mut diags = Diagnostics::default();
    let block = &situation.module.providers[conn];
    let system = situation.registry.get_system(&block.system);
    let schema = system.map(|s| s.schema()).unwrap_or_default();
    let looking = Looking::new(world, None);
    let mut config = serde_json::Map::new();
    let mut made_by = BTreeSet::new();
    for (name, attr) in &block.args {
        let arg = schema.args.iter().find(|a| a.name == name);
        let ty = arg.map_or(&Type::Any, |a| &a.ty);
        match argument(situation, &looking, name, ty, attr) {
            Ok(value) => {
                let json = exprs.to_json(&value);
                let secret = arg.is_some_and(|a| a.secret);
                if secret && !json.is_null() && is_hole(&json).is_none() {
                    diags.push(secret_in_sight(name, attr.expr.span));
                }
                for (_, hole) in holes(&json) {
                    made_by.extend(hole.after);
                }
                config.insert(name.clone(), json);
            }
            Err(d) => diags.push(d),
        }
    }
    let domains = match &block.failure_domain {
        None => Vec::new(),
        Some(expr) => failure_domains(&looking, expr, &mut diags),
    };
    let config = Json::Object(config);
    if let (Some(system), false) = (system, diags.has_errors()) {
        let mut given = Given::new(&config);
        system.check(&mut given);
        for fault in given.into_faults() {
            diags.push(refused(fault, &block.args, block.span));
        }
    }
    if diags.has_errors() {
        return Err(diags);
    }
    let among = |lost: &BTreeSet<String>| domains.iter().find(|d| lost.contains(*d)).cloned();
    // What is only assumed lost is made again, if the spec says how.
    let assumed = || among(situation.assumed).filter(|_| made_by.is_empty());
    let lost = among(situation.lost).or_else(assumed);
    let uses = looking.into_uses();
    let is_known = |address: &&Address| !made_by.contains(*address);
    let target = TargetPlan {
        conn: conn.clone(),
        config,
        made_with: uses.keys().filter(is_known).cloned().collect(),
        made_by,
        lost,
        domains,
        span: Some(block.span),
    };
    Ok((target, uses))
}

/// An argument that the provider refuses, marked where it is given.
pub(super) fn refused(fault: Fault, args: &BTreeMap<String, Attr>, header: Span) -> Diagnostic {
    let d = Diagnostic::error(Code::BadValue, fault.because);
    let d = match args.get(fault.argument) {
        Some(attr) => d.label(attr.expr.span, "given here"),
        None => d.label(header, "in this block"),
    };
    match fault.hint {
        Some(hint) => d.hint(hint),
        None => d,
    }
}

/// A value that everybody who reads the plan would see.
fn secret_in_sight(name: &str, span: Span) -> Diagnostic {
    Diagnostic::error(
        Code::SecretLiteral,
        format!("`{name}` is a secret and would stand in the plan"),
    )
    .label(span, "this value is known while planning")
    .hint("use a variable with `sensitive = true`, or a sensitive output of a `command`")
}

/// The failure domains that something lies in. Each must be known: what is not known could be the one
/// that is lost.
pub(super) fn failure_domains(
    looking: &Looking<'_>,
    expr: &Expr,
    diags: &mut Diagnostics,
) -> Vec<String> {
    let wrong = |text: &str| {
        Diagnostic::error(
            Code::WrongType,
            "`failure_domain` must be a list of strings",
        )
        .label(expr.span, text)
        .hint("write for example failure_domain = [\"region:eu-west-1\"]")
    };
    match looking.eval(expr) {
        Err(d) => diags.push(d),
        Ok(Value::List(list)) => {
            let known: Option<Vec<String>> = list
                .iter()
                .map(|v| match v {
                    Value::String(domain) => Some(domain.to_string()),
                    _ => None,
                })
                .collect();
            match known {
                Some(known) => return known,
                None => diags.push(wrong("every one of them must be known while planning")),
            }
        }
        Ok(_) => diags.push(wrong("this is not")),
    }
    Vec::new()
}

/// Evaluates one argument, brings it into the form of its type and checks it.
pub(super) fn argument(
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
    let value = fitted(ty, value).map_err(|wanted| wrong(&wanted))?;
    let cannot_read = |why: String| {
        Diagnostic::error(
            Code::FileNotFound,
            format!("`{name}` names what cannot be read"),
        )
        .label(attr.expr.span, why)
        .hint("paths start at the folder of the spec")
    };
    Ok(match (ty, value) {
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

pub(super) fn check(
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
pub(super) fn named_blocks(
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
