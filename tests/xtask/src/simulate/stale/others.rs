//! Tables of the kinds that have nothing to do with Kubernetes, and of Helm.

use serde_json::Value;
use serde_json::json;

use super::change::Change;
use super::change::Change::*;
use super::change::namespace;
use super::kubernetes::web;
use super::table::Table;
use super::table::Then::Fails;
use super::table::Then::Goes;
use super::table::Then::Stale;
use super::table::after;
use super::table::row;

const MARK: &[&str] = &["bin/mark", "set"];
const UNMARK: &[&str] = &["bin/mark", "unset"];
const REWRITE: &[&str] = &["bin/mark", "rewrite"];

const SHOP_DUMP: &str = "dumps/shop/shop-20261120164554.dump";
const BILLING_DUMP: &str = "dumps/billing/billing-20261120164554.dump";

pub(super) fn tables() -> Vec<Table> {
    let mut all = vec![approval(), http_check(), dump_archive()];
    all.extend(command());
    all.extend(helm_release());
    all.extend(postgres_restore());
    all.extend(route53_record());
    all
}

fn approval() -> Table {
    Table {
        kind: "approval",
        step: "approval.go",
        spec: r#"
resource "command" "mark" {
  stage = "verify"
  check = ["bin/mark", "is"]
  apply = ["bin/mark", "set"]
}

resource "approval" "go" {
  guards = [command.mark]
  from   = "the owner"
}
"#,
        applied: false,
        rows: vec![
            row("what it guards comes true by itself", vec![Run(MARK)], Goes),
            row("a day passes", vec![Pass(86_400)], Goes),
            row(
                "somebody changes a record",
                vec![Record("mail", 60, &["192.0.2.77"])],
                Goes,
            ),
        ],
        fewer_because: Some("it reads nothing of the world that could change its question"),
    }
}

/// A command is its check, and what it exports is what others are planned with.
fn command() -> Vec<Table> {
    const SPEC: &str = r#"
resource "command" "mark" {
  stage   = "apps"
  check   = ["bin/mark", "is"]
  apply   = ["bin/mark", "set"]
  outputs = { said = { file = "out/mark" } }
}
"#;
    const READER: &str = r#"
resource "command" "mark" {
  stage   = "apps"
  check   = ["bin/mark", "is"]
  apply   = ["bin/mark", "set"]
  outputs = { said = { file = "out/mark" } }
}

resource "command" "reader" {
  stage = "apps"
  check = ["bin/note", "is", "reader"]
  apply = ["bin/note", "make", "reader"]
  env   = { SAID = command.mark.outputs.said }
}
"#;
    let own = Table {
        kind: "command",
        step: "command.mark",
        spec: SPEC,
        applied: false,
        rows: vec![
            after(
                vec![Run(MARK)],
                "somebody undoes what was done",
                vec![Run(UNMARK)],
                Stale("the plan shows no action, but now it would run"),
            ),
            after(
                vec![Run(MARK)],
                "what it exports is gone",
                vec![NoFile("out/mark")],
                Fails("`out/mark` is missing"),
            ),
            row("it comes true by itself", vec![Run(MARK)], Goes),
            row(
                "it comes true and is undone again",
                vec![Run(MARK), Run(UNMARK)],
                Goes,
            ),
            after(
                vec![Run(MARK)],
                "what it exports changes, and nothing refers to that",
                vec![Run(REWRITE)],
                Goes,
            ),
        ],
        fewer_because: None,
    };
    let exports = Table {
        kind: "command",
        step: "command.reader",
        spec: READER,
        applied: false,
        rows: vec![
            after(
                vec![Run(MARK)],
                "what a true command exports changes",
                vec![Run(REWRITE)],
                Stale("it was planned with what `command.mark` exports"),
            ),
            after(
                vec![Run(MARK)],
                "what a true command exports is written once more",
                vec![Run(MARK)],
                Goes,
            ),
        ],
        fewer_because: None,
    };
    vec![own, exports]
}

fn helm_release() -> Vec<Table> {
    const SPEC: &str = r#"
resource "helm_release" "page" {
  provider         = kubernetes.b
  stage            = "infra"
  chart            = "charts/status-page"
  namespace        = "status"
  create_namespace = true
  values           = { replicas = 1, message = "hello" }
}
"#;
    let fresh = Table {
        kind: "helm_release",
        step: "helm_release.page",
        spec: SPEC,
        applied: false,
        rows: vec![
            row(
                "somebody installs a release of that name",
                vec![namespace("status"), release("page", 1, "deployed")],
                Stale("revision 1 was not installed by drplan"),
            ),
            row(
                "somebody's helm is at work on a release of that name",
                vec![namespace("status"), release("page", 1, "pending-install")],
                Stale("revision 1 is `pending-install` and not by this step"),
            ),
            row(
                "somebody installs a release of another name",
                vec![namespace("status"), release("other", 1, "deployed")],
                Goes,
            ),
            row(
                "somebody makes the namespace",
                vec![namespace("status")],
                Goes,
            ),
        ],
        fewer_because: None,
    };
    let installed = Table {
        applied: true,
        rows: vec![
            row(
                "somebody uninstalls it",
                vec![Remove(
                    "/api/v1/namespaces/status/secrets/sh.helm.release.v1.page.v1",
                )],
                Stale("the plan shows no action, but now it would create"),
            ),
            row(
                "somebody upgrades it",
                vec![release("page", 2, "deployed")],
                Stale("revision 2"),
            ),
            row(
                "somebody annotates the Secret of the release",
                vec![Merge(
                    "/api/v1/namespaces/status/secrets/sh.helm.release.v1.page.v1",
                    json!({"metadata": {"annotations": {"looked-at": "yes"}}}),
                )],
                Goes,
            ),
            row(
                "somebody scales what the chart made",
                vec![Merge(
                    "/apis/apps/v1/namespaces/status/deployments/page",
                    json!({"spec": {"replicas": 2}}),
                )],
                Goes,
            ),
        ],
        ..fresh.again()
    };
    vec![fresh, installed]
}

/// A revision that somebody's own helm keeps.
fn release(name: &str, revision: u64, status: &str) -> Change {
    let labels: Value = json!({
        "owner": "helm", "name": name, "version": revision.to_string(), "status": status,
    });
    Create(
        "/api/v1/namespaces/status/secrets",
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
            "metadata": {"name": format!("sh.helm.release.v1.{name}.v{revision}"), "labels": labels},
        }),
    )
}

fn http_check() -> Table {
    let answers = || [web(), vec![Pass(60), Lead("www", 60)]].concat();
    Table {
        kind: "http_check",
        step: "http_check.www",
        spec: r#"
resource "http_check" "www" {
  url          = "http://www.site.example/"
  body_matches = "^ok"
  within       = "5m"
}
"#,
        applied: false,
        rows: vec![
            after(
                answers(),
                "what answered when planned answers no more",
                vec![
                    Merge(
                        "/apis/apps/v1/namespaces/web/deployments/front",
                        json!({"spec": {"replicas": 0}}),
                    ),
                    Pass(60),
                ],
                Fails("did not answer right within 300 s: connection refused"),
            ),
            after(
                answers(),
                "the record gets another time to live",
                vec![Lead("www", 300)],
                Goes,
            ),
            after(
                answers(),
                "what answers is restarted",
                vec![
                    Merge(
                        "/apis/apps/v1/namespaces/web/deployments/front",
                        json!({"spec": {"template": {"metadata": {"labels": {"again": "yes"}}}}}),
                    ),
                    Pass(60),
                ],
                Goes,
            ),
            row("what did not answer comes up", answers(), Goes),
        ],
        fewer_because: Some(
            "it only asks, and to wait for what answered when planned is inside of every plan",
        ),
    }
}

const DATABASE: &str = r#"
data "dump_archive" "shop" {
  provider = s3.backups
  bucket   = "shop-backups"
  prefix   = "dumps/shop/"
}

resource "postgres_restore" "shop" {
  providers = { database = postgres.b, bucket = s3.backups }
  database  = "shop"
  owner     = "shop"
  dump      = data.dump_archive.shop
}
"#;

fn dump_archive() -> Table {
    Table {
        kind: "dump_archive",
        step: "data.dump_archive.shop",
        spec: DATABASE,
        applied: false,
        rows: vec![
            row(
                "the dump is deleted",
                vec![NoObject(SHOP_DUMP)],
                Stale("cannot be taken any more"),
            ),
            row(
                "another dump is written over it",
                vec![Copy(BILLING_DUMP, SHOP_DUMP)],
                Stale("`bytes` was 11504 when planned and is 11163 now"),
            ),
            row(
                "the dump is cut off",
                vec![Write(SHOP_DUMP, "PGDMP")],
                Stale("cannot be taken any more"),
            ),
            row(
                "a newer dump arrives",
                vec![Copy(SHOP_DUMP, "dumps/shop/shop-20261121031500.dump")],
                Goes,
            ),
            row(
                "another object is put beside it",
                vec![Write("dumps/notes.txt", "hello")],
                Goes,
            ),
            row(
                "the same bytes are written once more",
                vec![Pass(3600), Copy(SHOP_DUMP, SHOP_DUMP)],
                Goes,
            ),
        ],
        fewer_because: None,
    }
}

fn postgres_restore() -> Vec<Table> {
    let filled = || vec![Database("shop"), Fill("shop", SHOP_DUMP)];
    let fresh = Table {
        kind: "postgres_restore",
        step: "postgres_restore.shop",
        spec: DATABASE,
        applied: false,
        rows: vec![
            row(
                "somebody fills a database of that name",
                filled(),
                Stale("did not come from this recovery"),
            ),
            // It would be renamed aside, which the plan does not show.
            row(
                "somebody makes an empty database of that name",
                vec![Database("shop")],
                Stale("it is more dangerous than the plan shows: the empty database is renamed"),
            ),
            after(
                vec![Database("shop")],
                "somebody drops the empty database of that name",
                vec![NoDatabase("shop")],
                Goes,
            ),
            row(
                "somebody makes a database of another name",
                vec![Database("other")],
                Goes,
            ),
            row(
                "a newer dump arrives",
                vec![Copy(SHOP_DUMP, "dumps/shop/shop-20261121031500.dump")],
                Goes,
            ),
        ],
        fewer_because: None,
    };
    let restored = Table {
        applied: true,
        rows: vec![
            row(
                "somebody drops what was restored",
                vec![NoDatabase("shop")],
                Stale("the plan shows no action, but now it would restore"),
            ),
            row(
                "somebody puts a database of his own in its place",
                [vec![NoDatabase("shop")], filled()].concat(),
                Stale("it was true when planned: database `shop` holds"),
            ),
        ],
        ..fresh.again()
    };
    vec![fresh, restored]
}

fn route53_record() -> Vec<Table> {
    let one = Table {
        kind: "route53_record",
        step: "route53_record.www",
        spec: r#"
resource "route53_record" "www" {
  provider = route53.dns
  stage    = "infra"
  zone     = "site.example"
  name     = "www"
  type     = "A"
  ttl      = 60
  records  = ["198.18.9.9"]
  replaces = ["192.0.2.10"]
}
"#,
        applied: false,
        rows: vec![
            row(
                "somebody leads it elsewhere",
                vec![Record("www", 60, &["203.0.113.5"])],
                Stale("which `replaces` does not name"),
            ),
            row(
                "somebody gives it another time to live",
                vec![Record("www", 30, &["192.0.2.10"])],
                Stale("somebody changed it since the plan: `old` was"),
            ),
            row(
                "somebody deletes it",
                vec![NoRecord("www")],
                Stale("the plan shows update, but now it would create"),
            ),
            after(
                vec![Record("www", 60, &["198.18.9.9"])],
                "somebody leads it back",
                vec![Record("www", 60, &["192.0.2.10"])],
                Stale("the plan shows no action, but now it would update"),
            ),
            row(
                "somebody changes another record of the zone",
                vec![Record("mail", 60, &["192.0.2.77"])],
                Goes,
            ),
            row(
                "somebody leads it there already",
                vec![Record("www", 60, &["198.18.9.9"])],
                Goes,
            ),
        ],
        fewer_because: None,
    };
    let two = Table {
        spec: r#"
resource "route53_record" "www" {
  provider = route53.dns
  stage    = "infra"
  zone     = "site.example"
  name     = "www"
  type     = "A"
  ttl      = 60
  records  = ["198.18.9.9", "198.18.9.8"]
  replaces = ["192.0.2.10", "192.0.2.11"]
}
"#,
        rows: vec![
            after(
                vec![Record("www", 60, &["192.0.2.10", "192.0.2.11"])],
                "the same values come in another order",
                vec![Record("www", 60, &["192.0.2.11", "192.0.2.10"])],
                Goes,
            ),
            after(
                vec![Record("www", 60, &["192.0.2.10", "192.0.2.11"])],
                "one of its values is taken out",
                vec![Record("www", 60, &["192.0.2.10"])],
                Stale("somebody changed it since the plan: `old` was"),
            ),
        ],
        ..one.again()
    };
    vec![one, two]
}
