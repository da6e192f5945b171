//! Kubernetes clusters and manifests.
