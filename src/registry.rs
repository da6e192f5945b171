//! The one table of providers; each leaf can be left out of a build.

use drplan_api::Registry;

/// Returns everything that this build knows.
pub fn registry() -> Registry {
    let registry = Registry::new();
    #[cfg(feature = "command")]
    let registry = drplan_command::register(registry);
    #[cfg(feature = "kubernetes")]
    let registry = drplan_kubernetes::register(registry);
    #[cfg(feature = "velero")]
    let registry = drplan_velero::register(registry);
    #[cfg(feature = "helm")]
    let registry = drplan_helm::register(registry);
    #[cfg(feature = "postgres")]
    let registry = drplan_postgres::register(registry);
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
    let s3 = drplan_velero::lenses().into_iter().fold(s3, drplan_s3::S3System::lens);
    #[cfg(feature = "postgres")]
    let s3 = drplan_postgres::lenses().into_iter().fold(s3, drplan_s3::S3System::lens);
    s3
}
