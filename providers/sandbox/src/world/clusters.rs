//! The clusters of a world, and what runs in them beside their controllers.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use drplan_api::Clock;
use drplan_sandbox_kubernetes::Cluster;
use drplan_sandbox_kubernetes::ClusterOptions;
use drplan_sandbox_kubernetes::Rights;
use drplan_sandbox_kubernetes::Settings;
use drplan_sandbox_kubernetes::User;
use ring::rand::SecureRandom as _;
use ring::rand::SystemRandom;
use serde_json::Value;
use serde_json::json;
use tokio::task::JoinHandle;

use super::WorldError;
use super::addresses::address_of;
use super::file::ClusterPart;
use super::power::Machine;
use super::velero::Velero;

/// Who drplan is in a cluster of a world.
pub(super) const USER: &str = "drplan";
/// How often the Deployment of a server that runs in the cluster is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// What a StorageClass is provisioned by if the world file does not say.
const PROVISIONER: &str = "rehearsal.drplan.io/disk";
/// What marks the class that is taken where a claim names none.
const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";

/// A cluster that can be started and stopped.
pub(super) struct ClusterMachine {
    pub(super) cluster: Cluster,
    server: String,
    velero: Option<Arc<Velero>>,
    inside: Mutex<Option<JoinHandle<()>>>,
}

impl ClusterMachine {
    pub(super) fn new(
        name: &str,
        part: &ClusterPart,
        settings: Settings,
        clock: Clock,
        velero: Option<Arc<Velero>>,
    ) -> Result<Self, WorldError> {
        let mut options = ClusterOptions::new(name, settings.seed, clock);
        let token = token(name)?;
        options.rights = Rights::default().token(&token, User::new(USER, &["system:masters"]));
        options.nodes = part.nodes;
        options.settings = settings;
        if let Some(version) = &part.version {
            options.version.clone_from(version);
        }
        let cluster = Cluster::new(options);
        let classes = part.storage_class.iter().map(|(name, class)| {
            json!({
                "apiVersion": "storage.k8s.io/v1",
                "kind": "StorageClass",
                "metadata": {
                    "name": name,
                    "annotations": { DEFAULT_CLASS: class.default.to_string() },
                },
                "provisioner": class.provisioner.as_deref().unwrap_or(PROVISIONER),
            })
        });
        cluster.load(classes).map_err(|e| WorldError::Part {
            part: format!("cluster `{name}`"),
            why: e.to_string(),
        })?;
        Ok(Self {
            cluster,
            server: part.server.clone(),
            velero: velero.filter(|_| part.velero),
            inside: Mutex::default(),
        })
    }
}

/// A token that nobody can guess, for a world that listens. It is in no object and no output, so that
/// worlds of one seed are the same all the same.
fn token(cluster: &str) -> Result<String, WorldError> {
    let mut bytes = [0; 32];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| WorldError::Part {
        part: format!("cluster `{cluster}`"),
        why: "this machine gives no random numbers".to_owned(),
    })?;
    Ok(drplan_api::digest(&bytes))
}

impl Machine for ClusterMachine {
    fn start(&self) {
        self.cluster.start();
        let Some(velero) = self.velero.clone() else {
            return;
        };
        let task = tokio::spawn(keep(self.cluster.clone(), velero));
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        *inside = Some(task);
    }

    fn stop(&self) {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = inside.take() {
            task.abort();
        }
        self.cluster.stop();
    }

    fn access(&self) -> String {
        self.cluster.kubeconfig(&self.server, USER)
    }

    fn balancer(&self, namespace: &str, service: &str) -> Option<String> {
        address_of(&self.cluster, namespace, service)
    }
}

impl Drop for ClusterMachine {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Runs Velero's server for as long as its Deployment has a ready pod, and anew when it exits, as a
/// kubelet would.
async fn keep(cluster: Cluster, velero: Arc<Velero>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(account) = ready_account(&cluster) else {
            continue;
        };
        let user = format!("system:serviceaccount:{}:{account}", velero.namespace());
        let groups = ["system:serviceaccounts"];
        let router = cluster.router_as(User::new(&user, &groups));
        let client = kube::Client::new(router, velero.namespace());
        let gone = async {
            while ready_account(&cluster).is_some() {
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::select! {
            // One order in every run.
            biased;
            () = velero.serve(client) => {}
            () = gone => {}
        }
    }
}

/// The service account of Velero's Deployment if one of its pods is ready.
fn ready_account(cluster: &Cluster) -> Option<String> {
    let deployment = cluster.object("apps", "deployments", "velero", "velero")?;
    let ready = deployment["status"]["readyReplicas"].as_u64()? > 0;
    let account = deployment.pointer("/spec/template/spec/serviceAccountName");
    let account = account.and_then(Value::as_str).unwrap_or("default");
    ready.then(|| account.to_owned())
}
