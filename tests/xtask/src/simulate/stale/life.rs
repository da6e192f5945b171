//! One life: a world, a plan, a change, and the apply of the plan.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use anyhow::Result;
use anyhow::anyhow;
use drplan::apply::Event;
use drplan::apply::Outcome;
use drplan::apply::Sink;
use drplan::apply::Stop;
use drplan::rehearse::Planned;
use drplan::rehearse::Scene;
use drplan::report::Exit;
use drplan::report::verdict;
use drplan_api::Address;

use super::super::apart::apart;
use super::super::course::Course;
use super::super::folder;
use super::super::life::nobody;
use super::super::life::said;
use super::change::Change;
use crate::tree::copied;

/// How much time passes until what goes on by itself has come to rest.
const REST: Duration = Duration::from_secs(120);

/// What every spec begins with.
const CONNECTIONS: &str = include_str!("connections.dr.hcl");
/// The world of every life.
const WORLD: &str = include_str!("world.hcl");

/// A life that was lived.
pub(super) struct Lived {
    pub(super) exit: Exit,
    pub(super) outcomes: BTreeMap<Address, Outcome>,
    /// The steps whose effects were begun.
    pub(super) begun: BTreeSet<Address>,
    planned: Vec<String>,
}

impl Lived {
    /// All of it, for whoever must find out what was wrong.
    pub(super) fn told(&self) -> String {
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

/// Lives apart from all others.
pub(super) fn live(
    spec: &str,
    applied: bool,
    before: &[Change],
    change: &[Change],
) -> Result<Lived> {
    apart(|| one(spec, applied, before, change))?
}

async fn one(spec: &str, applied: bool, before: &[Change], change: &[Change]) -> Result<Lived> {
    let dir = tempfile::tempdir()?;
    let data = folder("examples/shop/data/shop-backups");
    std::fs::write(
        dir.path().join("main.dr.hcl"),
        format!("{CONNECTIONS}{spec}"),
    )?;
    let world = WORLD.replace("BACKUPS", &data.display().to_string());
    std::fs::write(dir.path().join("rehearsal.hcl"), world)?;
    for name in ["charts", "manifests", "velero"] {
        copied(&folder("examples/shop").join(name), &dir.path().join(name))?;
    }
    let script = Course::undisturbed().script();
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
