//! A namespace whose workers are paused and set going again, as `kubectl` sees it.
//!
//! Knows nothing about drplan but how it marks what it paused.

use std::collections::BTreeMap;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use serde_json::Value;
use serde_json::json;

use super::kubectl::Kubectl;
use super::lab::Lab;

/// The namespace.
pub(super) const YARD: &str = "yard";

/// The mark that holds what an object was before.
const MARK: &str = "drplan.io/paused";

/// What is written about an object beside what it says of itself.
const OWN: &str = "deployment.kubernetes.io/revision";

/// How long pods may take to come or to go.
const PODS_LIMIT: Duration = Duration::from_secs(60);

/// How often they are counted.
const PODS_EVERY: Duration = Duration::from_millis(200);

/// How one worker stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Worker {
    pub(super) spec: Value,
    pub(super) annotations: BTreeMap<String, String>,
}

impl Worker {
    /// What it was before it was paused, if it is marked.
    pub(super) fn mark(&self) -> Option<&str> {
        self.annotations.get(MARK).map(String::as_str)
    }

    /// The run that paused it.
    pub(super) fn run(&self) -> Option<&str> {
        self.annotations.get("drplan.io/run").map(String::as_str)
    }

    /// When its pause is overdue, as the mark says.
    pub(super) fn until(&self) -> Option<&str> {
        let until = self.annotations.get("drplan.io/paused-until");
        until.map(String::as_str)
    }

    /// The mark that holds what it is now.
    pub(super) fn as_mark(&self) -> String {
        match &self.spec["replicas"] {
            Value::Null => json!({"suspend": self.spec["suspend"]}).to_string(),
            replicas => json!({"replicas": replicas}).to_string(),
        }
    }

    /// Whether it stands still: suspended, or without replicas.
    pub(super) fn stands(&self) -> bool {
        self.spec["suspend"] == true || self.spec["replicas"] == 0
    }
}

/// All workers of a namespace, by kind and name.
pub(super) type Workers = BTreeMap<String, Worker>;

/// Makes the yard, with workers that run and others that rest, and waits until they do. A scenario that
/// failed may have left marks in it: then it is made anew.
pub(super) async fn made(lab: &Lab) -> Result<Workers> {
    let kubectl = &lab.kubectl();
    if !lab.is_clean {
        kubectl.without_namespaces(&[YARD]).await?;
    }
    kubectl.apply(&objects()).await?;
    running(kubectl, YARD, 3).await?;
    workers(kubectl, YARD).await
}

/// Reads the workers of a namespace.
pub(super) async fn workers(kubectl: &Kubectl, namespace: &str) -> Result<Workers> {
    let listed = kubectl
        .list(&["cronjobs,deployments", "-n", namespace])
        .await?;
    let worker = |object: &Value| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut annotations: BTreeMap<String, String> =
            serde_json::from_value(object["metadata"]["annotations"].clone()).unwrap_or_default();
        annotations.remove(OWN);
        let spec = object["spec"].clone();
        let name = text(&object["metadata"]["name"]);
        let name = format!("{} {name}", text(&object["kind"]));
        (name, Worker { spec, annotations })
    };
    Ok(listed.iter().map(worker).collect())
}

/// Waits until that many pods run in a namespace, and no others are there.
pub(super) async fn running(kubectl: &Kubectl, namespace: &str, expected: usize) -> Result<()> {
    let start = Instant::now();
    loop {
        let pods = kubectl.list(&["pods", "-n", namespace]).await?;
        let run = pods.iter().filter(|p| p["status"]["phase"] == "Running");
        if run.count() == expected && pods.len() == expected {
            return Ok(());
        }
        ensure!(
            start.elapsed() < PODS_LIMIT,
            "{expected} pods must run in `{namespace}`, and no others; there are {}",
            pods.len()
        );
        tokio::time::sleep(PODS_EVERY).await;
    }
}

/// Whether any pod was ever made in a namespace, by the controllers' own events.
pub(super) async fn pods_made(kubectl: &Kubectl, namespace: &str) -> Result<usize> {
    let events = kubectl.list(&["events", "-n", namespace]).await?;
    let made = events.iter().filter(|e| e["reason"] == "SuccessfulCreate");
    Ok(made.count())
}

/// Compares all workers with how they stood before.
pub(super) fn same(before: &Workers, now: &Workers) -> Result<()> {
    for (name, worker) in before {
        let found = now
            .get(name)
            .with_context(|| format!("no {name} any more"))?;
        ensure!(
            found == worker,
            "{name} is not as before:\n      expected {worker:?}\n      found    {found:?}"
        );
    }
    ensure!(before.len() == now.len(), "there are {} workers", now.len());
    Ok(())
}

/// Six that run and two that rest: so many that a pause of all can be broken off in between.
fn objects() -> Vec<Value> {
    let meta = |name: &str| json!({"name": name, "namespace": YARD});
    let deployment = |name: &str, replicas: usize| {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta(name),
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": {"app": name}},
                    "spec": {"containers": [{"name": name, "image": "yard.example/worker:1.0"}]},
                },
            },
        })
    };
    let cron_job = |name: &str, suspend: bool| {
        json!({
            "apiVersion": "batch/v1", "kind": "CronJob", "metadata": meta(name),
            "spec": {
                "schedule": "0 3 1 1 *",
                "suspend": suspend,
                "jobTemplate": {"spec": {"template": {"spec": {
                    "restartPolicy": "Never",
                    "containers": [{"name": name, "image": "yard.example/worker:1.0"}],
                }}}},
            },
        })
    };
    vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": YARD}}),
        cron_job("sweep", false),
        cron_job("wash", false),
        cron_job("wax", false),
        cron_job("count", false),
        cron_job("lock", false),
        cron_job("resting", true),
        deployment("loader", 3),
        deployment("sleeper", 0),
    ]
}
