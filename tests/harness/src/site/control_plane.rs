//! etcd, the API server, its controllers, the scheduler and kwok.
//!
//! Webhooks and all other admission stay as the API server ships them. Knows nothing about what
//! will run on the cluster.

use std::fs;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use kube::Api;
use kube::Client;

use super::Identity;
use super::SiteDir;
use super::bring_up::Bench;
use super::cluster;
use super::identity;
use super::state::State;
use crate::components::Components;
use crate::launch::Launch;
use crate::pki;
use crate::private;
use crate::wait;

/// The processes of this part, in the order in which they start.
const PROCESSES: &[&str] = &[
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kwok",
];

/// Ports of this part.
const PORTS: &[&str] = &["etcd-client", "etcd-peer", "kube-apiserver", "kwok"];

/// How long the API server may take to be ready; it takes four seconds on two idle cores.
const API_LIMIT: Duration = Duration::from_secs(90);

/// How long nodes may take to be Ready after that.
const NODES_LIMIT: Duration = Duration::from_secs(60);

/// A documentation address: the API server wants to advertise one that is not loopback, and
/// nothing here ever calls it. Without it the server looks for a default route.
const ADVERTISED: &str = "192.0.2.1";

/// All writes, dry runs included, without bodies; one event for each request.
const AUDIT_POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  verbs: [get, list, watch]
- level: Metadata
";

/// Megabytes after which the audit log would be rotated; it must not be.
const AUDIT_LOG_MB: u32 = 4_096;

/// Addresses of pods and services are made up, and a machine's network may lead them anywhere: the API
/// server asks for them behind a socket that does not exist.
const EGRESS: &str = "\
apiVersion: apiserver.k8s.io/v1beta1
kind: EgressSelectorConfiguration
egressSelections:
- {name: cluster, connection: {proxyProtocol: HTTPConnect, transport: {uds: {udsName: /nobody.socket}}}}
- {name: controlplane, connection: {proxyProtocol: HTTPConnect, transport: {uds: {udsName: /nobody.socket}}}}
";

/// Fake nodes that kwok takes care of.
const FAKE_NODES: &str = "kwok.x-k8s.io/node=fake";

pub(super) async fn probe(site: &SiteDir, state: &State) -> Result<()> {
    for name in PROCESSES {
        state.living(name)?;
    }
    let client = site.client(Identity::Admin).await?;
    cluster::is_ready(&client).await?;
    cluster::nodes_are_ready(&client, state.nodes).await
}

pub(super) async fn up(bench: &mut Bench<'_>, nodes: usize) -> Result<()> {
    if !bench.state.all_alive(PROCESSES) {
        bench.end(PROCESSES)?;
        prepare(bench, nodes)?;
        start_etcd(bench)?;
        start_apiserver(bench)?;
    }
    let client = bench.site.client(Identity::Admin).await?;
    let api = bench.state.living("kube-apiserver")?.clone();
    wait::until("the API server", API_LIMIT, &api, || {
        cluster::is_ready(&client)
    })
    .await?;
    // They come after the API server: each gives up when it cannot reach it at first.
    for (name, start) in [
        (
            "kube-controller-manager",
            start_controller_manager as fn(&mut Bench<'_>) -> Result<()>,
        ),
        ("kube-scheduler", start_scheduler),
        ("kwok", start_kwok),
    ] {
        if bench.state.living(name).is_err() {
            start(bench)?;
        }
    }
    populate(bench, &client, &api).await
}

fn prepare(bench: &mut Bench<'_>, nodes: usize) -> Result<()> {
    bench.state.nodes = nodes;
    bench.state.choose_ports(PORTS)?;
    let path = bench.site.path();
    for folder in ["audit", "config", "etcd", "home", "logs", "pki"] {
        fs::create_dir_all(path.join(folder))
            .with_context(|| format!("cannot create `{folder}` in `{}`", path.display()))?;
    }
    if !path.join("pki/sa.pub").exists() {
        pki::create(&path.join("pki"), &bench.state.name)?;
    }
    identity::write(
        bench.site,
        &bench.state.name,
        bench.state.port("kube-apiserver")?,
    )?;
    private::write(
        &path.join("config/audit-policy.yaml"),
        AUDIT_POLICY.as_bytes(),
    )?;
    private::write(&path.join("config/egress.yaml"), EGRESS.as_bytes())?;
    bench.state.save(path)
}

fn start_etcd(bench: &mut Bench<'_>) -> Result<()> {
    let client = format!("http://127.0.0.1:{}", bench.state.port("etcd-client")?);
    let peer = format!("http://127.0.0.1:{}", bench.state.port("etcd-peer")?);
    let launch = Launch::of(&bench.components.etcd)
        .path("data-dir", &bench.site.path().join("etcd"))
        .arg("--name=only")
        .arg(format!("--listen-client-urls={client}"))
        .arg(format!("--advertise-client-urls={client}"))
        .arg(format!("--listen-peer-urls={peer}"))
        .arg(format!("--initial-advertise-peer-urls={peer}"))
        .arg(format!("--initial-cluster=only={peer}"))
        .arg("--log-level=warn")
        .arg("--unsafe-no-fsync");
    bench.start("etcd", launch)
}

fn start_apiserver(bench: &mut Bench<'_>) -> Result<()> {
    let path = bench.site.path();
    let (pki, config) = (path.join("pki"), path.join("config"));
    let launch = Launch::of(&bench.components.kube_apiserver)
        .arg(format!(
            "--etcd-servers=http://127.0.0.1:{}",
            bench.state.port("etcd-client")?
        ))
        .arg("--bind-address=127.0.0.1")
        .arg(format!(
            "--secure-port={}",
            bench.state.port("kube-apiserver")?
        ))
        .arg(format!("--advertise-address={ADVERTISED}"))
        .path("tls-cert-file", &pki.join("server.crt"))
        .path("tls-private-key-file", &pki.join("server.key"))
        .path("cert-dir", &pki)
        .arg("--service-account-issuer=https://kubernetes.default.svc")
        .path("service-account-signing-key-file", &pki.join("sa.key"))
        .path("service-account-key-file", &pki.join("sa.pub"))
        .path("token-auth-file", &config.join("tokens.csv"))
        .arg("--authorization-mode=RBAC")
        .arg("--service-cluster-ip-range=10.96.0.0/16")
        // What has no endpoints is told so, instead of an address being tried that leads elsewhere.
        .arg("--enable-aggregator-routing=true")
        .path("egress-selector-config-file", &config.join("egress.yaml"))
        .arg("--allow-privileged=true")
        .arg("--profiling=false")
        .path("audit-policy-file", &config.join("audit-policy.yaml"))
        .path("audit-log-path", &bench.site.audit_log())
        .arg(format!("--audit-log-maxsize={AUDIT_LOG_MB}"));
    bench.start("kube-apiserver", launch)
}

/// Starts the part of a controller's arguments that all share: its identity, no port of its own
/// and no election, as there is only one of each.
fn controller(bench: &Bench<'_>, program: impl Fn(&Components) -> &std::path::Path) -> Launch {
    Launch::of(program(bench.components))
        .path("kubeconfig", &bench.site.kubeconfig(Identity::Component))
        .arg("--authentication-skip-lookup=true")
        .arg("--secure-port=0")
        .arg("--leader-elect=false")
        .arg("--kube-api-qps=200")
        .arg("--kube-api-burst=400")
}

fn start_controller_manager(bench: &mut Bench<'_>) -> Result<()> {
    let pki = bench.site.path().join("pki");
    let launch = controller(bench, |components| &components.kube_controller_manager)
        .path("service-account-private-key-file", &pki.join("sa.key"))
        .path("root-ca-file", &pki.join("ca.crt"))
        // Nobody sends the heartbeats of fake nodes: without patience their pods turn unready.
        .arg("--node-monitor-grace-period=24h")
        .arg("--controllers=*,-nodeipam");
    bench.start("kube-controller-manager", launch)
}

fn start_scheduler(bench: &mut Bench<'_>) -> Result<()> {
    let launch = controller(bench, |components| &components.kube_scheduler);
    bench.start("kube-scheduler", launch)
}

fn start_kwok(bench: &mut Bench<'_>) -> Result<()> {
    let launch = Launch::of(&bench.components.kwok)
        .path("kubeconfig", &bench.site.kubeconfig(Identity::Component))
        .path("config", &bench.components.kwok_stages)
        .arg("--manage-all-nodes=false")
        .arg(format!(
            "--manage-nodes-with-annotation-selector={FAKE_NODES}"
        ))
        .arg(format!(
            "--server-address=127.0.0.1:{}",
            bench.state.port("kwok")?
        ));
    bench.start("kwok", launch)
}

/// Makes rights and nodes and waits until a pod could run in the default namespace.
async fn populate(bench: &Bench<'_>, client: &Client, api: &crate::Process) -> Result<()> {
    for object in cluster::rights() {
        cluster::apply(client, &object).await?;
    }
    for number in 1..=bench.state.nodes {
        cluster::apply(client, &cluster::fake_node(&bench.state.name, number)).await?;
    }
    let kwok = bench.state.living("kwok")?;
    wait::until("the fake nodes", NODES_LIMIT, kwok, || {
        cluster::nodes_are_ready(client, bench.state.nodes)
    })
    .await?;
    wait::until("the default service account", NODES_LIMIT, api, || {
        has_account(client)
    })
    .await
}

async fn has_account(client: &Client) -> Result<()> {
    let accounts: Api<k8s_openapi::api::core::v1::ServiceAccount> =
        Api::namespaced(client.clone(), "default");
    if accounts.get_opt("default").await?.is_none() {
        bail!("it is not there");
    }
    Ok(())
}
