//! One life: a world, a plan, a change, and the apply of the plan.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Result;
use anyhow::anyhow;
use drplan::apply::Event;
use drplan::apply::Outcome;
use drplan::apply::Sink;
use drplan::apply::Stop;
use drplan::cli::Ambient;
use drplan::cli::Failure;
use drplan::cli::VarArgs;
use drplan::rehearse::Failures;
use drplan::rehearse::Planned;
use drplan::rehearse::Scene;
use drplan::rehearse::Script;
use drplan::rehearse::Turnstile;
use drplan::report::Exit;
use drplan::report::verdict;
use drplan_api::Address;

use super::change::Change;

/// The stack of the thread that a life runs in; futures of a debug build are large.
const STACK_BYTES: usize = 32 * 1024 * 1024;
/// How many lives are lived side by side.
const JOBS: usize = 2;
/// How much time passes until what goes on by itself has come to rest.
const REST: Duration = Duration::from_secs(120);

/// What every spec begins with.
const CONNECTIONS: &str = include_str!("connections.dr.hcl");
/// The world of every life.
const WORLD: &str = include_str!("world.hcl");

/// A life that was lived.
pub(crate) struct Lived {
    pub(crate) exit: Exit,
    pub(crate) outcomes: BTreeMap<Address, Outcome>,
    /// The steps whose effects were begun.
    pub(crate) begun: BTreeSet<Address>,
    planned: Vec<String>,
}

impl Lived {
    /// All of it, for whoever must find out what was wrong.
    pub(crate) fn told(&self) -> String {
        let plan = self.planned.join("; ");
        format!("planned: {plan}\n    ended: {:?}", self.outcomes)
    }
}

/// The events of a run that tell what was begun.
#[derive(Default)]
struct Begun(Mutex<BTreeSet<Address>>);

impl Sink for Begun {
    fn hear(&self, _: u64, event: &Event) {
        if let Event::EffectStarted { address, .. } = event {
            let mut begun = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            begun.insert(address.clone());
        }
    }
}

/// Lives in a thread and a runtime of its own.
pub(crate) fn live(
    spec: &str,
    applied: bool,
    before: &[Change],
    change: &[Change],
) -> Result<Lived> {
    let life = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let turnstile = Turnstile::default();
        turnstile.between(&mut builder);
        let runtime = builder.enable_time().build()?;
        let lived = runtime.block_on(one(spec, applied, before, change));
        turnstile.open();
        runtime.shutdown_background();
        lived
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        let thread = thread.spawn_scoped(scope, life)?;
        thread.join().map_err(|_| anyhow!("it panicked"))?
    })
}

async fn one(spec: &str, applied: bool, before: &[Change], change: &[Change]) -> Result<Lived> {
    let dir = tempfile::tempdir()?;
    let data = folder("examples/shop/data/shop-backups");
    std::fs::write(
        dir.path().join("main.dr.hcl"),
        format!("{CONNECTIONS}{spec}"),
    )?;
    let world = WORLD.replace("BACKUPS", &data);
    std::fs::write(dir.path().join("rehearsal.hcl"), world)?;
    for name in ["charts", "manifests", "velero"] {
        copied(
            Path::new(&folder("examples/shop")).join(name).as_path(),
            &dir.path().join(name),
        )?;
    }
    let script = Script {
        vars: VarArgs::default(),
        faults: None,
        fail: Arc::new(Failures::parse(&[])),
        parallelism: 4,
    };
    let scene = Scene::set(dir.path(), script, &nobody()).map_err(said)?;
    Change::Run(&["bin/site", "hand-over"])
        .happen(&scene)
        .await?;
    if applied {
        let planned = scene.plan().await.map_err(said)?;
        let lived = apply(&scene, &planned, "before").await?;
        if lived.exit != Exit::Ok {
            return Err(anyhow!(
                "it could not be applied at first: {}",
                lived.told()
            ));
        }
        // What the neighbours did is done again, or they would prove nothing.
        Change::Run(&["bin/site", "forget"]).happen(&scene).await?;
        tokio::time::sleep(REST).await;
    }
    for change in before {
        change.happen(&scene).await?;
    }
    let planned = scene.plan().await.map_err(said)?;
    for change in change {
        change.happen(&scene).await?;
    }
    // The plan is applied through connections of its own, as in another process.
    let planned = scene.reopen(&planned).map_err(said)?;
    apply(&scene, &planned, "run").await
}

async fn apply(scene: &Scene, planned: &Planned, run: &str) -> Result<Lived> {
    let store = scene.dir().join(format!(".drplan-{run}"));
    std::fs::create_dir(&store)?;
    let begun = Arc::new(Begun::default());
    let sink = Arc::clone(&begun) as Arc<dyn Sink>;
    let ending = scene.apply(planned, &store, run, sink).await?;
    let plan = &planned.plan;
    let begun = begun.0.lock().unwrap_or_else(PoisonError::into_inner);
    let told = plan.steps.iter().filter(|s| s.kind != "barrier");
    Ok(Lived {
        exit: verdict(plan, &ending.outcomes, Stop::No, None),
        outcomes: ending.outcomes,
        begun: begun.clone(),
        planned: told
            .map(|s| format!("{}: {}", s.address, s.because))
            .collect(),
    })
}

/// Works on all of something in a few threads; the results come in order.
pub(crate) fn side_by_side<T: Sync, R: Send>(all: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..JOBS {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let Some(one) = all.get(n) else { break };
                    let result = work(one);
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    done.insert(n, result);
                }
            });
        }
    });
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.into_values().collect()
}

/// A folder of this repository.
fn folder(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.join(path).display().to_string()
}

fn copied(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copied(&entry.path(), &to)?,
            false => drop(std::fs::copy(entry.path(), to)?),
        }
    }
    Ok(())
}

/// The surroundings of nobody: the variables of a person at this machine have no meaning.
fn nobody() -> Ambient {
    let mut ambient = Ambient::of_this_process();
    ambient.env.clear();
    ambient.can_ask = false;
    ambient.quiet = true;
    ambient
}

fn said(failure: Failure) -> anyhow::Error {
    let style = drplan::render::style::Style {
        color: false,
        width: 100,
    };
    anyhow!("{}", failure.render(style))
}
