//! What is filled in later comes from expressions that are there, out of steps that are done by then; and
//! what is secret stands nowhere.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use drplan_api::Address;
use drplan_api::Arg;
use drplan_api::Json;
use drplan_api::Registry;
use drplan_api::Type;
use drplan_api::holes;
use drplan_api::is_hole;

use crate::lang::each_out;
use crate::plan::step::Do;
use crate::plan::step::Plan;

/// Every hole names an expression, and the steps that it takes something out of come before.
pub(super) fn filled(plan: &Plan, broken: &mut Vec<String>) {
    let outs: Vec<Vec<&Address>> = plan.exprs.iter().map(|expr| each_out(expr)).collect();
    let index: BTreeMap<&Address, usize> = plan
        .steps
        .iter()
        .enumerate()
        .map(|(i, s)| (&s.address, i))
        .collect();
    let mut ways = Ways::of(plan);
    for (i, step) in plan.steps.iter().enumerate() {
        let args = step.want.iter().map(|want| &want.args);
        let asserts = match &step.what {
            Do::Check { asserts, .. } => asserts.as_slice(),
            _ => &[],
        };
        let asserts = asserts
            .iter()
            .flat_map(|(condition, text)| [condition, text]);
        for json in args.chain(asserts) {
            for (at, hole) in holes(json) {
                let Some(addresses) = outs.get(hole.expr) else {
                    broken.push(format!(
                        "`{}` at `{at}` names an expression that is not there",
                        step.address
                    ));
                    continue;
                };
                for address in addresses {
                    let before = index.get(address).copied();
                    if !before.is_some_and(|before| ways.lead(before, i)) {
                        broken.push(format!(
                            "`{}` at `{at}` takes something out of `{address}`, which is not done before it",
                            step.address
                        ));
                    }
                }
            }
        }
    }
    for target in &plan.targets {
        let all = holes(&target.config);
        if all.iter().any(|(_, hole)| hole.expr >= plan.exprs.len()) {
            broken.push(format!(
                "`{}` names an expression that is not there",
                target.conn
            ));
        }
    }
}

/// Which steps come before which. A direct edge answers nearly always; else the way is walked.
struct Ways {
    before: Vec<Vec<usize>>,
    pairs: BTreeSet<(usize, usize)>,
}

impl Ways {
    fn of(plan: &Plan) -> Self {
        let mut before = vec![Vec::new(); plan.steps.len()];
        let mut pairs = BTreeSet::new();
        for edge in &plan.edges {
            if pairs.insert((edge.before, edge.after)) {
                before[edge.after].push(edge.before);
            }
        }
        Self { before, pairs }
    }

    /// What was walked once is kept as if it were an edge.
    fn lead(&mut self, from: usize, to: usize) -> bool {
        if self.pairs.contains(&(from, to)) {
            return true;
        }
        let mut seen = BTreeSet::new();
        let mut open = vec![to];
        while let Some(at) = open.pop() {
            for &b in self.before[at].iter().filter(|b| **b >= from) {
                if b == from {
                    self.pairs.insert((from, to));
                    return true;
                }
                if seen.insert(b) {
                    open.push(b);
                }
            }
        }
        false
    }
}

/// No value stands where a schema says that it is secret: only holes.
pub(super) fn secrets(plan: &Plan, registry: &Registry, broken: &mut Vec<String>) {
    for step in &plan.steps {
        let Some(want) = &step.want else { continue };
        let kind = if step.address.is_data() {
            registry.get_data(&step.kind)
        } else {
            registry.get_resource(&step.kind)
        };
        if let Some(kind) = kind {
            in_sight(&kind.def().schema.args, &want.args, &mut |name| {
                broken.push(format!(
                    "`{}` holds a secret in sight at `{name}`",
                    step.address
                ));
            });
        }
    }
    for target in &plan.targets {
        if let Some(system) = registry.get_system(target.conn.system()) {
            in_sight(&system.schema().args, &target.config, &mut |name| {
                broken.push(format!(
                    "`{}` holds a secret in sight at `{name}`",
                    target.conn
                ));
            });
        }
    }
}

pub(super) fn in_sight(args: &[Arg], json: &Json, say: &mut dyn FnMut(&str)) {
    for arg in args {
        let Some(value) = json.get(arg.name) else {
            continue;
        };
        if arg.secret && !value.is_null() && is_hole(value).is_none() {
            say(arg.name);
        }
        inside(&arg.ty, value, say);
    }
}

fn inside(ty: &Type, value: &Json, say: &mut dyn FnMut(&str)) {
    match (ty, value) {
        (Type::Object(fields), Json::Object(_)) => in_sight(fields, value, say),
        (Type::List(inner), Json::Array(items)) => {
            items.iter().for_each(|item| inside(inner, item, say));
        }
        (Type::Map(inner), Json::Object(map)) => {
            map.values().for_each(|item| inside(inner, item, say));
        }
        _ => {}
    }
}
