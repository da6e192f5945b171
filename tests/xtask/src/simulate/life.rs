//! One life: a world, and runs in it until the recovery is complete.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::anyhow;
use drplan::apply::Line;
use drplan::apply::Outcome;
use drplan::apply::Sink;
use drplan::apply::Stop;
use drplan::cli::Ambient;
use drplan::cli::Failure;
use drplan::plan::Plan;
use drplan::rehearse::Scene;
use drplan::report::Exit;
use drplan::report::done_without;
use drplan::report::verdict;
use drplan::store::read_journal;
use drplan_api::Address;
use drplan_sandbox::world::Witness;

use super::canonical;
use super::canonical::State;
use super::course::Course;
use super::course::Crash;
use super::entry::Entry;
use super::foreign;
use super::foreign::Others;
use super::trace::Point;
use super::trace::Trace;

/// How many runs a recovery may need, crashes and failures included.
const RUNS_MAX: usize = 16;
/// How often the last plan is made anew where it met a fault.
const LOOKS_MAX: usize = 8;
/// How much time passes after a run that ended without being complete.
const AFTER_FAILURE: Duration = Duration::from_secs(60);
/// How much time passes until what goes on by itself has come to rest.
const REST: Duration = Duration::from_secs(10 * 60);

/// One run of a life.
pub(super) struct Run {
    /// Which folder it kept its journal and private files in; a new one was empty.
    pub(super) folder: usize,
    /// Where it was cut off, if it was.
    pub(super) crashed: Option<Point>,
    /// Its plan, if it came so far.
    pub(super) plan: Option<Arc<Plan>>,
    /// How it ended, if it did.
    pub(super) end: Option<End>,
    /// What its journal holds.
    pub(super) journal: Vec<Line>,
}

/// How a run ended.
pub(super) struct End {
    /// The exit code.
    pub(super) exit: Exit,
    /// How each step ended.
    pub(super) outcomes: BTreeMap<Address, Outcome>,
    /// The best-effort steps that it is complete without; `None` if it is not complete.
    pub(super) without: Option<Vec<Address>>,
}

/// A life that was lived.
pub(super) struct Life {
    /// Its runs, in order.
    pub(super) runs: Vec<Run>,
    /// All that happened, in order.
    pub(super) trace: Vec<Entry>,
    /// What the last plan still has, the steps left out that it is complete without.
    pub(super) left: Vec<String>,
    /// The plan after everything.
    pub(super) after: Arc<Plan>,
    /// The state in the end.
    pub(super) state: State,
    /// The world in the end.
    pub(super) scene: Scene,
    /// How many records and requests the first run had.
    pub(super) first: (u64, u64),
    /// How many requests there were.
    pub(super) requests: u64,
    /// How many of them changed something, and how many made something new.
    pub(super) writes: (u64, u64),
    /// The text that stands for this machine in what happened.
    pub(super) place: String,
}

impl Life {
    /// Whether the last run was complete.
    pub(super) fn is_complete(&self) -> bool {
        let last = self.runs.last().and_then(|run| run.end.as_ref());
        last.is_some_and(|end| end.without.is_some())
    }

    /// All that happened, a line each, without what stands for this machine.
    pub(super) fn lines(&self) -> Vec<String> {
        let line = |entry| serde_json::to_string(entry).unwrap_or_default();
        let lines = self.trace.iter().map(line);
        lines.map(|l| l.replace(&self.place, "STAGE")).collect()
    }
}

/// Where runs keep their journals and private folders: beside the spec, as in life.
struct Folders<'a> {
    spec: &'a Path,
    count: usize,
}

impl<'a> Folders<'a> {
    fn beside(spec: &'a Path) -> Result<Self> {
        let folders = Self { spec, count: 0 };
        std::fs::create_dir(folders.current())?;
        Ok(folders)
    }

    fn current(&self) -> PathBuf {
        self.spec.join(format!(".drplan-{}", self.count))
    }

    fn leave(&mut self) -> Result<()> {
        self.count += 1;
        Ok(std::fs::create_dir(self.current())?)
    }
}

/// Lives a course. Must be called inside of a runtime of its own, whose time is paused.
pub(super) async fn live(spec: &Path, course: &Course) -> Result<Life> {
    let scene = Scene::set(spec, course.script(), &nobody()).map_err(said)?;
    let trace = Trace::new(scene.ambient().doors.clock.clone(), course.lost.clone());
    scene.world().admit(Arc::clone(&trace) as Arc<dyn Witness>);
    let others = foreign::settle(&scene)?;
    let mut folders = Folders::beside(scene.dir())?;
    let mut crashes = course.crashes.iter();
    let mut runs: Vec<Run> = Vec::new();
    let mut first = None;
    loop {
        let crash = crashes.next();
        let run = one(&scene, &trace, (&folders, &others), runs.len(), crash).await?;
        first.get_or_insert(trace.counts());
        let complete = run.end.as_ref().is_some_and(|end| end.without.is_some());
        let crashed = run.crashed.is_some();
        runs.push(run);
        if complete || runs.len() == RUNS_MAX {
            break;
        }
        if let Some(crash) = crash.filter(|_| crashed) {
            tokio::time::sleep(crash.pause).await;
            if crash.empty_folder {
                folders.leave()?;
            }
        } else {
            tokio::time::sleep(AFTER_FAILURE).await;
        }
    }
    trace.begin(runs.len(), None);
    tokio::time::sleep(REST).await;
    let without = runs.last().and_then(|run| run.end.as_ref());
    let without = without
        .and_then(|end| end.without.clone())
        .unwrap_or_default();
    let (after, left) = look_again(&scene, &without).await?;
    Ok(Life {
        runs,
        trace: trace.entries(),
        left,
        after,
        state: canonical::state(&scene),
        first: first.unwrap_or_default(),
        requests: trace.sent(),
        writes: trace.writes(),
        place: scene.dir().display().to_string(),
        scene,
    })
}

/// One run, from its plan to its end or to its crash.
async fn one(
    scene: &Scene,
    trace: &Arc<Trace>,
    (folders, others): (&Folders<'_>, &Others),
    n: usize,
    crash: Option<&Crash>,
) -> Result<Run> {
    let store = &folders.current();
    let point = crash.map(|crash| crash.at);
    trace.begin(n, point);
    let name = format!("run-{n}");
    let mut plan = None;
    let whole = async {
        let planned = scene.plan().await.map_err(said)?;
        plan = Some(Arc::clone(&planned.plan));
        others.learn(&planned.plan);
        let sink = Arc::clone(trace) as Arc<dyn Sink>;
        let ending = scene.apply(&planned, store, &name, sink).await?;
        let exit = verdict(&planned.plan, &ending.outcomes, Stop::No, None);
        let without = done_without(&planned.plan, &ending.outcomes);
        anyhow::Ok(End {
            exit,
            without: without.filter(|_| exit == Exit::Ok || exit == Exit::Partial),
            outcomes: ending.outcomes,
        })
    };
    // Whoever is cut off does nothing more, whatever would be ready at the same time.
    let end = tokio::select! {
        biased;
        () = trace.burnt() => None,
        end = whole => Some(end?).filter(|_| !trace.is_cut()),
    };
    trace.after_crash();
    let journal = store.join(format!("{name}.jsonl"));
    Ok(Run {
        folder: folders.count,
        crashed: point.filter(|_| end.is_none()),
        plan,
        end,
        journal: match journal.exists() {
            true => {
                read_journal(&journal)
                    .context("the journal of a run")?
                    .lines
            }
            false => Vec::new(),
        },
    })
}

/// Plans once more, and anew where reading met a fault. Returns what is left.
async fn look_again(scene: &Scene, without: &[Address]) -> Result<(Arc<Plan>, Vec<String>)> {
    let mut look = 0;
    loop {
        look += 1;
        let plan = scene.plan().await.map_err(said)?.plan;
        let acting = plan.steps.iter().filter(|s| s.is_action());
        let left = acting.filter(|s| !without.contains(&s.address));
        let left: Vec<String> = left
            .map(|s| format!("{}: {}", s.address, s.because))
            .collect();
        if left.is_empty() || look == LOOKS_MAX {
            return Ok((plan, left));
        }
        tokio::time::sleep(AFTER_FAILURE).await;
    }
}

/// The surroundings of nobody: the variables of a person at this machine have no meaning.
pub(super) fn nobody() -> Ambient {
    let mut ambient = Ambient::of_this_process();
    ambient.env.clear();
    ambient.can_ask = false;
    ambient.quiet = true;
    ambient
}

pub(super) fn said(failure: Failure) -> anyhow::Error {
    let style = drplan::render::style::Style {
        color: false,
        width: 100,
    };
    anyhow!("{}", failure.render(style))
}
