//! The shop before and after its recovery: what it must be allowed.

use super::*;
use crate::cli::session::Basis;
use crate::cli::session::Made;
use crate::cli::shop;
use crate::cli::shop::session;
use crate::cli::shop::sure;
use crate::rehearse::Scene;
use crate::render::style::Style;

async fn made(scene: &Scene, session: &Session) -> Made {
    let planning = shop::planning(scene);
    let made = session.plan_on(&planning, scene.ambient(), &Basis::World);
    sure(made.await)
}

async fn before_and_after() {
    let scene = shop::scene();
    let made_before = made(&scene, &session(&scene)).await;
    let text = render::permissions::text(&made_before.plan, &made_before.rights, Style::PLAIN);
    for line in [
        "  It was not read: a step makes it first. What reading it takes is not all known.",
        "    create, get, list restores.velero.io in `velero` (2 by name): not asked",
        "    list roles.rbac.authorization.k8s.io: not asked",
        "    CREATEDB (attribute of the role): not asked",
        "    s3:GetObject arn:aws:s3:::shop-backups/velero/backups/*",
        "  helm_release.status_page: it starts `helm`",
        "route53.dns",
        "    route53:ListHostedZones *: not asked",
        "    route53:ChangeResourceRecordSets, route53:ListResourceRecordSets arn:aws:route53:::hostedzone/*: not asked",
    ] {
        assert!(
            text.lines().any(|l| l == line),
            "no line `{line}` in\n{text}"
        );
    }
    assert!(
        !text.contains("  route53_record.www: "),
        "what moves traffic is told though its value is not known:\n{text}"
    );
    assert!(
        !text.contains("kubernetes.a"),
        "nothing lost is asked:\n{text}"
    );
    let folder = tempfile::tempdir().expect("a folder");
    shop::recover(&scene, folder.path()).await;
    let session = session(&scene);
    let made = made(&scene, &session).await;
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
    shop::play(before_and_after());
}
