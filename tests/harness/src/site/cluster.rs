//! The few calls that readying a control plane needs.
//!
//! Each is one bounded attempt; waiting is the caller's. Knows nothing about processes.

use std::path::Path;
use std::sync::Once;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::Client;
use kube::Config;
use kube::api::DynamicObject;
use kube::api::ListParams;
use kube::api::Patch;
use kube::api::PatchParams;
use kube::config::KubeConfigOptions;
use kube::config::Kubeconfig;
use kube::core::ApiResource;
use kube::core::GroupVersionKind;
use serde_json::Value;
use serde_json::json;

/// The longest that a connection may take to open and an answer to come.
const CALL_LIMIT: Duration = Duration::from_secs(10);

/// The field manager of everything that the harness itself writes.
const MANAGER: &str = "drplan-harness";

/// Opens a client that neither retries nor uses a proxy.
///
/// # Errors
///
/// When the kubeconfig is missing or broken.
pub async fn client(kubeconfig: &Path) -> Result<Client> {
    static PROVIDER: Once = Once::new();
    // Fails only when the program chose a provider before, and then that one serves.
    PROVIDER.call_once(|| {
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
    });
    let about = || format!("in the kubeconfig `{}`", kubeconfig.display());
    let file = Kubeconfig::read_from(kubeconfig).with_context(about)?;
    let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
        .await
        .with_context(about)?;
    config.proxy_url = None;
    config.default_retry = false;
    config.connect_timeout = Some(CALL_LIMIT);
    config.read_timeout = Some(CALL_LIMIT);
    Client::try_from(config).with_context(about)
}

/// Asks the API server whether it is ready.
pub(super) async fn is_ready(client: &Client) -> Result<()> {
    let request = http::Request::get("/readyz").body(Vec::new())?;
    match client.request_text(request).await?.trim() {
        "ok" => Ok(()),
        other => bail!("`/readyz` answers `{other}`"),
    }
}

/// Applies an object as it stands, cluster-scoped or with its namespace.
pub(super) async fn apply(client: &Client, object: &Value) -> Result<()> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let (Some(kind), Some(name)) = (text("/kind"), text("/metadata/name")) else {
        bail!("an object without kind or name");
    };
    let (group, version) = match text("/apiVersion").unwrap_or_default().split_once('/') {
        Some(pair) => pair,
        None => ("", text("/apiVersion").unwrap_or_default()),
    };
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    let api: Api<DynamicObject> = match text("/metadata/namespace") {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    api.patch(
        name,
        &PatchParams::apply(MANAGER).force(),
        &Patch::Apply(object),
    )
    .await
    .with_context(|| format!("cannot apply {kind} `{name}`"))?;
    Ok(())
}

/// Says whether at least `wanted` nodes are Ready.
pub(super) async fn nodes_are_ready(client: &Client, wanted: usize) -> Result<()> {
    let nodes: Api<Node> = Api::all(client.clone());
    let list = nodes.list(&ListParams::default()).await?;
    let ready = list.iter().filter(|node| is_node_ready(node)).count();
    if ready < wanted {
        bail!("{ready} of {wanted} nodes are Ready");
    }
    Ok(())
}

fn is_node_ready(node: &Node) -> bool {
    let conditions = node
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    conditions
        .into_iter()
        .any(|c| c.type_ == "Ready" && c.status == "True")
}

/// The fake nodes that kwok brings to life.
pub(super) fn fake_node(site: &str, number: usize) -> Value {
    let name = format!("node-{number}");
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {"kwok.x-k8s.io/node": "fake"},
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "topology.kubernetes.io/zone": format!("site-{site}"),
            },
        },
    })
}

/// The rights of the recovery and of Velero.
///
/// A recovery writes whatever the backup and the manifests hold, so the role names no kinds; it
/// still cannot impersonate, and `escalate` and `bind` stand there for the roles that come back.
pub(super) fn rights() -> [Value; 3] {
    let role = "rbac.authorization.k8s.io/v1";
    let binding = |name: &str, role_name: &str, user: &str| {
        json!({
            "apiVersion": role,
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role_name},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
        })
    };
    let recovery = json!({
        "apiVersion": role,
        "kind": "ClusterRole",
        "metadata": {"name": "drplan-recovery"},
        "rules": [
            {
                "apiGroups": ["*"],
                "resources": ["*"],
                "verbs": ["get", "list", "watch", "create", "update", "patch", "delete"],
            },
            {
                "apiGroups": ["rbac.authorization.k8s.io"],
                "resources": ["clusterroles", "roles"],
                "verbs": ["escalate", "bind"],
            },
            {"nonResourceURLs": ["*"], "verbs": ["get"]},
        ],
    });
    [
        recovery,
        binding("drplan-recovery", "drplan-recovery", "drplan"),
        binding("velero-server", "cluster-admin", "velero"),
    ]
}
