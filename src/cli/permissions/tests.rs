//! The shop of the examples in the rehearsal world, after its recovery.

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::apply::Event;
use crate::apply::Sink;
use crate::cli::PlanningArgs;
use crate::cli::VarArgs;
use crate::cli::session::Basis;
use crate::rehearse::Failures;
use crate::rehearse::Scene;
use crate::rehearse::Script;
use crate::rehearse::Turnstile;
use crate::render::style::Style;

struct Deaf;

impl Sink for Deaf {
    fn hear(&self, _: u64, _: &Event) {}
}

fn sure<T>(result: Result<T, Failure>) -> T {
    result.unwrap_or_else(|failure| panic!("{}", failure.render(Style::PLAIN)))
}

async fn shop() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/shop");
    let script = Script {
        vars: VarArgs::default(),
        faults: None,
        fail: Arc::new(Failures::parse(&[])),
        parallelism: 10,
    };
    let mut ambient = Ambient::of_this_process();
    ambient.quiet = true;
    let scene = sure(Scene::set(&dir, script, &ambient));
    let planning = PlanningArgs {
        lost: scene.file().lost.clone(),
        ..PlanningArgs::default()
    };
    let session = sure(Session::open(
        scene.dir(),
        &VarArgs::default(),
        scene.ambient(),
    ));
    let made = sure(
        session
            .plan_on(&planning, scene.ambient(), &Basis::World)
            .await,
    );
    let text = render::permissions::text(&made.plan, &made.rights, Style::PLAIN);
    for line in [
        "  It was not read: a step makes it first. What reading it takes is not all known.",
        "    create, get, list restores.velero.io in `velero` (2 by name): not asked",
        "    list roles.rbac.authorization.k8s.io: not asked",
        "    CREATEDB (attribute of the role): not asked",
        "    s3:GetObject arn:aws:s3:::shop-backups/velero/backups/*",
        "  helm_release.status_page: it starts `helm`",
    ] {
        assert!(
            text.lines().any(|l| l == line),
            "no line `{line}` in\n{text}"
        );
    }
    assert!(
        !text.contains("kubernetes.a"),
        "nothing lost is asked:\n{text}"
    );
    let folder = tempfile::tempdir().expect("a folder");
    let planned = sure(scene.plan().await);
    let ended = scene.apply(&planned, folder.path(), "run", Arc::new(Deaf));
    ended.await.expect("a journal");
    let session = sure(Session::open(
        scene.dir(),
        &VarArgs::default(),
        scene.ambient(),
    ));
    let made = sure(
        session
            .plan_on(&planning, scene.ambient(), &Basis::World)
            .await,
    );
    let text = render::permissions::text(&made.plan, &made.rights, Style::PLAIN);
    assert!(text.ends_with(" to plan, 0 more to apply.\n"), "{text}");
    let grants = grants(&session, &made.rights, "shop", "ops");
    for line in [
        "  name: drplan:shop:ops",
        "GRANT CONNECT ON DATABASE \"billing\" TO \"ops\";",
        "        \"route53:ListHostedZones\"",
    ] {
        assert!(
            grants.lines().any(|l| l == line),
            "no line `{line}` in\n{grants}"
        );
    }
}

#[test]
fn what_the_shop_must_be_allowed_is_known_as_far_as_it_can_be_read() {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let turnstile = Turnstile::default();
    turnstile.between(&mut builder);
    let runtime = builder.enable_all().build().expect("a runtime");
    runtime.block_on(shop());
    turnstile.open();
    runtime.shutdown_background();
}
