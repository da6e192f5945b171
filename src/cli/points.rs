//! `drplan points`.

use super::Ambient;
use super::args::Cli;
use super::args::PointsArgs;
use super::failure::Failure;
use super::print;
use super::session::Session;
use crate::render;
use crate::report::Exit;
use crate::report::plan_verdict;

pub(super) async fn run(cli: &Cli, args: &PointsArgs, ambient: &Ambient) -> Result<Exit, Failure> {
    let session = Session::open(&cli.chdir, &args.planning.vars, ambient)?;
    let plan = session
        .plan_live(&args.planning, args.live.as_deref(), ambient)
        .await?;
    print(&if args.json {
        let json = render::points::json(&plan);
        serde_json::to_string_pretty(&json).map_err(anyhow::Error::from)? + "\n"
    } else {
        render::points::text(&plan, ambient.style())
    })?;
    // A conflict somewhere says nothing about the points.
    Ok(match plan_verdict(&plan, false) {
        Exit::Incomplete => Exit::Incomplete,
        _ => Exit::Ok,
    })
}
