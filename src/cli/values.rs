//! Values of variables from outside. Later ones win: the environment, files, `--var`.

use std::collections::BTreeMap;

use drplan_api::Json;
use drplan_api::canonical;
use drplan_api::digest;

use super::Ambient;
use super::args::VarArgs;
use super::failure::Failure;
use crate::diag::Diagnostics;
use crate::diag::Sources;
use crate::plan::Plan;
use crate::report::Exit;
use crate::spec::Given;
use crate::spec::GivenVariables;
use crate::spec::Source;
use crate::spec::secret_text;
use crate::spec::values_of;

/// What a spec is given.
pub(super) fn of_spec(
    source: &mut Source,
    vars: &VarArgs,
    ambient: &Ambient,
) -> Result<GivenVariables, Failure> {
    let mut out = GivenVariables {
        env: ambient.variables(),
        surroundings: ambient.surroundings,
        cli: Vec::new(),
    };
    for path in &vars.var_files {
        out.cli.push(Given::File(source.add_values(path)?));
    }
    for pair in &vars.vars {
        let (name, text) = name_and_text(pair)?;
        out.cli.push(Given::Value(name.to_owned(), text.to_owned()));
    }
    Ok(out)
}

/// The secrets that a plan is given: it holds everything else, so that no spec is opened.
pub(super) fn of_plan(
    plan: &Plan,
    vars: &VarArgs,
    ambient: &Ambient,
) -> Result<BTreeMap<String, String>, Failure> {
    let mut out = ambient.variables();
    let (mut sources, mut diags) = (Sources::default(), Diagnostics::default());
    for path in &vars.var_files {
        let file = sources.add(path.display().to_string(), crate::spec_read(path)?);
        let values = values_of(&sources, file, &mut diags);
        out.extend(
            values
                .into_iter()
                .map(|(name, value)| (name, secret_text(&value))),
        );
    }
    if diags.has_errors() {
        return Err(Failure::Spec(Box::new((diags, sources))));
    }
    for pair in &vars.vars {
        let (name, text) = name_and_text(pair)?;
        out.insert(name.to_owned(), text.to_owned());
    }
    out.retain(|name, _| plan.head.secrets.contains(name));
    Ok(out)
}

/// Makes sure that every `--var` is a secret that a plan file waits for: it has decided the others.
pub(super) fn are_open(plan: &Plan, vars: &VarArgs) -> Result<(), Failure> {
    for pair in &vars.vars {
        let (name, text) = name_and_text(pair)?;
        if plan.head.secrets.iter().any(|secret| secret == name) || is_decided(plan, name, text) {
            continue;
        }
        let why = match plan.head.variables.contains_key(name) {
            true => "the plan has decided it, and by its digest not as this text",
            false => "the plan needs no such secret",
        };
        return Err(Failure::refused(
            Exit::Usage,
            format!("`--var {name}=…`: {why}"),
            "leave it out, or plan again with it",
        ));
    }
    Ok(())
}

/// Whether the plan was made with just this value, of which it keeps the digest.
fn is_decided(plan: &Plan, name: &str, text: &str) -> bool {
    let Some(decided) = plan.head.variables.get(name) else {
        return false;
    };
    // What was said when it was made, the command that goes on says again.
    let pair = format!("{name}={text}");
    if plan.head.given.values.contains(&pair) {
        return true;
    }
    let plain = Some(Json::from(text));
    let mut meant = [plain, serde_json::from_str(text).ok()]
        .into_iter()
        .flatten();
    meant.any(|json| digest(canonical(&json).as_bytes()) == *decided)
}

fn name_and_text(pair: &str) -> Result<(&str, &str), Failure> {
    pair.split_once('=').ok_or_else(|| {
        Failure::refused(
            Exit::Usage,
            format!("`--var {pair}` has no value"),
            "write --var NAME=VALUE",
        )
    })
}
