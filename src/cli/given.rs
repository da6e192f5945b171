//! How the variables of a plan got their values, so that one that is made anew gets the same.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::args::VarArgs;
use crate::plan::Given;
use crate::secrets::Secrets;
use crate::spec::variables::Variable;

/// What the command line and the environment gave. A value stands in it only if it is no secret, and holds none.
pub(super) fn given(
    vars: &VarArgs,
    environment: &BTreeMap<String, String>,
    declared: &BTreeMap<String, Variable>,
    secrets: &Secrets,
) -> Given {
    let in_sight = |name: &str, pair: &str| {
        let is_plain = declared.get(name).is_some_and(|v| !v.sensitive);
        is_plain && secrets.scrub(pair) == pair
    };
    let mut out = Given {
        files: vars
            .var_files
            .iter()
            .map(|file| file.display().to_string())
            .collect(),
        ..Given::default()
    };
    let mut others: BTreeSet<&str> = environment.keys().map(String::as_str).collect();
    others.retain(|name| declared.contains_key(*name));
    for pair in &vars.vars {
        let name = pair.split('=').next().unwrap_or_default();
        match in_sight(name, pair) {
            true => {
                others.remove(name);
                out.values.push(pair.clone());
            }
            false => drop(others.insert(name)),
        }
    }
    out.others = others.into_iter().map(str::to_owned).collect();
    out
}
