//! Nobody gives rights that they do not have, unless they are allowed to escalate or to bind.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::access::authorize;
use crate::access::authorize::Action;
use crate::failure::Failure;
use crate::failure::Outcome;
use crate::object;
use crate::options::User;
use crate::state::State;
use crate::store::Name;
use crate::store::ResourceId;
use crate::types::Served;
use crate::write::Author;
use crate::write::about;

const GROUP: &str = "rbac.authorization.k8s.io";

/// Looks at a role or a binding before it is stored; `before` is what it was.
pub(super) fn check(
    state: &State,
    served: &Served,
    before: Option<&Value>,
    new: &Value,
    author: Author<'_>,
) -> Outcome<()> {
    let changed = |field: &str| before.is_none_or(|before| before[field] != new[field]);
    match served.info.kind.as_str() {
        "Role" | "ClusterRole" if changed("rules") => {
            let action = action("escalate", &served.info.plural, new, object::name(new));
            grant(state, served, new, rules_of(new), action, author.user)
        }
        "RoleBinding" | "ClusterRoleBinding" if changed("subjects") || changed("roleRef") => {
            check_binding(state, served, new, author.user)
        }
        _ => Ok(()),
    }
}

fn rules_of(role: &Value) -> &[Value] {
    role["rules"].as_array().map_or(&[], Vec::as_slice)
}

fn action<'a>(verb: &'a str, resource: &'a str, new: &'a Value, name: &'a str) -> Action<'a> {
    Action {
        verb,
        group: GROUP,
        resource,
        subresource: None,
        namespace: Some(object::namespace(new)).filter(|space| !space.is_empty()),
        name: Some(name),
    }
}

fn check_binding(state: &State, served: &Served, new: &Value, user: &User) -> Outcome<()> {
    let name = object::text(new, "/roleRef/name");
    let (plural, space) = match object::text(new, "/roleRef/kind") {
        "Role" => ("roles", object::namespace(new)),
        _ => ("clusterroles", ""),
    };
    let bind = action("bind", plural, new, name);
    if authorize::may(state, user, bind) {
        return Ok(());
    }
    let id = ResourceId::new(GROUP, plural);
    let Some(role) = state.store.get(&id, &Name::new(space, name)) else {
        // The real server names the binding's type, though it is the role that is missing.
        return Err(Failure::not_found(about(served, name)));
    };
    grant(state, served, new, rules_of(role.json()), bind, user)
}

/// Refuses rules of which the user lacks some and may not `allowed`.
fn grant(
    state: &State,
    served: &Served,
    new: &Value,
    wanted: &[Value],
    allowed: Action<'_>,
    user: &User,
) -> Outcome<()> {
    if authorize::may(state, user, allowed) {
        return Ok(());
    }
    let own = authorize::rules(state, user, allowed.namespace);
    let missing = missing(&own, wanted);
    if missing.is_empty() {
        return Ok(());
    }
    let groups: Vec<_> = user
        .groups
        .iter()
        .map(|group| format!("{group:?}"))
        .collect();
    let why = format!(
        "user {:?} (groups=[{}]) is attempting to grant RBAC permissions not currently held:\n{}",
        user.name,
        groups.join(" "),
        missing.join("\n")
    );
    Err(Failure::forbidden(about(served, object::name(new)), &why))
}

/// The smallest parts of the wanted rules that no own rule covers, those of one resource together.
fn missing(own: &[Value], wanted: &[Value]) -> Vec<String> {
    let mut resources: BTreeMap<(&str, &str, Option<&str>), Vec<&str>> = BTreeMap::new();
    let mut paths: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for rule in wanted {
        for verb in texts(&rule["verbs"]) {
            for path in texts(&rule["nonResourceURLs"]) {
                if !own.iter().any(|own| covers_path(own, verb, path)) {
                    paths.entry(path).or_default().push(verb);
                }
            }
            for (group, resource, name) in places(rule) {
                if !own
                    .iter()
                    .any(|own| covers(own, verb, group, resource, name))
                {
                    let verbs = resources.entry((group, resource, name)).or_default();
                    verbs.push(verb);
                }
            }
        }
    }
    let shown = |verbs: &[&str]| {
        let verbs: Vec<_> = verbs.iter().map(|verb| format!("{verb:?}")).collect();
        verbs.join(", ")
    };
    let resources = resources.iter().map(|((group, resource, name), verbs)| {
        let names = name.map_or_else(String::new, |name| format!(", ResourceNames:[{name:?}]"));
        format!(
            "{{APIGroups:[{group:?}], Resources:[{resource:?}]{names}, Verbs:[{}]}}",
            shown(verbs)
        )
    });
    let paths = paths
        .iter()
        .map(|(path, verbs)| format!("{{NonResourceURLs:[{path:?}], Verbs:[{}]}}", shown(verbs)));
    resources.chain(paths).collect()
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

/// Every group, resource and name that a rule is about.
fn places(rule: &Value) -> Vec<(&str, &str, Option<&str>)> {
    let mut names: Vec<_> = texts(&rule["resourceNames"]).map(Some).collect();
    if names.is_empty() {
        names.push(None);
    }
    let mut places = Vec::new();
    for group in texts(&rule["apiGroups"]) {
        for resource in texts(&rule["resources"]) {
            places.extend(names.iter().map(|name| (group, resource, *name)));
        }
    }
    places
}

fn has(list: &Value, wanted: &str) -> bool {
    texts(list).any(|known| known == "*" || known == wanted)
}

fn covers(own: &Value, verb: &str, group: &str, resource: &str, name: Option<&str>) -> bool {
    let any_of = resource
        .split_once('/')
        .is_some_and(|(_, sub)| texts(&own["resources"]).any(|known| known == format!("*/{sub}")));
    let mut names = texts(&own["resourceNames"]).peekable();
    has(&own["verbs"], verb)
        && has(&own["apiGroups"], group)
        && (any_of || has(&own["resources"], resource))
        && (names.peek().is_none() || names.any(|known| Some(known) == name))
}

fn covers_path(own: &Value, verb: &str, path: &str) -> bool {
    has(&own["verbs"], verb)
        && texts(&own["nonResourceURLs"]).any(|known| {
            let start = known.strip_suffix('*');
            known == path || start.is_some_and(|start| path.starts_with(start))
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_missing_is_said_by_resource() {
        let own = [json!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["get"]})];
        let wanted = [
            json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "delete"]}),
            json!({"apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["x"],
                "verbs": ["watch"]}),
            json!({"nonResourceURLs": ["/x"], "verbs": ["get"]}),
        ];
        assert_eq!(
            missing(&own, &wanted),
            [
                r#"{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}"#,
                r#"{APIGroups:["apps"], Resources:["deployments"], ResourceNames:["x"], Verbs:["watch"]}"#,
                r#"{NonResourceURLs:["/x"], Verbs:["get"]}"#,
            ]
        );
    }
}
