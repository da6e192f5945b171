//! The binaries of the real components, in a cache outside of the tree.
//!
//! A folder of the cache is named by everything that decides its content; a folder that is there
//! is whole. Knows nothing about starting what it finds.

mod build;
mod debian;
mod recipe;

use std::env;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

pub use build::Outcome;
pub use build::build;
pub use debian::ensure_postgres;
pub use recipe::RECIPES;
pub use recipe::Recipe;
pub use recipe::Wanted;

/// Where every binary is.
#[derive(Clone, Debug)]
pub struct Components {
    /// The etcd server.
    pub etcd: PathBuf,
    /// The Kubernetes API server.
    pub kube_apiserver: PathBuf,
    /// The Kubernetes controller manager.
    pub kube_controller_manager: PathBuf,
    /// The Kubernetes scheduler.
    pub kube_scheduler: PathBuf,
    /// The Kubernetes command line, of the API server's own version.
    pub kubectl: PathBuf,
    /// Velero, server and command line in one.
    pub velero: PathBuf,
    /// A folder that holds Velero's AWS plugin and nothing else.
    pub velero_plugins: PathBuf,
    /// The object store.
    pub minio: PathBuf,
    /// Helm's command line.
    pub helm: PathBuf,
    /// The controller of fake nodes.
    pub kwok: PathBuf,
    /// The stages by which kwok makes nodes and pods ready.
    pub kwok_stages: PathBuf,
    /// The folder of PostgreSQL's programs.
    pub postgres_bin: PathBuf,
}

impl Components {
    /// Finds all binaries without building anything.
    ///
    /// # Errors
    ///
    /// When one is missing; the error names the command that makes it.
    pub fn locate() -> Result<Self> {
        let kubernetes = folder("kubernetes")?;
        let velero_plugins = folder("velero-plugin-for-aws")?.join("plugins");
        let kwok = folder("kwok")?;
        Ok(Self {
            etcd: folder("etcd")?.join("etcd"),
            kube_apiserver: kubernetes.join("kube-apiserver"),
            kube_controller_manager: kubernetes.join("kube-controller-manager"),
            kube_scheduler: kubernetes.join("kube-scheduler"),
            kubectl: kubernetes.join("kubectl"),
            velero: folder("velero")?.join("velero"),
            velero_plugins,
            minio: folder("minio")?.join("minio"),
            helm: folder("helm")?.join("helm"),
            kwok_stages: kwok.join("stages.yaml"),
            kwok: kwok.join("kwok"),
            postgres_bin: debian::postgres_bin()?,
        })
    }
}

/// Finds OpenTofu, which is built only on demand.
///
/// # Errors
///
/// When it has not been built.
pub fn locate_opentofu() -> Result<PathBuf> {
    Ok(folder("opentofu")?.join("tofu"))
}

fn folder(name: &str) -> Result<PathBuf> {
    let recipe = Recipe::named(name)?;
    let folder = cache_root()?.join(recipe.folder_name()?);
    if !folder.is_dir() {
        bail!(
            "`{name}` is not built (no `{}`): run `cargo xtask components`",
            folder.display()
        );
    }
    Ok(folder)
}

/// The folder under which every component has its own.
fn cache_root() -> Result<PathBuf> {
    let base = match env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()) {
        Some(base) => PathBuf::from(base),
        None => Path::new(&env::var_os("HOME").context("neither XDG_CACHE_HOME nor HOME is set")?)
            .join(".cache"),
    };
    Ok(base.join("drplan/components"))
}
