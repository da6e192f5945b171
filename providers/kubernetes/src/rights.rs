//! What a cluster must allow: derived from questions and effects, asked with access reviews, written
//! down as a ClusterRole.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use drplan_api::Ask;
use drplan_api::Effect;
use drplan_api::Json;
use drplan_api::Repeat;
use drplan_api::Right;
use serde_json::json;

use crate::asks;
use crate::asks::GetArgs;
use crate::asks::ListArgs;
use crate::conn::IDENTITY_NAMESPACE;

/// What a grant says of itself.
const WIDENED: &str = "\
# Rights to objects in namespaces hold in all of them: a Role cannot be given before its namespace is
# there, and a recovery makes its namespaces itself. Where they are there, make Roles of them.
";
/// What makes many names of one.
const PATTERN: char = '*';
/// The group of roles and bindings.
const RIGHTS: &str = "rbac.authorization.k8s.io";

/// What reading takes. Discovery and the version are open to everybody who is known.
pub(crate) fn to_ask(questions: &[&Ask]) -> Vec<Right> {
    let identity = Right::new("get", "namespaces").named(Some(IDENTITY_NAMESPACE));
    let mut out = BTreeSet::from([identity]);
    for ask in questions {
        match ask.op.as_str() {
            asks::LIST => out.extend(ask.args::<ListArgs>().ok().map(|args| {
                Right::new("list", args.of.full_name()).within(args.namespace.as_deref())
            })),
            asks::GET => out.extend(ask.args::<GetArgs>().ok().map(|args| {
                Right::new("get", args.of.full_name())
                    .within(args.namespace.as_deref())
                    .named(Some(&args.name))
            })),
            // A dry run asks for the right to write, which apply needs; without it a plan compares what
            // it has read.
            _ => {}
        }
    }
    out.into_iter().collect()
}

/// The object of an effect: see [`crate::object_name`].
struct Object<'a> {
    on: String,
    namespace: Option<&'a str>,
    name: Option<&'a str>,
}

fn object_of(effect: &Effect) -> Option<Object<'_>> {
    let (of, place) = effect.object.split_once(' ')?;
    if of == "cluster" {
        // What the whole of a cluster is waited for was asked for before.
        return None;
    }
    let on = match of.split_once('/') {
        Some((group, plural)) => format!("{plural}.{group}"),
        None => of.to_owned(),
    };
    let (namespace, name) = match place.split_once('/') {
        Some((namespace, name)) => (Some(namespace), name),
        None => (None, place),
    };
    // A pattern is no name, and means many.
    let one = |text: &&str| !text.contains(PATTERN);
    Some(Object {
        on,
        namespace: namespace.filter(one),
        name: Some(name).filter(one),
    })
}

/// What an effect takes, and reading what it did.
pub(crate) fn to_do(effect: &Effect) -> Vec<Right> {
    let verbs: &[&str] = match (effect.verb.as_str(), effect.repeat) {
        // A server-side apply may make the object, and the server asks for both.
        ("patch", Repeat::Converge) => &["create", "patch"],
        ("create", _) => &["create"],
        ("patch", _) => &["patch"],
        ("delete", _) => &["delete"],
        ("wait", _) => &[],
        _ => return Vec::new(),
    };
    let Some(object) = object_of(effect) else {
        return Vec::new();
    };
    let right = |verb: &str| Right::new(verb, &object.on).within(object.namespace);
    let named = |verb: &str| right(verb).named(object.name);
    // Objects are looked for with one list of their type, wherever they are.
    let mut out = vec![named("get"), Right::new("list", &object.on)];
    for verb in verbs {
        // A name is not known to the authorizer when something is made.
        out.push(match *verb {
            "create" => right(verb),
            _ => named(verb),
        });
    }
    out
}

/// What an effect takes that no single right is: who writes roles and bindings must have what they give.
pub(crate) fn untold(effect: &Effect) -> Option<String> {
    let writes = matches!(effect.verb.as_str(), "patch" | "create");
    let given = object_of(effect).filter(|object| writes && object.on.ends_with(RIGHTS))?;
    Some(format!(
        "it writes {}: who applies must have all that they give, or the right to `bind` and `escalate`",
        given.on
    ))
}

fn split(on: &str) -> (&str, &str) {
    on.split_once('.')
        .map_or((on, ""), |(plural, group)| (plural, group))
}

/// The access review of a right.
pub(crate) fn review(right: &Right) -> Json {
    let (plural, group) = split(&right.on);
    json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {
            "verb": right.verb,
            "group": group,
            "resource": plural,
            "namespace": right.within.as_deref().unwrap_or_default(),
            "name": right.name.as_deref().unwrap_or_default(),
        }},
    })
}

/// Writes a ClusterRole and its binding. Namespaces are left out: a role in a namespace cannot be made
/// before the namespace, and a recovery makes its namespaces itself.
pub(crate) fn grant(rights: &[Right], of: &str, to: &str) -> String {
    let rules: Vec<Json> = rules(rights);
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '@');
    let who: String = to
        .chars()
        .map(|c| if allowed(c) { c } else { '-' })
        .collect();
    let name = format!("drplan:{of}:{who}");
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": rules,
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": to}],
    });
    let objects = [role, binding];
    let texts = objects
        .iter()
        .filter_map(|object| serde_saphyr::to_string(object).ok());
    let texts = texts.collect::<Vec<_>>().join("---\n");
    format!("{WIDENED}{texts}")
}

/// Types of one group with the same verbs are one rule, as are the names of one type.
fn rules(rights: &[Right]) -> Vec<Json> {
    let of_all: BTreeSet<(&str, &str)> = rights
        .iter()
        .filter(|right| right.name.is_none())
        .map(|right| (right.on.as_str(), right.verb.as_str()))
        .collect();
    let mut verbs: BTreeMap<(&str, Option<&str>), BTreeSet<&str>> = BTreeMap::new();
    for right in rights {
        let name = right.name.as_deref();
        if name.is_none() || !of_all.contains(&(&right.on, &right.verb)) {
            let of = verbs.entry((&right.on, name)).or_default();
            of.insert(&right.verb);
        }
    }
    let mut named: BTreeMap<(&str, &BTreeSet<&str>), BTreeSet<&str>> = BTreeMap::new();
    let mut whole: BTreeMap<(&str, &BTreeSet<&str>), BTreeSet<&str>> = BTreeMap::new();
    for ((on, name), verbs) in &verbs {
        let (plural, group) = split(on);
        match name {
            Some(name) => named.entry((on, verbs)).or_default().insert(name),
            None => whole.entry((group, verbs)).or_default().insert(plural),
        };
    }
    let whole = whole.iter().map(|((group, verbs), plurals)| {
        json!({"apiGroups": [group], "resources": plurals, "verbs": verbs})
    });
    let named = named.iter().map(|((on, verbs), names)| {
        let (plural, group) = split(on);
        json!({"apiGroups": [group], "resources": [plural], "verbs": verbs, "resourceNames": names})
    });
    whole.chain(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effect(verb: &str, object: &str, repeat: Repeat) -> Effect {
        Effect {
            verb: verb.to_owned(),
            object: object.to_owned(),
            repeat,
            inverse: None,
        }
    }

    fn texts(rights: &[Right]) -> Vec<String> {
        rights.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_apply_may_make_the_object_and_a_swap_may_not() {
        let apply = to_do(&effect(
            "patch",
            "apps/deployments shop/web",
            Repeat::Converge,
        ));
        assert_eq!(
            texts(&apply),
            [
                "get deployments.apps `web` in `shop`",
                "list deployments.apps",
                "create deployments.apps in `shop`",
                "patch deployments.apps `web` in `shop`",
            ]
        );
        let swap = to_do(&effect("patch", "batch/cronjobs shop/nightly", Repeat::Cas));
        assert!(!texts(&swap).iter().any(|right| right.starts_with("create")));
        let binding = "rbac.authorization.k8s.io/rolebindings shop/ops";
        let gives = effect("patch", binding, Repeat::Converge);
        assert!(untold(&gives).is_some_and(|why| why.contains("`escalate`")));
        let many = to_do(&effect("patch", "batch/cronjobs shop-*/*", Repeat::Cas));
        assert_eq!(
            texts(&many),
            [
                "get cronjobs.batch",
                "list cronjobs.batch",
                "patch cronjobs.batch"
            ]
        );
        assert_eq!(
            to_do(&effect("exec", "helm upgrade velero", Repeat::Named)),
            []
        );
    }

    #[test]
    fn a_role_names_objects_only_where_no_rule_allows_all() {
        let text = grant(
            &[
                Right::new("get", "secrets").named(Some("db")),
                Right::new("patch", "secrets").named(Some("db")),
                Right::new("get", "secrets"),
                Right::new("get", "pods"),
                Right::new("create", "restores.velero.io").within(Some("velero")),
            ],
            "shop",
            "oidc/ops",
        );
        let documents: Vec<Json> = serde_saphyr::from_multiple(&text).expect("it is YAML");
        assert_eq!(
            documents[0]["rules"],
            json!([
                {"apiGroups": [""], "resources": ["pods", "secrets"], "verbs": ["get"]},
                {"apiGroups": ["velero.io"], "resources": ["restores"], "verbs": ["create"]},
                {"apiGroups": [""], "resources": ["secrets"], "verbs": ["patch"], "resourceNames": ["db"]},
            ])
        );
        assert_eq!(documents[1]["subjects"][0]["name"], "oidc/ops");
        assert_eq!(documents[1]["metadata"]["name"], "drplan:shop:oidc-ops");
    }
}
