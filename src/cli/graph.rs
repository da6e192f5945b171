//! `drplan graph`.

use super::Ambient;
use super::args::Cli;
use super::args::GraphArgs;
use super::args::GraphFormat;
use super::args::PlanningArgs;
use super::failure::Failure;
use super::print;
use super::session::Session;
use crate::render;
use crate::report::Exit;

pub(super) async fn run(cli: &Cli, args: &GraphArgs, ambient: &Ambient) -> Result<Exit, Failure> {
    let plan = match &args.plan {
        Some(path) => crate::plan::read(path)?,
        None => {
            let session = Session::open(&cli.chdir, &args.vars, ambient)?;
            let planning = PlanningArgs {
                vars: args.vars.clone(),
                ..PlanningArgs::default()
            };
            session.plan(&planning, ambient, true).await?
        }
    };
    print(&match args.format {
        GraphFormat::Dot => render::graph::dot(&plan),
        GraphFormat::Mermaid => render::graph::mermaid(&plan),
    })?;
    Ok(Exit::Ok)
}
