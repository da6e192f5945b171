//! What is built from which packages with which flags.
//!
//! Knows nothing about where the result goes.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use sha2::Digest;
use sha2::Sha256;

use crate::private::hex;

/// Digits of the digest in a folder's name.
const NAME_DIGITS: usize = 12;

/// When a component is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Unless other components are named.
    Always,
    /// Only when it is named.
    OnDemand,
}

/// How a component is built.
#[derive(Debug)]
pub struct Recipe {
    /// The component's name and that of its folder under `tests/components`.
    pub name: &'static str,
    /// When it is built.
    pub wanted: Wanted,
    /// Binary, relative to the component's folder, and the package that it is built from. Several
    /// binaries come from one build and are named as the last part of their package.
    pub(super) binaries: &'static [(&'static str, &'static str)],
    /// String variables that are set at link time.
    pub(super) variables: &'static [&'static str],
    /// A module whose files are copied, and the file that takes them, one after the other.
    pub(super) documents: Option<Documents>,
}

/// Files of a module that are needed beside the binary.
#[derive(Debug)]
pub(super) struct Documents {
    pub(super) module: &'static str,
    pub(super) files: &'static [&'static str],
    pub(super) into: &'static str,
}

impl Recipe {
    const fn new(
        name: &'static str,
        binaries: &'static [(&'static str, &'static str)],
        variables: &'static [&'static str],
    ) -> Self {
        Self {
            name,
            wanted: Wanted::Always,
            binaries,
            variables,
            documents: None,
        }
    }

    /// Finds a recipe by name.
    ///
    /// # Errors
    ///
    /// When there is none; the error lists all.
    pub fn named(name: &str) -> Result<&'static Self> {
        match RECIPES.iter().find(|recipe| recipe.name == name) {
            Some(recipe) => Ok(recipe),
            None => {
                let names: Vec<&str> = RECIPES.iter().map(|recipe| recipe.name).collect();
                bail!(
                    "there is no component `{name}`; there are {}",
                    names.join(", ")
                )
            }
        }
    }

    /// The folder with the component's `go.mod`.
    pub(super) fn source(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .with_file_name("components")
            .join(self.name)
    }

    /// The arguments of `go build` between `build` and `-o`.
    pub(super) fn flags(&self) -> Vec<String> {
        let variables = self
            .variables
            .iter()
            .map(|variable| format!(" -X {variable}"));
        vec![
            "-trimpath".into(),
            format!("-ldflags=-s -w{}", variables.collect::<String>()),
        ]
    }

    /// The name of the component's folder in the cache.
    ///
    /// # Errors
    ///
    /// When the sources cannot be read or `go` cannot be run.
    pub(super) fn folder_name(&self) -> Result<String> {
        let source = self.source();
        let read = |file: &str| {
            let path = source.join(file);
            fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))
        };
        let mut parts = vec![read("go.mod")?, read("go.sum")?, go_version(&source)?];
        parts.extend(self.flags().into_iter().map(String::into_bytes));
        for (binary, package) in self.binaries {
            parts.push(format!("{binary}={package}").into_bytes());
        }
        let files = self.documents.iter().flat_map(|documents| documents.files);
        parts.extend(files.map(|file| file.as_bytes().to_vec()));
        Ok(format!("{}-{}", self.name, digest(&parts)))
    }
}

/// A digest in which the parts cannot flow into each other.
fn digest(parts: &[Vec<u8>]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.len().to_le_bytes());
        digest.update(part);
    }
    let mut digits = hex(&digest.finalize());
    digits.truncate(NAME_DIGITS);
    digits
}

/// Asked in the component's folder, because a `go.mod` may choose another toolchain.
fn go_version(source: &Path) -> Result<Vec<u8>> {
    let output = Command::new("go")
        .arg("version")
        .current_dir(source)
        .output()
        .context("cannot run `go version`: install Go and put it on the PATH")?;
    if !output.status.success() {
        bail!(
            "`go version` failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(output.stdout)
}

/// All components, in the order in which they are built.
pub static RECIPES: &[Recipe] = &[
    Recipe::new("etcd", &[("etcd", "go.etcd.io/etcd/server/v3")], &[]),
    Recipe::new(
        "kubernetes",
        &[
            ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
            (
                "kube-controller-manager",
                "k8s.io/kubernetes/cmd/kube-controller-manager",
            ),
            ("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
            ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
        ],
        &[
            "k8s.io/component-base/version.gitVersion=v1.35.4",
            "k8s.io/client-go/pkg/version.gitVersion=v1.35.4",
        ],
    ),
    Recipe::new(
        "velero",
        &[("velero", "github.com/vmware-tanzu/velero/cmd/velero")],
        &[
            "github.com/vmware-tanzu/velero/pkg/buildinfo.Version=v1.18.3",
            // The server opens a second metrics port beside the one of its flag, 8080 on all
            // addresses, and no flag changes it: a second Velero on the machine would not start.
            "sigs.k8s.io/controller-runtime/pkg/metrics/server.DefaultBindAddress=0",
        ],
    ),
    Recipe::new(
        "velero-plugin-for-aws",
        &[(
            "plugins/velero-plugin-for-aws",
            "github.com/vmware-tanzu/velero-plugin-for-aws/velero-plugin-for-aws",
        )],
        &[],
    ),
    Recipe::new("minio", &[("minio", "github.com/minio/minio")], &[]),
    Recipe::new("helm", &[("helm", "helm.sh/helm/v4/cmd/helm")], &[]),
    Recipe {
        documents: Some(Documents {
            module: "sigs.k8s.io/kwok",
            files: &[
                "kustomize/stage/node/fast/node-initialize.yaml",
                "kustomize/stage/node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
                "kustomize/stage/pod/fast/pod-ready.yaml",
                "kustomize/stage/pod/fast/pod-complete.yaml",
                "kustomize/stage/pod/fast/pod-delete.yaml",
            ],
            into: "stages.yaml",
        }),
        ..Recipe::new("kwok", &[("kwok", "sigs.k8s.io/kwok/cmd/kwok")], &[])
    },
    Recipe {
        wanted: Wanted::OnDemand,
        ..Recipe::new(
            "opentofu",
            &[("tofu", "github.com/opentofu/opentofu/cmd/tofu")],
            &[],
        )
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_has_its_sources_in_the_tree() {
        for recipe in RECIPES {
            assert!(recipe.source().join("go.sum").is_file(), "{}", recipe.name);
        }
    }

    #[test]
    fn a_digest_depends_on_where_a_part_ends() {
        let one = digest(&[b"ab".to_vec(), b"c".to_vec()]);
        let two = digest(&[b"a".to_vec(), b"bc".to_vec()]);
        assert_eq!(one.len(), NAME_DIGITS);
        assert_ne!(one, two);
    }

    #[test]
    fn several_binaries_of_one_build_are_named_as_go_names_them() {
        for recipe in RECIPES.iter().filter(|recipe| recipe.binaries.len() > 1) {
            for (binary, package) in recipe.binaries {
                assert_eq!(package.rsplit('/').next(), Some(*binary));
            }
        }
    }

    #[test]
    fn an_unknown_component_is_answered_with_all_names() {
        let error = Recipe::named("etcdd").unwrap_err().to_string();
        assert!(
            error.contains("`etcdd`") && error.contains("velero-plugin-for-aws"),
            "{error}"
        );
    }
}
