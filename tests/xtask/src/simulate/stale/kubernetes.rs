//! Tables of the kinds of Kubernetes.

use serde_json::Value;
use serde_json::json;

use super::change::Change;
use super::change::Change::*;
use super::change::namespace;
use super::table::Table;
use super::table::Then::Fails;
use super::table::Then::Goes;
use super::table::Then::Stale;
use super::table::after;
use super::table::row;

const FRONT: &str = "/apis/apps/v1/namespaces/web/deployments/front";
const IDLE: &str = "/apis/apps/v1/namespaces/web/deployments/idle";
const SETTINGS: &str = "/api/v1/namespaces/default/configmaps/settings";
const MISTAKE: &[&str] = &["bin/site", "mistake"];
/// How a step says that its connection leads somewhere else.
const ELSEWHERE: &str = "is another target than before";

pub(super) fn tables() -> Vec<Table> {
    let mut all = vec![
        kubernetes_cluster(),
        kubernetes_pause(),
        kubernetes_release(),
    ];
    all.extend(kubernetes_manifest());
    all
}

/// A site with a page.
pub(super) fn web() -> Vec<Change> {
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "front"},
        "spec": {
            "type": "LoadBalancer", "selector": {"app": "front"},
            "ports": [{"name": "http", "port": 80, "targetPort": 8080}],
        },
    });
    vec![
        namespace("web"),
        Create(
            "/apis/apps/v1/namespaces/web/deployments",
            deployment("front", 2),
        ),
        Create("/api/v1/namespaces/web/services", service),
        Pass(60),
    ]
}

fn deployment(name: &str, replicas: u64) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": name, "image": "site.example/front:1"}]},
            },
        },
    })
}

fn labelled(path: &'static str) -> Change {
    Merge(
        path,
        json!({"metadata": {"labels": {"seen-by": "somebody"}}}),
    )
}

fn kubernetes_cluster() -> Table {
    let node = json!({
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": "late"},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    });
    let class = json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "fast"},
        "provisioner": "somebody.example/fast",
    });
    let anew = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "kube-system", "uid": "00000000-0000-4000-8000-000000000000"},
        "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"},
    });
    Table {
        kind: "kubernetes_cluster",
        step: "kubernetes_cluster.b",
        spec: r#"
resource "kubernetes_cluster" "b" {
  provider        = kubernetes.b
  min_ready_nodes = 2
  storage_classes = ["standard"]
  timeout         = "10m"
}
"#,
        applied: false,
        rows: vec![
            row(
                "the kubeconfig leads to another cluster",
                vec![Run(MISTAKE)],
                Stale(ELSEWHERE),
            ),
            row(
                "the cluster is made anew at the same address",
                vec![Load(anew)],
                Stale(ELSEWHERE),
            ),
            row(
                "the storage class is deleted and does not come back",
                vec![Remove("/apis/storage.k8s.io/v1/storageclasses/standard")],
                Fails("storage class `standard` is missing"),
            ),
            row(
                "the cluster does not answer any more",
                vec![Run(&["bin/site", "cut-off"])],
                Fails("port 6443, does not run"),
            ),
            row("another node joins", vec![Load(node)], Goes),
            row(
                "somebody makes another storage class",
                vec![Create("/apis/storage.k8s.io/v1/storageclasses", class)],
                Goes,
            ),
            row(
                "somebody labels its namespace",
                vec![labelled("/api/v1/namespaces/kube-system")],
                Goes,
            ),
        ],
        fewer_because: None,
    }
}

fn settings(colour: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"},
        "data": {"colour": colour},
    })
}

fn kubernetes_manifest() -> Vec<Table> {
    let fresh = Table {
        kind: "kubernetes_manifest",
        step: "kubernetes_manifest.web",
        spec: r#"
resource "kubernetes_manifest" "web" {
  provider  = kubernetes.b
  namespace = "default"
  content   = <<-EOT
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: settings}
    data: {colour: blue}
    ---
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: more}
    data: {shape: round}
  EOT
}
"#,
        applied: false,
        rows: vec![
            row(
                "somebody makes one of the objects with another value",
                vec![Create(
                    "/api/v1/namespaces/default/configmaps",
                    settings("red"),
                )],
                Stale("`somebody` owns"),
            ),
            row(
                "somebody makes one of the objects as it shall be",
                vec![Create(
                    "/api/v1/namespaces/default/configmaps",
                    settings("blue"),
                )],
                Goes,
            ),
        ],
        fewer_because: None,
    };
    let applied = Table {
        applied: true,
        rows: vec![
            row(
                "somebody changes a value",
                vec![Merge(SETTINGS, json!({"data": {"colour": "red"}}))],
                Stale("`somebody` owns .data.colour of `configmaps default/settings`"),
            ),
            row(
                "somebody deletes one of the objects",
                vec![Remove(SETTINGS)],
                Stale("the plan shows no action, but now it would create"),
            ),
            after(
                vec![Remove(SETTINGS)],
                "somebody makes what was to be made, with another value",
                vec![Create(
                    "/api/v1/namespaces/default/configmaps",
                    settings("red"),
                )],
                Stale("`somebody` owns"),
            ),
            row(
                "another manager labels an object",
                vec![labelled(SETTINGS)],
                Goes,
            ),
            row(
                "somebody sets a field that the manifest leaves alone",
                vec![Merge(SETTINGS, json!({"data": {"size": "large"}}))],
                Goes,
            ),
            after(
                vec![Remove(SETTINGS)],
                "what was to be made is there by itself",
                vec![Create(
                    "/api/v1/namespaces/default/configmaps",
                    settings("blue"),
                )],
                Goes,
            ),
        ],
        ..fresh.again()
    };
    vec![fresh, applied]
}

fn kubernetes_pause() -> Table {
    let deployments = "/apis/apps/v1/namespaces/web/deployments";
    let still = || vec![Create(deployments, deployment("idle", 0)), Pass(60)];
    let idle = || [web(), still()].concat();
    Table {
        kind: "kubernetes_pause",
        step: "kubernetes_pause.web",
        spec: r#"
resource "command" "mark" {
  stage = "verify"
  check = ["bin/mark", "is"]
  apply = ["bin/mark", "set"]
}

resource "kubernetes_pause" "web" {
  provider = kubernetes.b
  objects  = ["Deployment/web/*"]
  guards   = [command.mark]
}
"#,
        applied: false,
        rows: vec![
            after(
                web(),
                "another Deployment comes up",
                vec![Create(deployments, deployment("other", 1)), Pass(60)],
                Stale("`Deployment web/other` was nothing when planned"),
            ),
            after(
                idle(),
                "one that stood still is set going",
                vec![Merge(IDLE, json!({"spec": {"replicas": 1}})), Pass(60)],
                Stale("`Deployment web/idle` was nothing when planned"),
            ),
            after(
                web(),
                "the kubeconfig leads to another cluster",
                vec![Run(MISTAKE)],
                Stale(ELSEWHERE),
            ),
            after(
                web(),
                "somebody scales what it pauses",
                vec![Merge(FRONT, json!({"spec": {"replicas": 3}})), Pass(60)],
                Goes,
            ),
            after(
                [
                    idle(),
                    vec![Merge(IDLE, json!({"spec": {"replicas": 1}})), Pass(60)],
                ]
                .concat(),
                "somebody deletes one of those that it pauses",
                vec![Remove(IDLE), Pass(60)],
                Goes,
            ),
            after(
                web(),
                "a Deployment comes up in another namespace",
                vec![
                    namespace("elsewhere"),
                    Create(
                        "/apis/apps/v1/namespaces/elsewhere/deployments",
                        deployment("other", 1),
                    ),
                ],
                Goes,
            ),
            after(
                web(),
                "another manager labels it",
                vec![labelled(FRONT)],
                Goes,
            ),
        ],
        fewer_because: None,
    }
}

/// Paused by a run of a recovery.
fn paused(path: &'static str, recovery: &str, replicas: u64) -> Change {
    let annotations = json!({
        "drplan.io/paused": json!({"replicas": replicas}).to_string(),
        "drplan.io/recovery": recovery,
        "drplan.io/run": "run-of-yesterday",
    });
    Merge(
        path,
        json!({"metadata": {"annotations": annotations}, "spec": {"replicas": 0}}),
    )
}

/// Set going by hand, as `drplan release` would.
fn released(path: &'static str, replicas: u64) -> Change {
    let annotations = json!({
        "drplan.io/paused": null, "drplan.io/recovery": null, "drplan.io/run": null,
    });
    Merge(
        path,
        json!({"metadata": {"annotations": annotations}, "spec": {"replicas": replicas}}),
    )
}

fn kubernetes_release() -> Table {
    let deployments = "/apis/apps/v1/namespaces/web/deployments";
    let one = || {
        let more = vec![
            Create(deployments, deployment("idle", 1)),
            paused(FRONT, "site", 2),
            Pass(60),
        ];
        [web(), more].concat()
    };
    let both = || [one(), vec![paused(IDLE, "site", 1), Pass(60)]].concat();
    Table {
        kind: "kubernetes_release",
        step: "kubernetes_release.b",
        spec: r#"
resource "kubernetes_release" "b" {
  provider = kubernetes.b
  stage    = "infra"
}
"#,
        applied: false,
        rows: vec![
            after(
                one(),
                "another object is paused in the name of this recovery",
                vec![paused(IDLE, "site", 1), Pass(60)],
                Stale("`Deployment web/idle` was nothing when planned"),
            ),
            after(
                one(),
                "what an object was before is written over",
                vec![paused(FRONT, "site", 9)],
                Stale("`Deployment web/front` was {\"as\":2,"),
            ),
            after(
                one(),
                "the kubeconfig leads to another cluster",
                vec![Run(MISTAKE)],
                Stale(ELSEWHERE),
            ),
            after(
                web(),
                "an object is paused though nothing was when planned",
                vec![paused(FRONT, "site", 2)],
                Stale("the plan shows no action, but now it would update"),
            ),
            after(
                both(),
                "one of two is set going by hand",
                vec![released(IDLE, 1), Pass(60)],
                Goes,
            ),
            after(
                one(),
                "another recovery pauses something",
                vec![paused(IDLE, "another", 1), Pass(60)],
                Goes,
            ),
            after(
                one(),
                "another manager labels it",
                vec![labelled(FRONT)],
                Goes,
            ),
        ],
        fewer_because: None,
    }
}
