//! The PostgreSQL servers of a world, and the client programs that reach them.

use std::collections::BTreeMap;
use std::sync::Arc;

use drplan_api::Clock;
use drplan_api::Fut;
use drplan_api::process::Output;
use drplan_api::process::Program;
use drplan_sandbox_postgres::Options;
use drplan_sandbox_postgres::Role;
use drplan_sandbox_postgres::Server;
use drplan_sandbox_postgres::Tools;
use tokio::io::DuplexStream;

use super::WorldError;
use super::faults::Faults;
use super::file::PostgresPart;
use super::network::Listener;
use super::power::Machine;
use super::power::Power;
use super::programs::Said;
use super::programs::Tool;
use super::seeds::seed_of;
use super::troubles::Drawn;

/// The database that a URL of a server names: one that is always there.
const DATABASE: &str = "postgres";

/// A PostgreSQL server that can be started and stopped.
pub(super) struct DatabaseMachine {
    pub(super) server: Server,
    url: String,
    version: (u32, u32),
}

impl DatabaseMachine {
    pub(super) fn new(
        name: &str,
        part: &PostgresPart,
        clock: Clock,
        identity: u64,
        faults: Arc<Faults>,
    ) -> Result<Self, WorldError> {
        let troubles = Arc::new(Drawn::new(faults, name));
        let mut options = Options::new(clock, identity).troubled(troubles);
        options.version = version(name, part)?;
        options.roles = vec![Role::superuser(&part.user, Some(&part.password))];
        options
            .roles
            .extend(part.roles.iter().map(|r| Role::group(r)));
        let mut url = url(name, part)?;
        // Neither can fail for a URL with a host.
        url.set_username(&part.user).unwrap_or_default();
        url.set_password(Some(&part.password)).unwrap_or_default();
        Ok(Self {
            server: Server::new(options),
            url: url.to_string(),
            version: version(name, part)?,
        })
    }
}

/// The number of a server that was never anywhere else.
pub(super) fn identity(seed: u64, name: &str) -> u64 {
    // SQL shows it as a number with a sign.
    seed_of(seed, &format!("postgres.{name}")) >> 1
}

fn url(name: &str, part: &PostgresPart) -> Result<url::Url, WorldError> {
    let text = format!("postgres://{}/{DATABASE}", part.address);
    text.parse().map_err(|_| WorldError::Value {
        at: format!("`address` of postgres \"{name}\""),
        value: part.address.clone(),
        wanted: "a place such as db.example:5432",
    })
}

/// The version as a world file writes it: `17` or `17.6`.
fn version(name: &str, part: &PostgresPart) -> Result<(u32, u32), WorldError> {
    let Some(text) = &part.version else {
        return Ok(VERSION_DEFAULT);
    };
    let (major, minor) = text.split_once('.').unwrap_or((text, "0"));
    match (major.parse(), minor.parse()) {
        (Ok(major), Ok(minor)) => Ok((major, minor)),
        _ => Err(WorldError::Value {
            at: format!("`version` of postgres \"{name}\""),
            value: text.clone(),
            wanted: "a version such as 17 or 17.6",
        }),
    }
}

/// The version of a server if the world file does not say, and of the client programs.
const VERSION_DEFAULT: (u32, u32) = (17, 6);

impl Machine for DatabaseMachine {
    fn start(&self) {}

    fn stop(&self) {}

    fn access(&self) -> String {
        self.url.clone()
    }

    fn balancer(&self, _: &str, _: &str) -> Option<String> {
        None
    }
}

impl Listener for DatabaseMachine {
    fn serve(&self, stream: DuplexStream) {
        let server = self.server.clone();
        // A session that breaks is its client's to complain about.
        tokio::spawn(async move { server.serve(stream).await.ok() });
    }
}

/// The client programs. They reach the servers that run.
pub(super) struct Clients(Tools);

impl Clients {
    pub(super) fn new(
        places: BTreeMap<(String, u16), (String, Arc<DatabaseMachine>)>,
        power: Power,
        faults: Arc<Faults>,
    ) -> Self {
        let newest = places.values().map(|(_, m)| m.version).max();
        Self(Tools::new(
            newest.unwrap_or(VERSION_DEFAULT),
            move |host, port| {
                let (name, machine) = places.get(&(host.to_owned(), port))?;
                let answers = power.runs(name) && !faults.refuses(host, port);
                answers.then(|| machine.server.clone())
            },
        ))
    }
}

impl Tool for Clients {
    fn knows(&self, program: &Program) -> bool {
        self.0.knows(program)
    }

    fn run<'a>(&'a self, program: &'a Program, said: &'a Said) -> Fut<'a, Output> {
        Box::pin(self.0.run(program, said))
    }
}
