//! The command lines of a spec, as far as they can be read without planning it.

use std::collections::BTreeSet;

use drplan_api::Standing;
use drplan_sandbox::world::CommandLine;
use drplan_sandbox::world::STARTERS;

use super::value::word;
use crate::lang::Attr;
use crate::lang::Node;
use crate::spec::Module;
use crate::spec::ResourceBlock;

/// The command lines of one resource; `None` if one of them cannot be read.
pub(super) fn of(resource: &ResourceBlock) -> Option<Vec<CommandLine>> {
    let Some(starter) = STARTERS.iter().find(|s| s.kind == resource.kind) else {
        return Some(Vec::new());
    };
    let folder = match resource.args.get(starter.folder) {
        Some(attr) => word(&attr.expr),
        None => Some(String::new()),
    };
    let names = starter.lines.iter();
    let given = names.filter_map(|name| resource.args.get(*name));
    let line = |attr: &Attr| {
        let Node::Tuple(words) = &attr.expr.node else {
            return None;
        };
        let words: Vec<Option<String>> = words.iter().map(word).collect();
        words.first()?.as_ref()?;
        Some(CommandLine {
            words,
            folder: folder.clone(),
        })
    };
    given.map(line).collect()
}

/// The command lines that can be read. Where the spec does not say plainly where a resource runs them, they
/// run wherever a check of it was recorded.
pub(in crate::rehearse) fn commands(module: &Module, recorded: &[&Standing]) -> Vec<CommandLine> {
    let mut out = Vec::new();
    for lines in module.resources.values().filter_map(of) {
        let folders = folders(&lines, recorded);
        for line in lines {
            let unknown = line.folder.is_none();
            let known = folders
                .iter()
                .filter(|_| unknown)
                .map(|folder| CommandLine {
                    folder: Some((*folder).to_owned()),
                    ..line.clone()
                });
            out.extend(known);
            out.push(line);
        }
    }
    out
}

/// Where programs ran that may be one of these.
fn folders<'r>(lines: &[CommandLine], recorded: &[&'r Standing]) -> BTreeSet<&'r str> {
    let ran = recorded.iter().filter_map(|one| match one {
        Standing::Ended { argv, cwd, .. } => Some((argv, cwd.as_str())),
        _ => None,
    });
    ran.filter(|(argv, _)| lines.iter().any(|line| line.may_be(argv)))
        .map(|(_, cwd)| cwd)
        .collect()
}
