//! Words for kinds that can be told wrong without the backup: slips of the pen, and what has no form.

use drplan_api::Given;

/// How a kind is written, for who wrote something else.
const FORM: &str = "write the kind (`Deployment`), its plural (`deployments`), or both plural and group (`deployments.apps`)";

/// Words with fewer characters are like too many others.
const CHARACTERS_MIN: usize = 5;

/// Kinds that every cluster has, and their plurals.
const BUILT_IN: &[(&str, &str)] = &[
    ("ClusterRole", "clusterroles"),
    ("ClusterRoleBinding", "clusterrolebindings"),
    ("ConfigMap", "configmaps"),
    ("CronJob", "cronjobs"),
    ("CustomResourceDefinition", "customresourcedefinitions"),
    ("DaemonSet", "daemonsets"),
    ("Deployment", "deployments"),
    ("HorizontalPodAutoscaler", "horizontalpodautoscalers"),
    ("Ingress", "ingresses"),
    ("IngressClass", "ingressclasses"),
    ("LimitRange", "limitranges"),
    (
        "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations",
    ),
    ("Namespace", "namespaces"),
    ("NetworkPolicy", "networkpolicies"),
    ("PersistentVolume", "persistentvolumes"),
    ("PersistentVolumeClaim", "persistentvolumeclaims"),
    ("PodDisruptionBudget", "poddisruptionbudgets"),
    ("PriorityClass", "priorityclasses"),
    ("ReplicaSet", "replicasets"),
    ("ResourceQuota", "resourcequotas"),
    ("RoleBinding", "rolebindings"),
    ("Secret", "secrets"),
    ("Service", "services"),
    ("ServiceAccount", "serviceaccounts"),
    ("StatefulSet", "statefulsets"),
    ("StorageClass", "storageclasses"),
    (
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
    ),
];

/// Refuses words that can name no kind, and those that are one slip away from a kind that every
/// cluster has. Whether the backup holds any of another kind is for the plan to say.
pub(super) fn check(argument: &'static str, given: &mut Given<'_>) {
    given.each_is(argument, has_form, "name of a kind", FORM);
    for word in given.texts(argument).into_iter().filter(|w| has_form(w)) {
        if let Some(meant) = meant(word) {
            let because = format!("`{word}` in `{argument}` is no kind");
            let hint = format!(
                "did you mean `{meant}`? A kind of your own with such a name is written with its group"
            );
            given.refuse(argument, because, Some(&hint));
        }
    }
}

fn has_form(word: &str) -> bool {
    let is_inside = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let has_edges = word.starts_with(|c: char| c.is_ascii_alphabetic()) && !word.ends_with('.');
    has_edges && word.chars().all(is_inside)
}

/// The kind that a word without a group means by all appearance.
fn meant(word: &str) -> Option<&'static str> {
    let small = word.to_ascii_lowercase();
    if small.len() < CHARACTERS_MIN || small.contains('.') {
        return None;
    }
    let names = || BUILT_IN.iter().flat_map(|(kind, plural)| [*kind, *plural]);
    let distance = |name: &str| strsim::osa_distance(&small, &name.to_ascii_lowercase());
    if names().any(|name| distance(name) == 0) {
        return None;
    }
    names().find(|name| distance(name) == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slip_is_told_and_kinds_of_others_are_left_alone() {
        for (word, is_meant) in [
            ("Deploymnet", Some("Deployment")),
            ("deploymnets", Some("deployments")),
            ("Servcie", Some("Service")),
            ("deployments", None),
            ("DEPLOYMENT", None),
            ("Certificate", None),
            ("Role", None),
            ("Route", None),
            ("Pod", None),
            ("Pool", None),
            ("Backup", None),
            ("deploymnets.example.org", None),
        ] {
            assert_eq!(meant(word), is_meant, "{word}");
        }
        assert!(
            ["apps/v1/Deployment", "", "a b", "*", "pods."]
                .iter()
                .all(|w| !has_form(w))
        );
    }
}
