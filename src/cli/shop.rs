//! The shop of the examples in the rehearsal world, for tests of commands that plan against it: real
//! backups, an API with Secrets in it, and every provider.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use super::Ambient;
use super::PlanningArgs;
use super::VarArgs;
use super::failure::Failure;
use super::session::Session;
use crate::apply::Event;
use crate::apply::Sink;
use crate::rehearse::Failures;
use crate::rehearse::Scene;
use crate::rehearse::Script;
use crate::rehearse::Turnstile;
use crate::render::style::Style;

/// Hears nothing.
pub(super) struct Deaf;

impl Sink for Deaf {
    fn hear(&self, _: u64, _: &Event) {}
}

pub(super) fn sure<T>(result: Result<T, Failure>) -> T {
    result.unwrap_or_else(|failure| panic!("{}", failure.render(Style::PLAIN)))
}

/// The shop's folder, and a rehearsal in which nothing fails.
pub(super) fn rehearsed() -> (PathBuf, Script) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/shop");
    let script = Script {
        vars: VarArgs::default(),
        faults: None,
        fail: Arc::new(Failures::parse(&[])),
        parallelism: 10,
    };
    (dir, script)
}

/// The world as it is before the recovery.
pub(super) fn scene() -> Scene {
    let (dir, script) = rehearsed();
    let mut ambient = Ambient::of_this_process();
    ambient.quiet = true;
    sure(Scene::set(&dir, script, &ambient))
}

pub(super) fn session(scene: &Scene) -> Session {
    sure(Session::open(
        scene.dir(),
        &VarArgs::default(),
        scene.ambient(),
    ))
}

/// What a plan of the complete loss is told.
pub(super) fn planning(scene: &Scene) -> PlanningArgs {
    PlanningArgs {
        lost: scene.file().lost.clone(),
        ..PlanningArgs::default()
    }
}

/// Recovers it; the run is kept in a folder.
pub(super) async fn recover(scene: &Scene, folder: &Path) {
    let planned = sure(scene.plan().await);
    let ended = scene.apply(&planned, folder, "run", Arc::new(Deaf));
    ended.await.expect("a journal");
}

/// Plays something in virtual time.
pub(super) fn play(what: impl Future<Output = ()>) {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let turnstile = Turnstile::default();
    turnstile.between(&mut builder);
    let runtime = builder.enable_all().build().expect("a runtime");
    runtime.block_on(what);
    turnstile.open();
    runtime.shutdown_background();
}
