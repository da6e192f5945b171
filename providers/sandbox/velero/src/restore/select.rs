//! Which objects of an archive a restore takes, and in which order.

use std::collections::BTreeSet;

use super::execute::Run;
use crate::archive::Path;
use crate::outcome::Outcome;
use crate::selector;

/// What comes before everything else.
const FIRST: &[&str] = &[
    "customresourcedefinitions",
    "namespaces",
    "storageclasses",
    "volumesnapshotclass.snapshot.storage.k8s.io",
    "volumesnapshotcontents.snapshot.storage.k8s.io",
    "volumesnapshots.snapshot.storage.k8s.io",
    "datauploads.velero.io",
    "persistentvolumes",
    "persistentvolumeclaims",
    "clusterroles",
    "roles",
    "serviceaccounts",
    "clusterrolebindings",
    "rolebindings",
    "secrets",
    "configmaps",
    "limitranges",
    "priorityclasses",
    "pods",
    "replicasets.apps",
    "clusterclasses.cluster.x-k8s.io",
    "endpoints",
    "services",
];

/// What comes after everything else.
const LAST: &[&str] = &[
    "clusterbootstraps.run.tanzu.vmware.com",
    "clusters.cluster.x-k8s.io",
    "clusterresourcesets.addons.cluster.x-k8s.io",
    "apps.kappctrl.k14s.io",
    "packageinstalls.packaging.carvel.dev",
];

/// What no filter keeps out.
const ALWAYS: &str = "datauploads.velero.io";

/// Which pass over the archive it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    /// Definitions come first and alone, because the others may be of the kinds they define.
    Definitions,
    Everything,
}

impl Run<'_> {
    /// The objects of a pass, in order; resources of an earlier pass are left out.
    pub(super) fn selected(&self, pass: Pass, done: &mut BTreeSet<String>) -> (Vec<Path>, Outcome) {
        let (mut chosen, mut outcome) = (Vec::new(), Outcome::default());
        for resource in self.ordered(pass) {
            let resource = self.server.discovery.full_name(resource);
            let is_wanted = self.resources.includes(&resource) || resource == ALWAYS;
            if !is_wanted || !done.insert(resource.clone()) {
                continue;
            }
            for path in self.archive.of(&resource) {
                if self.is_in_scope(path) {
                    self.choose(path, &mut chosen, &mut outcome);
                }
            }
        }
        (chosen, outcome)
    }

    fn ordered(&self, pass: Pass) -> Vec<&str> {
        if pass == Pass::Definitions {
            return FIRST[..1].to_vec();
        }
        let is_other = |resource: &&str| !FIRST.contains(resource) && !LAST.contains(resource);
        let others = self.archive.resources().into_iter().filter(is_other);
        FIRST
            .iter()
            .copied()
            .chain(others)
            .chain(LAST.iter().copied())
            .collect()
    }

    /// Whether an object lies where the restore looks. What belongs to the cluster comes only when
    /// it is asked for, or when no namespace is filtered at all.
    fn is_in_scope(&self, path: &Path) -> bool {
        if !path.namespace.is_empty() {
            return self.namespace_filter.includes(&path.namespace) || path.resource == ALWAYS;
        }
        self.cluster_resources
            .unwrap_or_else(|| self.namespace_filter.is_everything())
    }

    fn choose(&self, path: &Path, chosen: &mut Vec<Path>, outcome: &mut Outcome) {
        match self.archive.object(path) {
            Ok(object) => {
                let is_one = |selectors: &[serde_json::Value]| {
                    selectors
                        .iter()
                        .any(|selector| selector::matches(selector, &object))
                };
                let is_selected =
                    selector::matches(&self.restore["spec"]["labelSelector"], &object)
                        && (self.any_of.is_empty() || is_one(&self.any_of));
                if is_selected || path.resource == ALWAYS {
                    chosen.push(path.clone());
                }
            }
            Err(error) => {
                let file = path.file();
                let target = self.target(&path.namespace);
                outcome
                    .errors
                    .add(&target, format!("error decoding \"{file}\": {error}"));
            }
        }
    }

    /// The namespace into which a namespace of the backup goes.
    pub(super) fn target(&self, namespace: &str) -> String {
        let mapped = self.restore["spec"]["namespaceMapping"][namespace].as_str();
        mapped.unwrap_or(namespace).to_owned()
    }
}
