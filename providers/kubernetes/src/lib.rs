//! Kubernetes clusters and manifests.
//!
//! Three layers: [`KubernetesSystem`] opens a [`KubeConn`], which answers bulk reads ([`asks`]);
//! pure rules about objects ([`normalise`], [`ready`], [`mark`]); and the kinds [`KubernetesCluster`],
//! [`KubernetesManifest`], [`KubernetesPause`] and [`KubernetesRelease`]. Other providers build on the
//! first two layers.
//!
//! The crate knows nothing about the graph, the plan file or the order of steps, does not retry, and
//! never lets the value of a Secret out of an answer: such values become salted digests.

pub mod asks;
mod cluster;
mod config;
mod conn;
mod direct;
mod discovery;
mod error;
pub mod interlock;
mod lifetime;
mod manifest;
pub mod mark;
mod name;
pub mod normalise;
mod page;
mod read;
pub mod ready;
mod recall;
mod redact;
mod rights;
pub mod room;
pub mod secrets;
mod session;
pub mod word;

pub use cluster::KubernetesCluster;
pub use config::KubernetesSystem;
pub use config::private_client;
pub use conn::KubeConn;
pub use discovery::Discovered;
pub use discovery::Resource;
pub use error::kube_error;
pub use interlock::KubernetesPause;
pub use interlock::KubernetesRelease;
pub use manifest::KubernetesManifest;
pub use name::NAME_FORM;
pub use name::NAMESPACE_FORM;
pub use name::is_built_in_group;
pub use name::is_namespace_name;
pub use name::is_object_name;
pub use name::object_name;
pub use name::split_api_version;
pub use redact::salt;

#[cfg(test)]
mod scripted_tests;
