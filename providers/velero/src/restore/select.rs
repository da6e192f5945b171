//! Which objects of an archive a restore is about.

use std::collections::BTreeSet;

use super::spec::Spec;
use crate::index::Item;
use crate::objects::VELERO_NAMESPACE;

/// Namespaces that every cluster makes itself.
const CLUSTERS_OWN: &[&str] = &["kube-system", "kube-public", "kube-node-lease"];
/// Objects without a namespace that every cluster makes itself.
const CLUSTERS_OWN_ROLES: &[&str] = &["cluster-admin", "admin", "edit", "view"];
/// Kinds that no restore brings back, because Velero refuses to.
const NEVER: &[&str] = &[
    "nodes",
    "events",
    "events.events.k8s.io",
    "csinodes.storage.k8s.io",
    "volumeattachments.storage.k8s.io",
    "backups.velero.io",
    "restores.velero.io",
    "resticrepositories.velero.io",
    "backuprepositories.velero.io",
];
/// Kinds that controllers keep, with or without an owner.
const CONTROLLERS_KEEP: &[&str] = &[
    "endpoints",
    "endpointslices.discovery.k8s.io",
    "leases.coordination.k8s.io",
];

/// What an archived object is to a restore, whatever lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    /// It can come back, and nothing else brings it.
    Restorable,
    /// A controller makes it again; says which.
    Controllers(String),
    /// Velero never restores it; says why.
    Never(String),
    /// The cluster or Velero itself makes it; another cluster's must not be put in its place.
    ClustersOwn,
    /// The arguments leave it out.
    Unselected,
}

/// Sorts one object.
pub(crate) fn sort(item: &Item, spec: &Spec) -> Sort {
    if !is_selected(item, spec) {
        return Sort::Unselected;
    }
    let namespace = if item.is_namespace() {
        &item.name
    } else {
        &item.namespace
    };
    let is_named = spec.namespaces.contains(namespace);
    if !is_named && is_clusters_own(item, namespace) {
        return Sort::ClustersOwn;
    }
    if NEVER.contains(&item.resource.as_str()) {
        return Sort::Never(format!("Velero never restores `{}`", item.resource));
    }
    if let Some(why) = &item.facts.ended {
        return Sort::Never(why.clone());
    }
    match kept_by(item) {
        Some(controller) => Sort::Controllers(controller),
        None => Sort::Restorable,
    }
}

fn is_selected(item: &Item, spec: &Spec) -> bool {
    let namespace = if item.is_namespace() {
        &item.name
    } else {
        &item.namespace
    };
    let in_namespaces = if namespace.is_empty() {
        spec.cluster_scoped
    } else {
        (spec.namespaces.is_empty() || spec.namespaces.contains(namespace))
            && !spec.exclude_namespaces.contains(namespace)
    };
    let kinds = spec.kinds.is_empty() || is_any_kind(item, &spec.kinds);
    // A namespace comes with what lies in it, whatever its own kind and labels.
    let labels = spec
        .selector
        .iter()
        .all(|(k, v)| item.labels.get(k) == Some(v));
    in_namespaces
        && !is_any_kind(item, &spec.exclude_kinds)
        && (item.is_namespace() || kinds && labels)
}

/// Tells whether an object is of one of some kinds, which people write in three ways.
fn is_any_kind(item: &Item, kinds: &[String]) -> bool {
    kinds.iter().any(|kind| is_kind(item, kind))
}

fn is_kind(item: &Item, kind: &str) -> bool {
    let plural = item.resource.split('.').next().unwrap_or(&item.resource);
    kind.eq_ignore_ascii_case(&item.resource)
        || kind.eq_ignore_ascii_case(plural)
        || kind.eq_ignore_ascii_case(&item.kind)
}

/// Lists the words among `kinds` that no object of the archive fits.
pub(crate) fn unknown_kinds<'a>(items: &[Item], kinds: &'a [String]) -> Vec<&'a str> {
    let known: BTreeSet<(&str, &str)> = items
        .iter()
        .map(|item| (item.resource.as_str(), item.kind.as_str()))
        .collect();
    let fits = |word: &&String| {
        known.iter().any(|(resource, kind)| {
            let item = Item {
                resource: (*resource).to_owned(),
                kind: (*kind).to_owned(),
                ..Item::default()
            };
            is_kind(&item, word)
        })
    };
    kinds
        .iter()
        .filter(|w| !fits(w))
        .map(String::as_str)
        .collect()
}

/// Lists the resources of the archive that some words mean, as Velero wants them.
pub(crate) fn resources(items: &[Item], kinds: &[String]) -> Vec<String> {
    let found: BTreeSet<&str> = items
        .iter()
        .filter(|item| is_any_kind(item, kinds))
        .map(|item| item.resource.as_str())
        .collect();
    found.into_iter().map(str::to_owned).collect()
}

fn is_clusters_own(item: &Item, namespace: &str) -> bool {
    if item.facts.bootstrap || namespace == VELERO_NAMESPACE || CLUSTERS_OWN.contains(&namespace) {
        return true;
    }
    let is_role = item.resource.ends_with(".rbac.authorization.k8s.io");
    match (namespace, item.name.as_str()) {
        ("default", "kubernetes" | "default") => !matches!(item.resource.as_str(), "configmaps"),
        ("default", name) => item.resource.starts_with("endpointslices") && name == "kubernetes",
        ("", name) => {
            is_role && (name.starts_with("system:") || CLUSTERS_OWN_ROLES.contains(&name))
                || item.resource == "priorityclasses.scheduling.k8s.io"
                    && name.starts_with("system-")
                || item.resource == "customresourcedefinitions.apiextensions.k8s.io"
                    && name.ends_with(".velero.io")
        }
        _ => false,
    }
}

fn kept_by(item: &Item) -> Option<String> {
    if item.is_claim() {
        // Nothing but a restore brings back what lies in a volume, whoever made the claim.
        return None;
    }
    if let Some(owner) = &item.owner {
        return Some(owner.clone());
    }
    match (item.resource.as_str(), item.name.as_str()) {
        (resource, _) if CONTROLLERS_KEEP.contains(&resource) => {
            Some("the cluster's controllers".to_owned())
        }
        ("configmaps", "kube-root-ca.crt" | "openshift-service-ca.crt")
        | ("serviceaccounts", "default") => Some("the cluster's controllers".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::spec;
    use super::*;
    use crate::index::Facts;

    fn item(resource: &str, namespace: &str, name: &str) -> Item {
        Item {
            resource: resource.to_owned(),
            kind: "X".to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            ..Item::default()
        }
    }

    #[test]
    fn filters_choose_as_the_arguments_say() {
        let all = json!({});
        for (args, resource, namespace, name, selected) in [
            (all.clone(), "configmaps", "shop", "a", true),
            (
                all.clone(),
                "clusterroles.rbac.authorization.k8s.io",
                "",
                "x",
                false,
            ),
            (
                json!({"cluster_scoped": true}),
                "clusterroles.rbac.authorization.k8s.io",
                "",
                "x",
                true,
            ),
            (
                json!({"namespaces": ["web"]}),
                "configmaps",
                "shop",
                "a",
                false,
            ),
            (
                json!({"namespaces": ["web"]}),
                "namespaces",
                "",
                "web",
                true,
            ),
            (
                json!({"namespaces": ["web"]}),
                "namespaces",
                "",
                "shop",
                false,
            ),
            (
                json!({"exclude_namespaces": ["shop"]}),
                "configmaps",
                "shop",
                "a",
                false,
            ),
            (
                json!({"kinds": ["secrets"]}),
                "configmaps",
                "shop",
                "a",
                false,
            ),
            (
                json!({"kinds": ["ConfigMaps"]}),
                "configmaps",
                "shop",
                "a",
                true,
            ),
            (
                json!({"kinds": ["secrets"]}),
                "namespaces",
                "",
                "shop",
                true,
            ),
            (
                json!({"exclude_kinds": ["deployments"]}),
                "deployments.apps",
                "shop",
                "a",
                false,
            ),
            (
                json!({"selector": {"a": "b"}}),
                "configmaps",
                "shop",
                "a",
                false,
            ),
        ] {
            let found = sort(&item(resource, namespace, name), &spec(args.clone()));
            assert_eq!(
                found != Sort::Unselected,
                selected,
                "{args} {resource} {namespace}/{name}"
            );
        }
    }

    #[test]
    fn what_the_cluster_keeps_itself_is_not_put_in_its_place() {
        let every = spec(json!({"cluster_scoped": true}));
        for (resource, namespace, name) in [
            (
                "configmaps",
                "kube-system",
                "extension-apiserver-authentication",
            ),
            ("secrets", "velero", "cloud"),
            ("services", "default", "kubernetes"),
            ("clusterroles.rbac.authorization.k8s.io", "", "system:node"),
        ] {
            assert_eq!(
                sort(&item(resource, namespace, name), &every),
                Sort::ClustersOwn
            );
        }
        let named = spec(json!({"namespaces": ["kube-system"]}));
        assert_eq!(
            sort(&item("configmaps", "kube-system", "coredns"), &named),
            Sort::Restorable
        );
    }

    #[test]
    fn what_a_controller_makes_again_is_told_from_what_only_a_restore_brings() {
        let owned = |resource| Item {
            owner: Some("ReplicaSet/api".to_owned()),
            ..item(resource, "shop", "a")
        };
        let spec = spec(json!({}));
        assert!(matches!(sort(&owned("pods"), &spec), Sort::Controllers(_)));
        assert_eq!(
            sort(&owned("persistentvolumeclaims"), &spec),
            Sort::Restorable
        );
        assert_eq!(sort(&item("pods", "shop", "bare"), &spec), Sort::Restorable);
        assert!(matches!(
            sort(&item("events", "shop", "e"), &spec),
            Sort::Never(_)
        ));
        let ended = Item {
            facts: Facts {
                ended: Some("the job is complete".to_owned()),
                ..Facts::default()
            },
            ..item("jobs.batch", "shop", "j")
        };
        assert!(matches!(sort(&ended, &spec), Sort::Never(_)));
    }
}
