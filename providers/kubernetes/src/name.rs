//! Names of objects and groups.

/// Groups that are part of every cluster. A group that is not among them needs a CRD or an API
/// service.
const BUILT_IN_GROUPS: &[&str] = &[
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "internal.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
    "storagemigration.k8s.io",
];

/// Tells whether a group is part of every cluster.
pub fn is_built_in_group(group: &str) -> bool {
    BUILT_IN_GROUPS.contains(&group)
}

/// Names an object as effects and audit logs do: `GROUP/RESOURCE NAMESPACE/NAME`, without the group
/// and its slash for the core group, without the namespace and its slash for what has none.
pub fn object_name(group: &str, resource: &str, namespace: Option<&str>, name: &str) -> String {
    let mut out = String::new();
    if !group.is_empty() {
        out.push_str(group);
        out.push('/');
    }
    out.push_str(resource);
    out.push(' ');
    if let Some(namespace) = namespace {
        out.push_str(namespace);
        out.push('/');
    }
    out.push_str(name);
    out
}

/// The most characters of a label of a name, and so of the name of a namespace.
const LABEL_CHARACTERS_MAX: usize = 63;
/// The most characters of a name.
const NAME_CHARACTERS_MAX: usize = 253;

/// How the name of a namespace is written, for who wrote another.
pub const NAMESPACE_FORM: &str =
    "a namespace has 1 to 63 of a-z, 0-9 and `-`, and begins and ends with a letter or digit";
/// How the name of most objects is written, for who wrote another.
pub const NAME_FORM: &str = "a name has 1 to 253 of a-z, 0-9, `-` and `.`, and each part between dots begins and ends with a letter or digit";

/// Tells whether a namespace can have this name.
pub fn is_namespace_name(text: &str) -> bool {
    text.len() <= LABEL_CHARACTERS_MAX && is_part(text)
}

/// Tells whether most objects, such as a storage class or a Secret, can have this name.
pub fn is_object_name(text: &str) -> bool {
    text.len() <= NAME_CHARACTERS_MAX && text.split('.').all(is_part)
}

fn is_part(text: &str) -> bool {
    let is_inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty()
        && text.chars().all(is_inside)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Splits an `apiVersion` into group and version; the core group is empty.
pub fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_held_against_the_rules_of_the_api_server() {
        let long = "a".repeat(64);
        for (text, is_namespace, is_object) in [
            ("shop", true, true),
            ("shop-1", true, true),
            ("shop.example", false, true),
            ("Shop", false, false),
            ("-shop", false, false),
            ("shop.-x", false, false),
            ("shop..x", false, false),
            ("", false, false),
            (long.as_str(), false, true),
        ] {
            assert_eq!(is_namespace_name(text), is_namespace, "{text}");
            assert_eq!(is_object_name(text), is_object, "{text}");
        }
    }

    #[test]
    fn objects_are_named_with_group_and_namespace_where_they_have_one() {
        assert_eq!(object_name("", "pods", Some("shop"), "a"), "pods shop/a");
        assert_eq!(
            object_name("apps", "deployments", Some("shop"), "web"),
            "apps/deployments shop/web"
        );
        assert_eq!(
            object_name("", "namespaces", None, "shop"),
            "namespaces shop"
        );
        assert_eq!(split_api_version("apps/v1"), ("apps", "v1"));
        assert_eq!(split_api_version("v1"), ("", "v1"));
    }
}
