//! Tables of the kinds of Velero, over the real backups of the example.

use serde_json::json;

use super::change::Change;
use super::change::Change::*;
use super::change::namespace;
use super::table::Table;
use super::table::Then::Goes;
use super::table::Then::Stale;
use super::table::after;
use super::table::row;

/// Velero as the shop runs it, and a restore of two namespaces.
const SPEC: &str = r#"
resource "kubernetes_manifest" "velero_kinds" {
  provider = kubernetes.b
  stage    = "velero"
  files    = ["velero/crds.yaml", "velero/namespace.yaml"]
}

resource "kubernetes_manifest" "velero_key" {
  provider   = kubernetes.b
  stage      = "velero"
  depends_on = [kubernetes_manifest.velero_kinds]
  objects = [{
    apiVersion = "v1"
    kind       = "Secret"
    metadata   = { name = "bucket-key", namespace = "velero" }
    stringData = {
      cloud = <<-EOT
        [default]
        aws_access_key_id=AKIDVELERO
        aws_secret_access_key=${var.velero_key}
      EOT
    }
  }]
}

resource "kubernetes_manifest" "velero" {
  provider   = kubernetes.b
  stage      = "velero"
  files      = ["velero/server.yaml"]
  wait_for   = "ready"
  depends_on = [kubernetes_manifest.velero_key]
}

resource "velero_backup_location" "backups" {
  provider   = kubernetes.b
  bucket     = "shop-backups"
  prefix     = "velero"
  config     = { region = "eu-west-1" }
  credential = { name = "bucket-key", key = "cloud" }
  depends_on = [kubernetes_manifest.velero]
}

data "velero_backup" "apps" {
  provider = s3.backups
  bucket   = "shop-backups"
  prefix   = "velero"
  schedule = "apps-daily"
}

resource "velero_restore" "apps" {
  providers  = { cluster = kubernetes.b, bucket = s3.backups }
  stage      = "infra"
  backup     = data.velero_backup.apps
  namespaces = ["shop-blog", "shop-jobs"]
  depends_on = [velero_backup_location.backups]
}
"#;

const LOCATION: &str = "/apis/velero.io/v1/namespaces/velero/backupstoragelocations/backups";
const BLOG: &str = "/api/v1/namespaces/shop-blog";
const JOBS: &str = "/api/v1/namespaces/shop-jobs";
const FILE: &str = "velero/backups/apps-daily-20261120164552/velero-backup.json";
const ARCHIVE: &str = "velero/backups/apps-daily-20261120164552/apps-daily-20261120164552.tar.gz";
const OTHER_ARCHIVE: &str =
    "velero/backups/infra-daily-20261120164550/infra-daily-20261120164550.tar.gz";

pub(super) fn tables() -> Vec<Table> {
    vec![velero_backup(), velero_backup_location(), velero_restore()]
}

/// A namespace of the restore is lost again.
fn lost(path: &'static str) -> Vec<Change> {
    vec![Remove(path), Pass(120)]
}

/// A backup that is not whole yet.
fn begun() -> Change {
    Write(
        "velero/backups/apps-daily-20261121030500/velero-backup.json",
        "{}",
    )
}

fn velero_backup() -> Table {
    Table {
        kind: "velero_backup",
        step: "data.velero_backup.apps",
        spec: SPEC,
        applied: true,
        rows: vec![
            after(
                lost(BLOG),
                "its archive is deleted",
                vec![NoObject(ARCHIVE)],
                Stale("cannot be taken any more"),
            ),
            after(
                lost(BLOG),
                "another archive is written over its own",
                vec![Copy(OTHER_ARCHIVE, ARCHIVE)],
                Stale("is not what it was when planned: `bytes` was"),
            ),
            after(
                lost(BLOG),
                "it is called failed by now",
                vec![Edit(FILE, "\"Completed\"", "\"Failed\"")],
                Stale("cannot be taken any more"),
            ),
            after(lost(BLOG), "a newer backup begins", vec![begun()], Goes),
            after(
                lost(BLOG),
                "somebody keeps it for longer",
                vec![Edit(
                    FILE,
                    "\"expiration\": \"2027",
                    "\"expiration\": \"2028",
                )],
                Goes,
            ),
            after(
                lost(BLOG),
                "another object is put beside it",
                vec![Write("velero/backups/notes.txt", "hello")],
                Goes,
            ),
        ],
        fewer_because: None,
    }
}

fn velero_backup_location() -> Table {
    Table {
        kind: "velero_backup_location",
        step: "velero_backup_location.backups",
        spec: SPEC,
        applied: true,
        rows: vec![
            row(
                "somebody changes its settings",
                vec![Merge(
                    LOCATION,
                    json!({"spec": {"config": {"region": "elsewhere"}}}),
                )],
                Stale("the plan shows no action, but now it would update"),
            ),
            row(
                "somebody leads it to another bucket",
                vec![Merge(
                    LOCATION,
                    json!({"spec": {"objectStorage": {"bucket": "other"}}}),
                )],
                Stale("reads another place"),
            ),
            row(
                "somebody deletes it",
                vec![Remove(LOCATION)],
                Stale("the plan shows no action, but now it would create"),
            ),
            row(
                "somebody lets it be written to",
                vec![Merge(
                    LOCATION,
                    json!({"spec": {"accessMode": "ReadWrite"}}),
                )],
                Goes,
            ),
            row(
                "another manager labels it",
                vec![Merge(
                    LOCATION,
                    json!({"metadata": {"labels": {"seen-by": "somebody"}}}),
                )],
                Goes,
            ),
            row("Velero checks it again", vec![Pass(3600)], Goes),
        ],
        fewer_because: None,
    }
}

fn velero_restore() -> Table {
    let foreign = || {
        vec![
            namespace("shop-blog"),
            Create(
                "/api/v1/namespaces/shop-blog/configmaps",
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "posts"},
                    "data": {"mine": "do not touch"}}),
            ),
        ]
    };
    Table {
        kind: "velero_restore",
        step: "velero_restore.apps",
        spec: SPEC,
        applied: true,
        rows: vec![
            row(
                "what was restored is lost again",
                lost(BLOG),
                Stale("the plan shows no action, but now it would restore"),
            ),
            after(
                lost(BLOG),
                "somebody keeps data of his own there",
                foreign(),
                Stale("data that did not come from this recovery"),
            ),
            after(
                lost(BLOG),
                "another namespace is lost too",
                lost(JOBS),
                Stale("`shop-blog, shop-jobs` was nothing when planned"),
            ),
            after(lost(BLOG), "a newer backup begins", vec![begun()], Goes),
            after(
                lost(BLOG),
                "another manager labels a namespace that lives",
                vec![Merge(
                    JOBS,
                    json!({"metadata": {"labels": {"seen-by": "somebody"}}}),
                )],
                Goes,
            ),
            after(
                lost(BLOG),
                "somebody makes another namespace",
                vec![namespace("elsewhere")],
                Goes,
            ),
        ],
        fewer_because: None,
    }
}
