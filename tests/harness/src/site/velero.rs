//! Velero's CRDs, namespace and server, the server under a restart loop.
//!
//! The server exits when its namespace or CRDs are missing and counts on a kubelet to start it
//! again; [`keep`] is that kubelet. Knows nothing about backups.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::Client;
use kube::api::DeleteParams;
use kube::api::DynamicObject;
use kube::api::PostParams;
use kube::core::ApiResource;
use kube::core::GroupVersionKind;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;
use tokio::process::Child;
use tokio::process::Command;
use tokio::signal::unix::Signal;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio::time::Instant;
use tokio::time::sleep;
use tokio::time::timeout;

use super::Identity;
use super::SiteDir;
use super::bring_up::Bench;
use super::bring_up::UpOptions;
use super::cluster;
use super::state::State;
use crate::launch::Launch;
use crate::launch::base_env;
use crate::private;
use crate::process::MARK;
use crate::wait;

/// The name of the keeper in the state; the server is its child.
const PROCESS: &str = "velero";

const METRICS: &str = "velero-metrics";
const PROFILER: &str = "velero-profiler";

/// The namespace that Velero works in.
const NAMESPACE: &str = "velero";

/// How long the server may take to answer a status request.
const UP_LIMIT: Duration = Duration::from_secs(90);

/// How long the CRDs may take to be served.
const CRDS_LIMIT: Duration = Duration::from_secs(30);

/// How long a server that runs may take to answer; it may be busy with a restore.
const PROBE_LIMIT: Duration = Duration::from_secs(15);

/// How often one status request is looked at before the next is made, and how long between looks.
const LOOKS: u32 = 30;
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The first pause before a restart; it doubles with each.
const BACKOFF_FIRST: Duration = Duration::from_secs(1);

/// The longest pause before a restart.
const BACKOFF_LONGEST: Duration = Duration::from_secs(10);

/// A server that lived this long starts the pauses from the beginning.
const LIVED_WELL: Duration = Duration::from_secs(30);

/// The longest that a keeper lives: one that was forgotten ends by itself.
const KEEPER_LIMIT: Duration = Duration::from_secs(12 * 3_600);

/// How long the server may take to end when its keeper is asked to.
const SERVER_GRACE: Duration = Duration::from_secs(8);

/// What the keeper needs to know, in `velero/keeper.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeeperFile {
    program: PathBuf,
    args: Vec<String>,
    env: Vec<(String, String)>,
    home: PathBuf,
}

pub(super) async fn probe(site: &SiteDir, state: &State) -> Result<()> {
    let keeper = state.living(PROCESS)?;
    let client = site.client(Identity::Admin).await?;
    crds_are_served(&client).await?;
    Api::<Namespace>::all(client.clone())
        .get(NAMESPACE)
        .await
        .context("Velero's namespace")?;
    wait::until("Velero's status", PROBE_LIMIT, keeper, || {
        processes_a_request(&client)
    })
    .await
}

pub(super) async fn up(bench: &mut Bench<'_>, options: &UpOptions) -> Result<()> {
    let client = bench
        .site
        .client(Identity::Admin)
        .await
        .context("Velero needs a control plane")?;
    install(bench, &client).await?;
    if bench.state.living(PROCESS).is_err() {
        bench.end(&[PROCESS])?;
        bench.state.choose_ports(&[METRICS, PROFILER])?;
        write_keeper_file(bench, options)?;
        let launch = Launch::of(&options.keeper)
            .arg("site")
            .arg("keep-velero")
            .arg("--dir")
            .arg(bench.site.path().display().to_string());
        bench.start(PROCESS, launch)?;
    }
    let keeper = bench.state.living(PROCESS)?;
    wait::until("Velero's status", UP_LIMIT, keeper, || {
        processes_a_request(&client)
    })
    .await
}

/// Applies the CRDs that the binary itself prints, and the namespace.
async fn install(bench: &Bench<'_>, client: &Client) -> Result<()> {
    let output = Command::new(&bench.components.velero)
        .args(["install", "--crds-only", "--dry-run", "-o", "json"])
        .env_clear()
        .envs(base_env(&bench.site.path().join("home")))
        .stdin(Stdio::null())
        .output()
        .await
        .context("cannot run `velero install`")?;
    if !output.status.success() {
        bail!(
            "`velero install` failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let list: Value =
        serde_json::from_slice(&output.stdout).context("`velero install` printed no JSON")?;
    for crd in list["items"]
        .as_array()
        .context("`velero install` printed no list")?
    {
        cluster::apply(client, crd).await?;
    }
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    cluster::apply(client, &namespace).await?;
    cluster::apply(client, &own_deployment()).await?;
    let api = bench.state.living("kube-apiserver")?;
    wait::until("Velero's CRDs", CRDS_LIMIT, api, || crds_are_served(client)).await
}

/// The Deployment that Velero would run as. The server runs beside the cluster, but some of its
/// plugins read their image from here, and without it no restore begins.
fn own_deployment() -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "velero", "namespace": NAMESPACE},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"deploy": "velero"}},
            "template": {
                "metadata": {"labels": {"deploy": "velero"}},
                "spec": {"containers": [{"name": "velero", "image": "velero/velero"}]},
            },
        },
    })
}

fn write_keeper_file(bench: &Bench<'_>, options: &UpOptions) -> Result<()> {
    let folder = bench.site.path().join("velero");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    let plugins = &bench.components.velero_plugins;
    let kubeconfig = bench.site.kubeconfig(Identity::Velero);
    let mut env = base_env(&bench.site.path().join("home"));
    env.push((MARK.to_owned(), bench.state.mark.clone()));
    env.push(("VELERO_NAMESPACE".to_owned(), NAMESPACE.to_owned()));
    env.push((
        "VELERO_SCRATCH_DIR".to_owned(),
        folder.join("scratch").display().to_string(),
    ));
    if let Some(file) = &options.aws_credentials {
        let file = std::path::absolute(file)?;
        env.push((
            "AWS_SHARED_CREDENTIALS_FILE".to_owned(),
            file.display().to_string(),
        ));
    }
    let keeper = KeeperFile {
        program: bench.components.velero.clone(),
        args: vec![
            "server".to_owned(),
            format!("--plugin-dir={}", plugins.display()),
            format!("--kubeconfig={}", kubeconfig.display()),
            format!("--metrics-address=127.0.0.1:{}", bench.state.port(METRICS)?),
            format!(
                "--profiler-address=127.0.0.1:{}",
                bench.state.port(PROFILER)?
            ),
        ],
        env,
        home: folder.clone(),
    };
    private::write(
        &folder.join("keeper.json"),
        &serde_json::to_vec_pretty(&keeper)?,
    )
}

fn resource(kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("velero.io", "v1", kind))
}

async fn crds_are_served(client: &Client) -> Result<()> {
    for kind in [
        "Backup",
        "BackupStorageLocation",
        "Restore",
        "ServerStatusRequest",
    ] {
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource(kind));
        api.list(&kube::api::ListParams::default().limit(1))
            .await
            .with_context(|| format!("{kind} is not served"))?;
    }
    Ok(())
}

/// Asks the server for its status through the API server. Only a server that works answers; its
/// ports also listen while it is on its way down.
async fn processes_a_request(client: &Client) -> Result<()> {
    let name = format!("harness-{}", private::random_word()?);
    let api: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), NAMESPACE, &resource("ServerStatusRequest"));
    let request = DynamicObject::new(&name, &resource("ServerStatusRequest"));
    let request = DynamicObject {
        data: json!({"spec": {}}),
        ..request
    };
    api.create(&PostParams::default(), &request).await?;
    let mut answer = Err(anyhow::anyhow!("the status request is not processed"));
    for _ in 0..LOOKS {
        sleep(LOOK_EVERY).await;
        if api.get(&name).await?.data.pointer("/status/phase") == Some(&json!("Processed")) {
            answer = Ok(());
            break;
        }
    }
    // The server deletes it too, after a while.
    api.delete(&name, &DeleteParams::default()).await.ok();
    answer
}

/// Runs Velero's server and starts it again whenever it ends, until asked to end.
///
/// # Errors
///
/// When its description is missing, when the server cannot be started at all, or at the end of
/// the longest life of a keeper.
pub async fn keep(dir: &Path) -> Result<()> {
    let file = dir.join("velero/keeper.json");
    let text = fs::read(&file).with_context(|| format!("cannot read `{}`", file.display()))?;
    let keeper: KeeperFile =
        serde_json::from_slice(&text).with_context(|| format!("`{}` is broken", file.display()))?;
    let mut asked_to_end = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let deadline = Instant::now() + KEEPER_LIMIT;
    let mut backoff = BACKOFF_FIRST;
    while Instant::now() < deadline {
        let start = Instant::now();
        let mut server = start_server(&keeper)?;
        tokio::select! {
            ended = server.wait() => { ended.context("cannot wait for Velero's server")?; }
            _ = asked_to_end.recv() => return end_server(&mut server).await,
            () = tokio::time::sleep_until(deadline) => {
                end_server(&mut server).await?;
                break;
            }
        }
        if start.elapsed() > LIVED_WELL {
            backoff = BACKOFF_FIRST;
        }
        if is_asked_within(&mut asked_to_end, backoff).await {
            return Ok(());
        }
        backoff = (backoff * 2).min(BACKOFF_LONGEST);
    }
    bail!(
        "nobody ended this keeper in {} hours",
        KEEPER_LIMIT.as_secs() / 3_600
    )
}

/// The server stays in the keeper's process group and writes to the keeper's log.
fn start_server(keeper: &KeeperFile) -> Result<Child> {
    Command::new(&keeper.program)
        .args(&keeper.args)
        .env_clear()
        .envs(keeper.env.iter().cloned())
        .current_dir(&keeper.home)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start `{}`", keeper.program.display()))
}

async fn end_server(server: &mut Child) -> Result<()> {
    let pid = server.id().and_then(|id| i32::try_from(id).ok());
    if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
        // Not yet waited for, so that the number cannot mean another process.
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).ok();
    }
    if timeout(SERVER_GRACE, server.wait()).await.is_err() {
        server.kill().await.context("cannot kill Velero's server")?;
    }
    Ok(())
}

async fn is_asked_within(asked_to_end: &mut Signal, pause: Duration) -> bool {
    timeout(pause, asked_to_end.recv()).await.is_ok()
}
