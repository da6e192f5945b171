//! ClusterRoles that are made of others, by label.

use drplan_api::Timestamp;
use serde_json::Value;
use serde_json::json;

use crate::background::Touched;
use crate::background::author;
use crate::background::part;
use crate::label_selector::LabelSelector;
use crate::object;
use crate::state::State;
use crate::store::ResourceId;
use crate::write;
use crate::write::Ownership;
use crate::write::Part;
use crate::write::Wish;

const USER: &str = "system:serviceaccount:kube-system:clusterrole-aggregation-controller";

pub(super) fn turn(state: &mut State, touched: &Touched, now: Timestamp) {
    let id = ResourceId::new("rbac.authorization.k8s.io", "clusterroles");
    if !touched.iter().any(|(of, _)| *of == id) {
        return;
    }
    let Some(served) = state.types.preferred(&id.group, &id.plural).cloned() else {
        return;
    };
    let made: Vec<_> = state
        .store
        .list(&id, None)
        .filter(|role| role.json()["aggregationRule"].is_object())
        .cloned()
        .collect();
    let user = part(USER);
    let author = author(&user, "clusterrole-aggregation-controller", now);
    for role in made {
        let rules = rules_of(state, &id, role.json());
        if role.json()["rules"] == rules {
            continue;
        }
        let mut new = role.json().clone();
        new["rules"] = rules;
        let wish = Wish {
            new,
            part: Part::Main,
            ownership: Ownership::Changed,
        };
        // Under one lock nobody wrote in between.
        write::update(state, &served, &role, wish, author).ok();
    }
}

/// The rules of all roles that the selectors match, each rule once.
fn rules_of(state: &State, id: &ResourceId, role: &Value) -> Value {
    let selectors: Vec<_> = role["aggregationRule"]["clusterRoleSelectors"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(LabelSelector::from_json)
        .collect();
    let mut rules: Vec<Value> = Vec::new();
    for other in state.store.list(id, None) {
        let other = other.json();
        let matches = |selector: &LabelSelector| selector.matches(object::labels(other));
        if object::name(other) == object::name(role) || !selectors.iter().any(matches) {
            continue;
        }
        for rule in other["rules"].as_array().into_iter().flatten() {
            if !rules.contains(rule) {
                rules.push(rule.clone());
            }
        }
    }
    json!(rules)
}
