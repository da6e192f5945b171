//! A `helm` of the rehearsal world: `show chart` and `upgrade --install` of charts in folders.
//!
//! It reads the real chart and the real values, writes the objects through the API as Helm does, and
//! keeps releases in Secrets in Helm's own format. What it does not know it refuses by name: chart
//! repositories, hooks, and templates beyond values and a few filters.

mod arguments;
mod chart;
mod release;
mod template;
mod upgrade;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use drplan_api::Fut;
use drplan_api::Network;
use drplan_api::process::Output;
use drplan_api::process::Program;

use crate::world::Said;
use crate::world::Tool;
use arguments::Command;

/// How long a `helm` takes to start and render.
const STARTS_IN: Duration = Duration::from_millis(400);

/// The program `helm`.
pub struct Helm {
    network: Arc<dyn Network>,
    clock: drplan_api::Clock,
}

impl Helm {
    /// A `helm` that reaches clusters over a network.
    #[must_use]
    pub fn new(network: Arc<dyn Network>, clock: drplan_api::Clock) -> Self {
        Self { network, clock }
    }

    async fn execute(&self, program: &Program) -> Result<String, String> {
        tokio::time::sleep(STARTS_IN).await;
        match arguments::read(program)? {
            Command::ShowChart { chart } => chart::Chart::open(&chart).map(|c| c.description),
            Command::Upgrade(wanted) => {
                upgrade::upgrade(&wanted, Arc::clone(&self.network), &self.clock).await
            }
        }
    }
}

impl Tool for Helm {
    fn knows(&self, program: &Program) -> bool {
        let name = program.argv.first().map(Path::new);
        name.and_then(Path::file_name).is_some_and(|n| n == "helm")
    }

    fn run<'a>(&'a self, program: &'a Program, _: &'a Said) -> Fut<'a, Output> {
        Box::pin(async move {
            let (code, stdout, stderr) = match self.execute(program).await {
                Ok(said) => (0, said, String::new()),
                Err(why) => (1, String::new(), format!("Error: {why}\n")),
            };
            Output {
                code: Some(code),
                stdout: stdout.into_bytes(),
                stderr: stderr.into_bytes(),
            }
        })
    }
}
