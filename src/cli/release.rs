//! `drplan release`.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Ambient;
use super::args::ApplyArgs;
use super::args::Cli;
use super::args::PlanningArgs;
use super::args::ReleaseArgs;
use super::consent::confirm;
use super::failure::Failure;
use super::open_store;
use super::print;
use super::run::Beginning;
use super::session::Session;
use super::session::applicable;
use super::session::trusted;
use super::shown::Shown;
use super::signals;
use super::talk;
use super::words::Words;
use super::world::World;
use crate::apply::Orders;
use crate::eyes::Eyes;
use crate::release::release;
use crate::render;
use crate::report::Exit;

pub(super) async fn run(cli: &Cli, args: &ReleaseArgs, ambient: &Ambient) -> Result<Exit, Failure> {
    let session = Session::open(&cli.chdir, &args.vars, ambient)?;
    let planning = PlanningArgs {
        vars: args.vars.clone(),
        lost: args.lost.clone(),
        ..PlanningArgs::default()
    };
    let whole = session.plan(&planning, ambient, false).await?;
    let eyes = Eyes {
        registry: &session.registry,
        observer: &session.observer,
        now: ambient.doors.clock.now(),
    };
    let found = release(&whole, &eyes).await;
    for (conn, why) in &found.unseen {
        talk(&format!("`{conn}` was not looked at: {why}"));
    }
    let plan = trusted(found.plan)?;
    print(&render::plan::summary(&plan, ambient.style()))?;
    if plan.is_empty() {
        return Ok(Exit::Ok);
    }
    applicable(&plan)?;
    if !args.auto_approve {
        confirm(&plan, ambient)?;
    }
    let store = open_store::of_plan(&plan, &session.observer, &cli.chdir).await?;
    let mut again = Words::new(cli, &["release"]);
    again.all("--lost", &args.lost);
    let again = again.vars(&args.vars, &plan);
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
    let world = World::from(session);
    let apply = ApplyArgs::plain(args.vars.clone());
    super::run::run(cli, &apply, ambient, &world, beginning).await
}
