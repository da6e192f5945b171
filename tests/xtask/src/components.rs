//! `cargo xtask components`: builds what the tests run against.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use drplan_harness::components::RECIPES;
use drplan_harness::components::Recipe;
use drplan_harness::components::Wanted;
use drplan_harness::components::build;
use drplan_harness::components::ensure_postgres;

/// The one component that is installed and not built.
const POSTGRESQL: &str = "postgresql";

/// Build the real components into the cache, once
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these; `opentofu` is built only when it is named [default: all others]
    names: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let (recipes, wants_postgres) = chosen(&args.names)?;
    for recipe in recipes {
        let outcome = build(recipe)?;
        let how = if outcome.was_cached {
            "cached"
        } else {
            "built"
        };
        println!(
            "{:<22} {how:<9} {:>6.1} s",
            recipe.name,
            outcome.took.as_secs_f64()
        );
    }
    if wants_postgres {
        let start = Instant::now();
        ensure_postgres()?;
        println!(
            "{POSTGRESQL:<22} {:<9} {:>6.1} s",
            "installed",
            start.elapsed().as_secs_f64()
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn chosen(names: &[String]) -> Result<(Vec<&'static Recipe>, bool)> {
    if names.is_empty() {
        let always = RECIPES
            .iter()
            .filter(|recipe| recipe.wanted == Wanted::Always);
        return Ok((always.collect(), true));
    }
    let built = names.iter().filter(|name| *name != POSTGRESQL);
    let recipes = built
        .map(|name| Recipe::named(name))
        .collect::<Result<_>>()?;
    Ok((recipes, names.iter().any(|name| name == POSTGRESQL)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(given: &[&str]) -> (Vec<&'static str>, bool) {
        let given: Vec<String> = given.iter().map(|name| (*name).to_owned()).collect();
        let (recipes, wants_postgres) = chosen(&given).unwrap();
        (
            recipes.iter().map(|recipe| recipe.name).collect(),
            wants_postgres,
        )
    }

    #[test]
    fn opentofu_is_built_only_when_it_is_named() {
        let (all, wants_postgres) = names(&[]);
        assert!(all.contains(&"etcd") && !all.contains(&"opentofu") && wants_postgres);
        assert_eq!(names(&["opentofu"]), (vec!["opentofu"], false));
        assert_eq!(names(&["postgresql"]), (vec![], true));
    }
}
