//! The one table of providers; each leaf can be left out of a build.

use drplan_api::Registry;
#[cfg(any(
    feature = "kubernetes",
    feature = "helm",
    feature = "velero",
    feature = "postgres"
))]
use drplan_api::acting;
#[cfg(any(feature = "velero", feature = "postgres"))]
use drplan_api::reading;

/// Returns everything that this build knows.
pub fn registry() -> Registry {
    let registry = Registry::new();
    #[cfg(feature = "command")]
    let registry = drplan_command::register(registry);
    #[cfg(feature = "kubernetes")]
    let registry = registry
        .system(drplan_kubernetes::KubernetesSystem)
        .resource(acting(drplan_kubernetes::KubernetesCluster))
        .resource(acting(drplan_kubernetes::KubernetesManifest))
        .resource(acting(drplan_kubernetes::KubernetesPause))
        .resource(acting(drplan_kubernetes::KubernetesRelease));
    #[cfg(feature = "velero")]
    let registry = registry
        .data(reading(drplan_velero::VeleroBackup))
        .resource(acting(drplan_velero::VeleroBackupLocation))
        .resource(acting(drplan_velero::VeleroRestore));
    #[cfg(feature = "helm")]
    let registry = registry.resource(acting(drplan_helm::HelmRelease));
    #[cfg(feature = "postgres")]
    let registry = registry
        .system(drplan_postgres::PostgresSystem)
        .data(reading(drplan_postgres::DumpArchive))
        .resource(acting(drplan_postgres::PostgresRestore));
    #[cfg(feature = "route53")]
    let registry = drplan_route53::register(registry);
    #[cfg(feature = "http")]
    let registry = drplan_http::register(registry);
    #[cfg(feature = "s3")]
    let registry = registry.system(s3());
    registry
}

/// Object storage with every lens that other providers bring along.
#[cfg(feature = "s3")]
fn s3() -> drplan_s3::S3System {
    let s3 = drplan_s3::S3System::new();
    #[cfg(feature = "velero")]
    let s3 = drplan_velero::lenses()
        .into_iter()
        .fold(s3, drplan_s3::S3System::lens);
    #[cfg(feature = "postgres")]
    let s3 = s3.lens(std::sync::Arc::new(drplan_postgres::DumpToc));
    s3
}
