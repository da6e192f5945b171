//! What a user may do, by the Roles and bindings that are in the cluster.

use serde_json::Value;

use crate::failure::About;
use crate::failure::Failure;
use crate::failure::Outcome;
use crate::object;
use crate::options::User;
use crate::state::State;
use crate::store::Name;
use crate::store::ResourceId;

/// The group whose members may do everything.
const MASTERS: &str = "system:masters";

const GROUP: &str = "rbac.authorization.k8s.io";

/// What somebody wants to do to resources.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Action<'a> {
    pub(crate) verb: &'a str,
    pub(crate) group: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) subresource: Option<&'a str>,
    /// None for the whole cluster.
    pub(crate) namespace: Option<&'a str>,
    /// None for all of them.
    pub(crate) name: Option<&'a str>,
}

impl Action<'_> {
    fn resource_text(&self) -> String {
        match self.subresource {
            Some(subresource) => format!("{}/{subresource}", self.resource),
            None => self.resource.to_owned(),
        }
    }
}

/// Refuses what a user may not do to a resource.
pub(crate) fn resource(state: &State, user: &User, action: Action<'_>) -> Outcome<()> {
    if may(state, user, action) {
        return Ok(());
    }
    let place = match action.namespace {
        Some(namespace) => format!("in the namespace {namespace:?}"),
        None => "at the cluster scope".to_owned(),
    };
    let why = format!(
        "User {:?} cannot {} resource {:?} in API group {:?} {place}",
        user.name,
        action.verb,
        action.resource_text(),
        action.group,
    );
    let about = About {
        group: action.group,
        resource: action.resource,
        name: action.name.unwrap_or_default(),
    };
    Err(Failure::forbidden(about, &why))
}

/// Refuses a path that is none of a resource and that a user may not read.
pub(crate) fn path(state: &State, user: &User, verb: &str, path: &str) -> Outcome<()> {
    if may_path(state, user, verb, path) {
        return Ok(());
    }
    let why = format!("User {:?} cannot {verb} path {path:?}", user.name);
    Err(Failure::forbidden_path(&why))
}

/// Whether a user may do something to a resource.
pub(crate) fn may(state: &State, user: &User, action: Action<'_>) -> bool {
    user.is_in(MASTERS)
        || any_rule(state, user, action.namespace, &mut |rule| {
            allows(rule, action)
        })
}

/// Whether a user may use a path that is none of a resource.
pub(crate) fn may_path(state: &State, user: &User, verb: &str, path: &str) -> bool {
    let fits = |known: &str| {
        known == "*"
            || known == path
            || known
                .strip_suffix('*')
                .is_some_and(|start| path.starts_with(start))
    };
    user.is_in(MASTERS)
        || any_rule(state, user, None, &mut |rule| {
            has(&rule["verbs"], verb) && texts(&rule["nonResourceURLs"]).any(fits)
        })
}

/// All rules that a user has in the whole cluster and, if one is named, in a namespace.
pub(crate) fn rules(state: &State, user: &User, namespace: Option<&str>) -> Vec<Value> {
    let mut rules = Vec::new();
    any_rule(state, user, namespace, &mut |rule| {
        rules.push(rule.clone());
        false
    });
    rules
}

/// Looks at the rules of a user until one is what is looked for.
fn any_rule(
    state: &State,
    user: &User,
    namespace: Option<&str>,
    wanted: &mut dyn FnMut(&Value) -> bool,
) -> bool {
    let cluster_bindings = ResourceId::new(GROUP, "clusterrolebindings");
    let mut bindings = state.store.list(&cluster_bindings, None);
    if bindings.any(|binding| of_binding(state, user, binding.json(), "", wanted)) {
        return true;
    }
    let Some(namespace) = namespace else {
        return false;
    };
    let bindings = ResourceId::new(GROUP, "rolebindings");
    let mut bindings = state.store.list(&bindings, Some(namespace));
    bindings.any(|binding| of_binding(state, user, binding.json(), namespace, wanted))
}

fn of_binding(
    state: &State,
    user: &User,
    binding: &Value,
    namespace: &str,
    wanted: &mut dyn FnMut(&Value) -> bool,
) -> bool {
    let mut subjects = binding["subjects"].as_array().into_iter().flatten();
    if !subjects.any(|subject| is_subject(subject, user, namespace)) {
        return false;
    }
    let name = object::text(binding, "/roleRef/name");
    let (plural, space) = match object::text(binding, "/roleRef/kind") {
        "Role" => ("roles", namespace),
        _ => ("clusterroles", ""),
    };
    let id = ResourceId::new(GROUP, plural);
    let role = state.store.get(&id, &Name::new(space, name));
    let rules = role.and_then(|role| role.json()["rules"].as_array());
    rules.into_iter().flatten().any(wanted)
}

fn is_subject(subject: &Value, user: &User, namespace: &str) -> bool {
    let name = object::text(subject, "/name");
    match object::text(subject, "/kind") {
        "User" => name == user.name,
        "Group" => user.is_in(name),
        "ServiceAccount" => {
            let space = subject["namespace"].as_str().unwrap_or(namespace);
            user.name == format!("system:serviceaccount:{space}:{name}")
        }
        _ => false,
    }
}

fn allows(rule: &Value, action: Action<'_>) -> bool {
    has(&rule["verbs"], action.verb)
        && has(&rule["apiGroups"], action.group)
        && texts(&rule["resources"]).any(|known| resource_fits(known, action))
        && name_fits(rule, action)
}

fn resource_fits(known: &str, action: Action<'_>) -> bool {
    match action.subresource {
        _ if known == "*" => true,
        None => known == action.resource,
        Some(subresource) => known.split_once('/').is_some_and(|(resource, sub)| {
            (resource == "*" || resource == action.resource) && sub == subresource
        }),
    }
}

fn name_fits(rule: &Value, action: Action<'_>) -> bool {
    let mut names = texts(&rule["resourceNames"]).peekable();
    names.peek().is_none() || names.any(|name| Some(name) == action.name)
}

fn has(list: &Value, wanted: &str) -> bool {
    texts(list).any(|known| known == "*" || known == wanted)
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}
