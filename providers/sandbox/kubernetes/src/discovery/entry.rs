//! What discovery says of one resource, before it takes a form.

use crate::types::Served;
use crate::types::Types;

/// A resource or a subresource.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The name; of a subresource, with its resource's before a slash.
    pub(super) name: String,
    pub(super) singular: String,
    pub(super) namespaced: bool,
    pub(super) kind: String,
    /// The group and version of the kind where it is another than the resource's.
    pub(super) of: Option<(&'static str, &'static str)>,
    pub(super) verbs: Vec<String>,
    pub(super) short_names: Vec<String>,
    pub(super) categories: Vec<String>,
    /// The group, version and kind in which objects are stored.
    pub(super) stored: Option<String>,
}

const ALL_VERBS: &[&str] = &["get", "patch", "update"];
const CREATE: &[&str] = &["create"];
const SCALE: (&str, &str) = ("autoscaling", "v1");

/// A subresource of a built-in type: its name, the kind it speaks, that kind's group and version
/// where they differ, and its verbs.
type Sub = (
    &'static str,
    &'static str,
    Option<(&'static str, &'static str)>,
    &'static [&'static str],
);

/// The subresources that built-in types have beside status and scale, and that are served.
fn extra(kind: &str) -> &'static [Sub] {
    match kind {
        "Pod" => &[
            ("binding", "Binding", None, CREATE),
            ("ephemeralcontainers", "Pod", None, ALL_VERBS),
            ("eviction", "Eviction", Some(("policy", "v1")), CREATE),
            ("log", "Pod", None, &["get"]),
            ("resize", "Pod", None, ALL_VERBS),
        ],
        "ServiceAccount" => &[(
            "token",
            "TokenRequest",
            Some(("authentication.k8s.io", "v1")),
            CREATE,
        )],
        "Namespace" => &[("finalize", "Namespace", None, &["update"])],
        "CertificateSigningRequest" => {
            &[("approval", "CertificateSigningRequest", None, ALL_VERBS)]
        }
        _ => &[],
    }
}

/// Resources that answer questions and store nothing: group, plural name, kind, namespaced.
const QUESTIONS: &[(&str, &str, &str, bool)] = &[
    (
        "authentication.k8s.io",
        "selfsubjectreviews",
        "SelfSubjectReview",
        false,
    ),
    (
        "authentication.k8s.io",
        "tokenreviews",
        "TokenReview",
        false,
    ),
    (
        "authorization.k8s.io",
        "localsubjectaccessreviews",
        "LocalSubjectAccessReview",
        true,
    ),
    (
        "authorization.k8s.io",
        "selfsubjectaccessreviews",
        "SelfSubjectAccessReview",
        false,
    ),
    (
        "authorization.k8s.io",
        "selfsubjectrulesreviews",
        "SelfSubjectRulesReview",
        false,
    ),
    (
        "authorization.k8s.io",
        "subjectaccessreviews",
        "SubjectAccessReview",
        false,
    ),
];

/// Everything that one version of a group has, by name.
pub(super) fn entries(types: &Types, group: &str, version: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    for served in types.in_version(group, version) {
        entries.push(of_resource(served));
        entries.extend(of_subresources(served));
    }
    let custom = !types.is_builtin_group(group);
    for (of, plural, kind, namespaced) in QUESTIONS {
        let known = entries.iter().any(|entry| entry.name == *plural);
        if *of == group && !known {
            entries.push(Entry {
                name: (*plural).to_owned(),
                singular: kind.to_lowercase(),
                namespaced: *namespaced,
                kind: (*kind).to_owned(),
                of: None,
                verbs: owned(CREATE),
                short_names: Vec::new(),
                categories: Vec::new(),
                stored: None,
            });
        }
    }
    // Those of custom types stand in the order in which their definition has them.
    if !custom {
        entries.sort_by(|a, b| a.name.cmp(&b.name));
    }
    entries
}

fn of_resource(served: &Served) -> Entry {
    let info = &served.info;
    Entry {
        name: info.plural.clone(),
        singular: info.singular.clone(),
        namespaced: info.namespaced,
        kind: info.kind.clone(),
        of: None,
        verbs: info.verbs.clone(),
        short_names: info.short_names.clone(),
        categories: info.categories.clone(),
        stored: Some(format!("{}/{}", served.stored, info.kind)),
    }
}

fn of_subresources(served: &Served) -> Vec<Entry> {
    let info = &served.info;
    let mut subs: Vec<Sub> = Vec::new();
    if !info.custom {
        subs.extend(extra(&info.kind));
    }
    if info.scale.is_some() {
        subs.push(("scale", "Scale", Some(SCALE), ALL_VERBS));
    }
    let entry = |(name, kind, of, verbs): Sub| Entry {
        name: format!("{}/{name}", info.plural),
        singular: String::new(),
        namespaced: info.namespaced,
        kind: kind.to_owned(),
        of,
        verbs: owned(verbs),
        short_names: Vec::new(),
        categories: Vec::new(),
        stored: None,
    };
    let mut entries = Vec::new();
    if info.status {
        let mut status = entry(("status", "", None, ALL_VERBS));
        status.kind.clone_from(&info.kind);
        entries.push(status);
    }
    entries.extend(subs.into_iter().map(entry));
    entries
}

fn owned(verbs: &[&str]) -> Vec<String> {
    verbs.iter().map(|verb| (*verb).to_owned()).collect()
}
