//! Brings a part up on a locked site: what all parts share.
//!
//! Knows nothing about how a part is made ready.

use std::path::PathBuf;

use anyhow::Context;
use anyhow::Result;

use super::Part;
use super::SiteDir;
use super::control_plane;
use super::postgres;
use super::state::State;
use super::velero;
use crate::components::Components;
use crate::launch::Launch;
use crate::process::Ending;
use crate::process::end_all;

/// Fake nodes unless told otherwise.
const NODES: usize = 3;

/// What differs from site to site.
#[derive(Clone, Debug)]
pub struct UpOptions {
    /// How many fake nodes the control plane gets.
    pub nodes: usize,
    /// The AWS credentials file that Velero's server uses; it may run without one and then reads
    /// only locations that name a Secret.
    pub aws_credentials: Option<PathBuf>,
    /// The program that restarts Velero, called as `PROGRAM site keep-velero --dir DIR`.
    pub keeper: PathBuf,
}

impl UpOptions {
    /// Options for a program that is its own keeper, as xtask is.
    ///
    /// # Errors
    ///
    /// When the program does not know where it lies.
    pub fn with_this_program_as_keeper() -> Result<Self> {
        let keeper = std::env::current_exe().context("cannot tell where this program lies")?;
        Ok(Self {
            nodes: NODES,
            aws_credentials: None,
            keeper,
        })
    }
}

/// What a part is built on.
pub(super) struct Bench<'b> {
    pub(super) site: &'b SiteDir,
    pub(super) components: &'b Components,
    pub(super) state: &'b mut State,
}

impl Bench<'_> {
    /// Starts a process and writes it down before anything else happens.
    pub(super) fn start(&mut self, name: &str, launch: Launch) -> Result<()> {
        let log = self.site.logs().join(format!("{name}.log"));
        let home = self.site.path().join("home");
        let process = launch.start(&home, &self.state.mark, &log)?;
        self.state.processes.insert(name.to_owned(), process);
        self.state.save(self.site.path())
    }

    /// Ends those of the named processes that run.
    pub(super) fn end(&mut self, names: &[&str]) -> Result<()> {
        let named: Vec<_> = names
            .iter()
            .filter_map(|name| self.state.processes.get(*name))
            .collect();
        end_all(&named, Ending::Abrupt)?;
        self.state
            .processes
            .retain(|name, _| !names.contains(&name.as_str()));
        self.state.save(self.site.path())
    }
}

pub(super) async fn bring_up(
    site: &SiteDir,
    components: &Components,
    state: &mut State,
    part: Part,
    options: &UpOptions,
) -> Result<()> {
    std::fs::create_dir_all(site.logs())
        .with_context(|| format!("cannot create `{}`", site.logs().display()))?;
    state.save(site.path())?;
    let mut bench = Bench {
        site,
        components,
        state,
    };
    match part {
        Part::ControlPlane => control_plane::up(&mut bench, options.nodes).await,
        Part::Velero => velero::up(&mut bench, options).await,
        Part::Postgres => postgres::up(&mut bench).await,
    }
}
