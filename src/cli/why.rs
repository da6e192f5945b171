//! `drplan why A` and `drplan why A B`.

use super::Ambient;
use super::args::Cli;
use super::args::WhyArgs;
use super::failure::Failure;
use super::print;
use super::session::Session;
use crate::plan::Plan;
use crate::render;
use crate::report::Exit;
use crate::spec::nearest;

pub(super) async fn run(cli: &Cli, args: &WhyArgs, ambient: &Ambient) -> Result<Exit, Failure> {
    let (plan, session) = match &args.plan {
        Some(path) => (crate::plan::read(path)?, None),
        None => {
            let session = Session::open(&cli.chdir, &args.planning.vars, ambient)?;
            (
                session.plan(&args.planning, ambient, false).await?,
                Some(session),
            )
        }
    };
    let sources = session.as_ref().map(|s| &s.source.sources);
    let first = find(&plan, &args.address)?;
    let Some(waits) = &args.waits else {
        print(&render::why::one(&plan, first, sources, ambient.style()))?;
        return Ok(Exit::Ok);
    };
    let second = find(&plan, waits)?;
    print(&render::why::two(&plan, first, second, sources))?;
    Ok(Exit::Ok)
}

fn find(plan: &Plan, address: &str) -> Result<usize, Failure> {
    plan.steps
        .iter()
        .position(|s| s.address.as_str() == address)
        .ok_or_else(|| {
            let near = nearest(address, plan.steps.iter().map(|s| s.address.as_str()));
            Failure::refused(
                Exit::Usage,
                format!("the plan has no step `{address}`"),
                near.map_or_else(
                    || "name a step of the plan".to_owned(),
                    |n| format!("did you mean `{n}`?"),
                ),
            )
        })
}
