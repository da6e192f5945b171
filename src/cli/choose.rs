//! What the options of a plan choose by address: steps and recovery points.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use drplan_api::Address;

use super::failure::Failure;
use crate::graph::Expanded;
use crate::graph::Graph;
use crate::graph::Node;
use crate::graph::What;
use crate::plan::Do;
use crate::plan::Plan;
use crate::plan::Selection;
use crate::plan::Step;
use crate::plan::chooses;
use crate::report::Exit;
use crate::spec::Module;
use crate::spec::nearest;

/// The argument by which a data source takes one point.
const POINT: &str = "point";

/// Reads `ADDRESS=TEXT`: the first `=` outside of a key ends the address.
pub(super) fn pair(text: &str) -> Option<(Address, &str)> {
    let mut in_key = false;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => in_key = !in_key,
            '\\' if in_key => drop(chars.next()),
            '=' if !in_key => {
                let (address, text) = (&text[..at], &text[at + 1..]);
                let whole = !address.is_empty() && !text.is_empty();
                return whole.then(|| (Address::new(address), text));
            }
            _ => {}
        }
    }
    None
}

/// Reads addresses whose foreign data may go.
pub(super) fn accepted(given: &[String], module: &Module) -> Result<BTreeSet<String>, Failure> {
    let mut out = BTreeSet::new();
    for text in given {
        let Some((address, "overwrite")) = pair(text) else {
            return Err(Failure::refused(
                Exit::Usage,
                format!("`--accept {text}` is not understood"),
                "write --accept ADDRESS=overwrite",
            ));
        };
        if !module.resources.contains_key(&address.block()) {
            let known = module.resources.keys().map(Address::as_str);
            return Err(Failure::refused(
                Exit::Usage,
                format!("`--accept {text}`: the spec has no `{address}`"),
                nearest(address.as_str(), known).map_or_else(
                    || "name a resource of the spec".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                ),
            ));
        }
        out.insert(address.to_string());
    }
    Ok(out)
}

/// Reads the recovery points that were chosen by hand.
pub(super) fn points(
    given: &[String],
    module: &Module,
    registry: &drplan_api::Registry,
) -> Result<BTreeMap<Address, String>, Failure> {
    let has_points = |address: &Address| {
        let block = module.resources.get(&address.block())?;
        let kind = registry
            .get_data(&block.kind)
            .filter(|_| address.is_data())?;
        let args = &kind.def().schema.args;
        args.iter().any(|arg| arg.name == POINT).then_some(())
    };
    let mut out = BTreeMap::new();
    for text in given {
        let Some((address, id)) = pair(text) else {
            return Err(Failure::refused(
                Exit::Usage,
                format!("`--point {text}` is not understood"),
                "write --point ADDRESS=ID; `drplan points` lists both",
            ));
        };
        if has_points(&address).is_none() {
            let all = module.resources.keys();
            let all = all.filter(|a| has_points(a).is_some());
            return Err(unknown(&address, all.map(Address::as_str)));
        }
        out.insert(address, id.to_owned());
    }
    Ok(out)
}

/// Makes sure that every pattern chooses something.
pub(super) fn patterns_choose(selection: &Selection, graph: &Graph) -> Result<(), Failure> {
    let is_step = |node: &&Node| !matches!(node.what, What::Barrier);
    let addresses = || {
        graph
            .nodes
            .values()
            .filter(is_step)
            .map(|node| &node.address)
    };
    let given = selection.targets.iter().map(|p| ("--target", p));
    let mut given = given.chain(selection.excludes.iter().map(|p| ("--exclude", p)));
    let unknown = given.find(|(_, pattern)| !addresses().any(|a| chooses(pattern, a)));
    let Some((option, pattern)) = unknown else {
        return Ok(());
    };
    Err(Failure::refused(
        Exit::Usage,
        format!("`{option} {pattern}` chooses nothing in the spec"),
        match nearest(pattern, addresses().map(Address::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "write an address, in which `*` stands for any text".to_owned(),
        },
    ))
}

/// Makes sure that what shall be done again can be, without harm to what is there.
pub(super) fn can_be_redone(given: &[String], plan: &Plan) -> Result<(), Failure> {
    let goals = || plan.steps.iter().filter(|s| is_goal(s));
    for text in given {
        let is_meant = |s: &&Step| {
            let (address, block) = (s.address.as_str(), s.address.block());
            address == text || block.as_str() == text
        };
        if !goals().any(|s| is_meant(&s)) {
            let near = nearest(text, goals().map(|s| s.address.as_str()));
            return Err(Failure::refused(
                Exit::Usage,
                format!("`--redo {text}`: the plan has no such step with a goal of its own"),
                near.map_or_else(
                    || "name a resource that is no guard".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                ),
            ));
        }
        if let Some(step) = goals()
            .filter(is_meant)
            .find(|s| matches!(s.what, Do::Late { .. }))
        {
            return Err(Failure::refused(
                Exit::Refused,
                format!(
                    "`{}` cannot be done again: what it does is decided when its turn comes",
                    step.address
                ),
                "leave out `--redo`, and give it once what the step waits for is there",
            ));
        }
        let mut meant = goals().filter(is_meant);
        let cannot = |s: &&Step| matches!(s.what, Do::Blocked { unreadable: false });
        if let Some(step) = meant.find(cannot) {
            return Err(Failure::refused(
                Exit::Refused,
                format!("`{}` cannot be done again: {}", step.address, step.because),
                "leave out `--redo`; what is lost comes back without it",
            ));
        }
    }
    Ok(())
}

/// Whether a step has a goal of its own: it makes something true that can be looked at.
pub(super) fn is_goal(step: &Step) -> bool {
    let acts = matches!(
        step.what,
        Do::Nothing | Do::Act { .. } | Do::Late { .. } | Do::Conflict | Do::Blocked { .. }
    );
    acts && step.guards.is_empty() && !step.address.is_data()
}

/// Makes sure that every point was chosen for an instance that is there.
pub(super) fn instances_are_there(
    points: &BTreeMap<Address, String>,
    expanded: &Expanded,
) -> Result<(), Failure> {
    let instances = || expanded.instances.iter().map(|i| &i.address);
    match points.keys().find(|a| !instances().any(|i| i == *a)) {
        None => Ok(()),
        Some(address) => {
            let of_block = instances().filter(|i| i.block() == address.block());
            Err(unknown(address, of_block.map(Address::as_str)))
        }
    }
}

fn unknown<'a>(address: &Address, among: impl Iterator<Item = &'a str>) -> Failure {
    let all: Vec<&str> = among.collect();
    Failure::refused(
        Exit::Usage,
        format!("`--point {address}=…`: the spec has no such source of recovery points"),
        match nearest(address.as_str(), all.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if all.is_empty() => "it has none at all".to_owned(),
            None => format!("its sources are: {}", all.join(", ")),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_ends_at_the_first_equals_sign_outside_of_its_key() {
        let of = |text: &str| pair(text).map(|(a, id)| (a.to_string(), id.to_owned()));
        let some = |a: &str, id: &str| Some((a.to_owned(), id.to_owned()));
        assert_eq!(of("data.k.n=a=b"), some("data.k.n", "a=b"));
        assert_eq!(of("data.k.n[\"x=y\"]=a"), some("data.k.n[\"x=y\"]", "a"));
        assert_eq!(of("k.n[\"a]\\\"=b\"]=c"), some("k.n[\"a]\\\"=b\"]", "c"));
        assert_eq!(of("k.n=see [\"x\"] = y"), some("k.n", "see [\"x\"] = y"));
        assert_eq!(of("data.k.n="), None);
        assert_eq!(of("=a"), None);
    }
}
