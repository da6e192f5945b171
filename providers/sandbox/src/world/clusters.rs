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
use super::seeds::seed_of;
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
        mut settings: Settings,
        clock: Clock,
        velero: Option<Arc<Velero>>,
    ) -> Result<Self, WorldError> {
        settings.seed = seed_of(settings.seed, &format!("cluster.{name}"));
        let mut options = ClusterOptions::new(name, settings.seed, clock);
        options.token_key = drawn(name)?;
        let token = drplan_api::digest(&drawn(name)?);
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
        // Until somebody starts it nobody is there.
        cluster.stop();
        Ok(Self {
            cluster,
            server: part.server.clone(),
            velero: velero.filter(|_| part.velero),
            inside: Mutex::default(),
        })
    }
}

/// Bytes that nobody can guess, for a world that listens. What is made of them is in no object and no
/// output, so that worlds of one seed are the same all the same.
fn drawn(cluster: &str) -> Result<[u8; 32], WorldError> {
    let mut bytes = [0; 32];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| WorldError::Part {
        part: format!("cluster `{cluster}`"),
        why: "this machine gives no random numbers".to_owned(),
    })?;
    Ok(bytes)
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

#[cfg(test)]
mod tests {
    use drplan_api::Timestamp;
    use http::Request;
    use http::header::AUTHORIZATION;
    use tower::ServiceExt as _;

    use super::*;

    fn machine() -> ClusterMachine {
        let part = json!({ "server": "https://b.example:6443" });
        let part = serde_json::from_value(part).expect("a part");
        let settings = Settings {
            seed: 1,
            ..Settings::default()
        };
        let clock = Clock::starting_at(Timestamp::UNIX_EPOCH);
        ClusterMachine::new("b", &part, settings, clock, None).expect("a cluster")
    }

    /// A token of the service account `default` in `default`.
    async fn token(machine: &ClusterMachine) -> String {
        let path = "/api/v1/namespaces/default/serviceaccounts/default/token";
        let request = Request::post(path)
            .header("content-type", "application/json")
            .body(axum::body::Body::from("{\"spec\":{}}"))
            .expect("a request");
        let router = machine.cluster.router_as(User::admin());
        let answer = router.oneshot(request).await.expect("an answer");
        let bytes = axum::body::to_bytes(answer.into_body(), 1 << 20).await;
        let answer: Value = serde_json::from_slice(&bytes.expect("a body")).expect("JSON");
        answer["status"]["token"]
            .as_str()
            .expect("a token")
            .to_owned()
    }

    async fn status(machine: &ClusterMachine, token: &str) -> u16 {
        let request = Request::get("/api/v1/namespaces")
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .body(axum::body::Body::empty())
            .expect("a request");
        let answer = machine.cluster.router().oneshot(request).await;
        answer.expect("an answer").status().as_u16()
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_knows_the_seed_of_a_world_cannot_make_its_tokens() {
        let (one, other) = (machine(), machine());
        for machine in [&one, &other] {
            machine.cluster.start();
            let account = json!({
                "apiVersion": "v1", "kind": "ServiceAccount",
                "metadata": { "name": "default", "namespace": "default" },
            });
            // It is there already where controllers have made it.
            machine.cluster.load([account]).ok();
        }
        let id = |m: &ClusterMachine| m.cluster.uid();
        assert_eq!(id(&one), id(&other), "one seed is one world");
        let theirs = token(&other).await;
        assert_eq!(status(&other, &theirs).await, 403, "a token that is known");
        assert_eq!(status(&one, &theirs).await, 401, "and elsewhere is not");
    }
}
