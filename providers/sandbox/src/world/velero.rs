//! The Velero of a world: its buckets are those of the world's object store.

use drplan_api::Clock;
use drplan_sandbox_s3::Store;

/// The namespace that Velero lives in.
const NAMESPACE: &str = "velero";

/// A Velero server, to be run in a cluster.
pub(super) struct Velero {
    store: Store,
    clock: Clock,
    seed: u64,
}

impl Velero {
    pub(super) fn new(store: Store, clock: Clock, seed: u64) -> Self {
        Self { store, clock, seed }
    }
    pub(super) fn namespace(&self) -> &'static str {
        NAMESPACE
    }
    pub(super) async fn serve(&self, _: kube::Client) {
        std::future::pending().await
    }
}
