//! What the rehearsed cluster is like: how long things take and what goes wrong.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

/// What a world tells its controllers.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What generated names and addresses are derived from, together with the objects' uids.
    pub seed: u64,
    /// The certificate that `kube-root-ca.crt` gives to every namespace, as PEM.
    pub root_ca: String,
    /// How long things take.
    pub durations: Durations,
    /// Images that no registry has: their containers never start.
    pub missing_images: BTreeSet<String>,
    /// Pods whose containers end with that exit code, as `NAMESPACE/NAME`. The name may be that of
    /// what made the pod: it matches a pod `NAME` and every pod `NAME-…`.
    pub failing_pods: BTreeMap<String, i32>,
    /// Whether an image cannot be pulled while a pull secret that its pod names is missing. True
    /// by default: who names a secret mostly has a private registry.
    pub pull_needs_secret: bool,
    /// The domain of load balancers that are reached by a name, as those of some clouds are. `None`
    /// gives them addresses.
    pub load_balancer_domain: Option<String>,
    /// Provisioners, as StorageClasses name them, that have no driver here: their claims stay
    /// pending.
    pub missing_provisioners: BTreeSet<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 0,
            root_ca: String::new(),
            durations: Durations::default(),
            missing_images: BTreeSet::new(),
            failing_pods: BTreeMap::new(),
            pull_needs_secret: true,
            load_balancer_domain: None,
            missing_provisioners: BTreeSet::new(),
        }
    }
}

/// How long things take in the world, in the time that its clock shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Durations {
    /// From a pod's binding to its first container running: image pull, mounts, sandbox.
    pub pod_start: Duration,
    /// From a container running to its readiness probe passing, on top of the probe's own initial
    /// delay. Containers without a readiness probe are ready at once.
    pub pod_ready: Duration,
    /// How long an init container runs.
    pub init_run: Duration,
    /// How long a container that is meant to end (a Job's) runs.
    pub job_run: Duration,
    /// From a pod's deletion to its containers having stopped.
    pub pod_stop: Duration,
    /// Between two attempts to restart a container that ended with an error.
    pub restart_backoff: Duration,
    /// From a claim to its new volume.
    pub volume_bind: Duration,
    /// From a LoadBalancer service to its address.
    pub load_balancer: Duration,
    /// From an ingress to its address.
    pub ingress: Duration,
    /// Between two renewals of a node's lease. Zero: leases are written once and never renewed.
    pub lease_renew: Duration,
    /// Until a refused creation is tried again.
    pub retry: Duration,
}

impl Default for Durations {
    fn default() -> Self {
        let s = Duration::from_secs;
        Self {
            pod_start: s(12),
            pod_ready: s(8),
            init_run: s(3),
            job_run: s(20),
            pod_stop: s(3),
            restart_backoff: s(10),
            volume_bind: s(6),
            load_balancer: s(90),
            ingress: s(45),
            lease_renew: s(10),
            retry: s(5),
        }
    }
}
