//! Answers ServerStatusRequests, and deletes them a minute later.

use std::time::Duration;

use drplan_api::Timestamp;
use serde_json::Value;
use serde_json::json;
use tokio::time::Instant;

use crate::kube_api::Answer;
use crate::server::Server;
use crate::text::name;
use crate::text::phase;
use crate::text::stamp;
use crate::text::time;
use crate::text::until;
use crate::watch::Watched;

/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(60);

/// How often answers are looked at again: they may stay that much longer.
const LOOK: Duration = Duration::from_secs(300);

/// What the server can do by itself and with the plugin for S3.
const PLUGINS: &[(&str, &[&str])] = &[
    (
        "BackupItemAction",
        &[
            "velero.io/crd-remap-version",
            "velero.io/pod",
            "velero.io/pv",
            "velero.io/service-account",
        ],
    ),
    ("ObjectStore", &["velero.io/aws"]),
    (
        "RestoreItemAction",
        &[
            "velero.io/add-pvc-from-pod",
            "velero.io/admission-webhook-configuration",
            "velero.io/apiservice",
            "velero.io/change-image-name",
            "velero.io/change-storage-class",
            "velero.io/cluster-role-bindings",
            "velero.io/crd-preserve-fields",
            "velero.io/init-restore-hook",
            "velero.io/job",
            "velero.io/pod",
            "velero.io/pod-volume-restore",
            "velero.io/pvc",
            "velero.io/role-bindings",
            "velero.io/secret",
            "velero.io/service",
            "velero.io/service-account",
        ],
    ),
    ("VolumeSnapshotter", &["velero.io/aws"]),
];

/// Answers for as long as it is polled.
pub(crate) async fn run(server: &Server) -> Answer<()> {
    let mut watched = Watched::new(&server.kube, server.own("serverstatusrequests"));
    loop {
        let requests = watched.list().await?;
        let now = server.now();
        for request in &requests {
            one(server, request, now).await;
        }
        let next = (!requests.is_empty()).then(|| Instant::now() + LOOK);
        watched.wait(next).await;
    }
}

async fn one(server: &Server, request: &Value, now: Timestamp) {
    let place = server.own("serverstatusrequests");
    if phase(request) == "Processed" {
        let processed = time(request, "/status/processedTimestamp");
        let end = processed.and_then(|then| then.checked_add(KEPT).ok());
        if end.is_some_and(|end| until(now, end).is_zero()) {
            server.kube.delete(&place, name(request)).await.ok();
        }
        return;
    }
    let plugins: Vec<Value> = PLUGINS
        .iter()
        .flat_map(|(kind, names)| {
            names
                .iter()
                .map(move |name| json!({"kind": kind, "name": name}))
        })
        .collect();
    let patch = json!({"status": {
        "phase": "Processed",
        "processedTimestamp": stamp(now),
        "serverVersion": server.options.version,
        "plugins": plugins,
    }});
    server.kube.patch(&place, name(request), &patch).await.ok();
}
