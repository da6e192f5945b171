//! `drplan revert dns RUN`.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Ambient;
use super::args::ApplyArgs;
use super::args::Cli;
use super::args::RevertArgs;
use super::consent::confirm;
use super::failure::Failure;
use super::open_store;
use super::print;
use super::run::Beginning;
use super::session::trusted;
use super::shown::Shown;
use super::signals;
use super::words::Words;
use super::world::World;
use super::world::world_of;
use crate::apply::Orders;
use crate::eyes::Eyes;
use crate::plan::Plan;
use crate::render;
use crate::report::Exit;
use crate::report::fold;
use crate::revert::RevertError;
use crate::revert::revert;
use crate::store::StoredRun;

pub(super) async fn run(cli: &Cli, args: &RevertArgs, ambient: &Ambient) -> Result<Exit, Failure> {
    let (store, _) = open_store::of_spec(cli, &args.vars, ambient).await?;
    let stored = store.open(&store.find(Some(&args.run)).await?).await?;
    let world = world_of(cli, &args.vars, &stored.plan, &stored.id, ambient)?;
    let plan = plan(&stored, &world, ambient).await?;
    print(&render::plan::summary(&plan, ambient.style()))?;
    if plan.is_empty() {
        return Ok(Exit::Ok);
    }
    if !args.auto_approve {
        confirm(&plan, ambient)?;
    }
    let again = Words::new(cli, &["revert", "dns", &stored.id]);
    let again = again.vars(&args.vars, &stored.plan);
    let beginning = Beginning {
        plan: Arc::new(plan),
        signature: None,
        resumed: None,
        refused: BTreeSet::new(),
        store,
        orders: Orders::default(),
        again,
        shown: Shown::default(),
        stop: signals::stops(ambient)?,
    };
    let apply = ApplyArgs::plain(args.vars.clone());
    super::run::run(cli, &apply, ambient, &world, beginning).await
}

/// The plan that takes back what the run did.
async fn plan(stored: &StoredRun, world: &World, ambient: &Ambient) -> Result<Plan, Failure> {
    let run = fold(&stored.plan, &stored.records.lines)
        .map_err(|illegal| Failure::senseless(&stored.id, &illegal))?;
    if run.seal != stored.seal {
        return Err(Failure::refused(
            Exit::Refused,
            format!(
                "the plan of run {} is not the one that it applied",
                stored.id
            ),
            format!("see `drplan evidence verify {}`", stored.id),
        ));
    }
    let eyes = Eyes {
        registry: &world.registry,
        observer: &world.observer,
        now: ambient.doors.clock.now(),
    };
    let plan = revert(&stored.plan, &run, &eyes).await;
    trusted(plan.map_err(|error| refused(&error))?)
}

fn refused(error: &RevertError) -> Failure {
    let (exit, hint) = match error {
        RevertError::Nothing { .. } => (Exit::Refused, "name a run that moved traffic"),
        RevertError::Cannot { .. } => (Exit::Refused, "nothing was changed"),
        RevertError::Changed { .. } => (
            Exit::Conflict,
            "nothing was changed; find out who changed it, and change it by hand if it must be",
        ),
    };
    Failure::refused(exit, error.to_string(), hint)
}
