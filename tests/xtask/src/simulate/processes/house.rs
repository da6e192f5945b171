//! A world that listens on loopback, and folders in which the real `drplan` runs against it.

use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::anyhow;
use anyhow::ensure;
use drplan::apply::Event;
use drplan::apply::Line;
use drplan::rehearse::Scene;
use drplan::store::read_journal;
use drplan_sandbox::world::Open;
use drplan_sandbox::world::Witness;
use tempfile::TempDir;

use super::super::canonical;
use super::super::canonical::State;
use super::super::course::Course;
use super::super::life::nobody;
use super::super::life::said;
use super::super::trace::Point;
use super::fuse::Ended;
use super::fuse::Fuse;
use crate::runs;
use crate::tree::copied;

/// The longest that one process may take.
const PROCESS_LIMIT: Duration = Duration::from_secs(60);
/// How often is looked whether a process has ended and what its journal holds.
const GLANCE: Duration = Duration::from_millis(2);
/// How much of what a process said an error shows, in bytes.
const TAIL_BYTES: usize = 1500;
/// The world file, which drplan itself has no business with.
const WORLD: &str = "rehearsal.hcl";

/// A world of another process than drplan's.
pub(super) struct House {
    scene: Scene,
    open: Open,
    fuse: Arc<Fuse>,
    dir: TempDir,
    spec: PathBuf,
    drplan: PathBuf,
}

impl House {
    /// Makes a world and opens it. Must be called inside of a runtime whose time passes.
    pub(super) async fn open(spec: &Path, drplan: &Path) -> Result<Self> {
        let scene = Scene::set(spec, Course::undisturbed().script(), &nobody()).map_err(said)?;
        let fuse = Arc::new(Fuse::default());
        scene.world().admit(Arc::clone(&fuse) as Arc<dyn Witness>);
        let open = scene.world().listen(([127, 0, 0, 1], 0).into()).await?;
        let dir = TempDir::with_prefix("drplan-processes-")?;
        let house = Self {
            scene,
            open,
            fuse,
            dir,
            spec: spec.to_owned(),
            drplan: drplan.to_owned(),
        };
        let (_, _, kubeconfig) = house.open.clusters.first().context("no cluster")?;
        std::fs::write(house.kubeconfig(), kubeconfig)?;
        std::fs::create_dir(house.place())?;
        Ok(house)
    }

    fn kubeconfig(&self) -> PathBuf {
        self.dir.path().join("kubeconfig")
    }

    fn place(&self) -> PathBuf {
        self.dir.path().join("place")
    }

    /// A machine: a folder with the spec and nothing else.
    pub(super) fn machine(&self, name: &str) -> Result<PathBuf> {
        let dir = self.dir.path().join(name);
        copied(&self.spec, &dir)?;
        std::fs::remove_file(dir.join(WORLD))?;
        Ok(dir)
    }

    /// Runs drplan on a machine until it ends, or until the point.
    pub(super) async fn run(
        &self,
        machine: &Path,
        args: &[&str],
        point: Option<Point>,
    ) -> Result<Ended> {
        let output = machine.join("said.txt");
        let file = File::create(&output)?;
        let errors = file.try_clone()?;
        let start = || {
            Command::new(&self.drplan)
                .args(args)
                .current_dir(machine)
                .env_clear()
                .env("PATH", "/usr/local/bin:/usr/bin:/bin")
                .env("DRPLAN_VAR_kubeconfig", self.kubeconfig())
                .env("DRPLAN_VAR_place", self.place())
                .stdin(Stdio::null())
                .stdout(file)
                .stderr(errors)
                .spawn()
        };
        self.fuse.watch(point, start).context("drplan starts")?;
        let began = Instant::now();
        loop {
            if let Some(ended) = self.fuse.ended()? {
                return Ok(ended);
            }
            if matches!(point, Some(Point::Record(_))) {
                // While a journal is made, nobody can read it yet.
                let records = journal(machine).map_or(0, |lines| lines.len());
                self.fuse.records(records as u64);
            }
            let line = args.join(" ");
            ensure!(
                began.elapsed() < PROCESS_LIMIT,
                "`drplan {line}` takes over {} s: {}",
                PROCESS_LIMIT.as_secs(),
                tail(machine)
            );
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Runs drplan to its end, which must be a success.
    pub(super) async fn must(&self, machine: &Path, args: &[&str]) -> Result<Ended> {
        let ended = self.run(machine, args, None).await?;
        match ended.code {
            Some(0) => Ok(ended),
            code => Err(anyhow!(
                "`drplan {}` ended with {code:?}: {}",
                args.join(" "),
                tail(machine)
            )),
        }
    }

    /// The state of the world, and what the programs of the spec left.
    pub(super) fn state(&self) -> Result<State> {
        let mut state = canonical::state(&self.scene);
        for entry in std::fs::read_dir(self.place())? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            state.insert(format!("file {name}"), Vec::new());
        }
        Ok(state)
    }
}

/// The folder of the only run on a machine; none before there is one.
fn run_of(machine: &Path) -> Result<Option<PathBuf>> {
    let runs = runs::of(machine)?;
    ensure!(runs.len() < 2, "there are more runs than one: {runs:?}");
    Ok(runs.into_iter().next())
}

/// The records of the only run on a machine; none before there is one.
pub(super) fn journal(machine: &Path) -> Result<Vec<Line>> {
    let journal = run_of(machine)?.map(|run| runs::journal(&run));
    match journal.filter(|path| path.exists()) {
        Some(path) => Ok(read_journal(&path)?.lines),
        None => Ok(Vec::new()),
    }
}

/// The id of the run that must be gone on with; none if it ended well, or died before it had a plan.
pub(super) fn open_run(machine: &Path) -> Result<Option<String>> {
    let over = |line: &Line| matches!(line.record, Event::RunEnded { exit_code: 0 });
    let is_over = journal(machine)?.last().is_some_and(over);
    let run = run_of(machine)?.filter(|run| !is_over && run.join("plan.json").exists());
    run.as_deref().map(runs::id).transpose()
}

/// The end of what drplan said on a machine.
fn tail(machine: &Path) -> String {
    let text = std::fs::read(machine.join("said.txt")).unwrap_or_default();
    let from = text.len().saturating_sub(TAIL_BYTES);
    String::from_utf8_lossy(&text[from..]).into_owned()
}
