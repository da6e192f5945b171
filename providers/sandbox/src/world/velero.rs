//! The Velero of a world.

/// The namespace that Velero lives in.
const NAMESPACE: &str = "velero";

/// A Velero server, to be run in a cluster.
pub(super) struct Velero;

impl Velero {
    pub(super) fn namespace(&self) -> &'static str {
        NAMESPACE
    }

    pub(super) async fn serve(&self, _: kube::Client) {
        std::future::pending().await
    }
}
