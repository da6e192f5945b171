//! What every cluster has from its first moment: namespaces, the roles and bindings of the control
//! plane, priorities, its own service, and nodes.
//!
//! The objects stand in `bootstrap/objects.json`, one in each line, as a fresh v1.35 server answers
//! them without what it fills in itself.

use std::sync::LazyLock;

use drplan_api::Timestamp;
use serde_json::Value;
use serde_json::json;

use crate::failure::Outcome;
use crate::object;
use crate::options::ClusterOptions;
use crate::options::User;
use crate::request::stamp;
use crate::state::State;
use crate::store::ResourceId;
use crate::write;
use crate::write::Author;
use crate::write::Ownership;
use crate::write::Part;
use crate::write::Wish;

/// The objects as a cluster stores them, made once: a world may have many clusters, and a test many
/// worlds. What differs from cluster to cluster is filled in for each.
static MADE: LazyLock<Vec<(ResourceId, Value)>> = LazyLock::new(|| {
    let mut state = State::new(0, OBJECTS.len());
    let user = User::new(USER, &["system:masters"]);
    let author = author(&user, Timestamp::UNIX_EPOCH);
    for object in OBJECTS.iter() {
        // What this version of the API does not serve or take, it does not have.
        create(&mut state, object, author).ok();
    }
    let mut made: Vec<_> = state
        .store
        .resources()
        .flat_map(|id| {
            let objects = state.store.list(id, None);
            objects.map(|object| (object.revision(), id.clone(), object.json().clone()))
        })
        .collect();
    made.sort_by_key(|(revision, ..)| *revision);
    made.into_iter().map(|(_, id, json)| (id, json)).collect()
});

static OBJECTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("bootstrap/objects.json"))
        .expect("the objects are part of the program, and a test reads them")
});

const MANAGER: &str = "kube-apiserver";
const USER: &str = "system:apiserver";

/// Fills a new cluster.
pub(crate) fn populate(state: &mut State, options: &ClusterOptions) {
    let now = options.clock.now();
    for (id, json) in MADE.iter() {
        let json = as_of(json.clone(), &state.ids.uid(), &stamp(now));
        state.store.put(id, json);
    }
    let user = User::new(USER, &["system:masters"]);
    let author = author(&user, now);
    let mut make = |object: &Value| {
        // Nodes and roles that are made here can be made.
        create(state, object, author).ok();
    };
    for number in 1..=options.nodes {
        make(&node(&options.name, number));
    }
    for (user, rules) in options.rights.granted() {
        granted(user, rules).iter().for_each(&mut make);
    }
}

fn author(user: &User, now: Timestamp) -> Author<'_> {
    Author {
        user,
        manager: MANAGER,
        now,
        dry_run: false,
    }
}

/// An object as if it had been made now.
fn as_of(mut json: Value, uid: &str, now: &str) -> Value {
    let metadata = object::metadata(&mut json);
    metadata.insert("uid".to_owned(), json!(uid));
    metadata.insert("creationTimestamp".to_owned(), json!(now));
    for owner in object::elements_mut(&mut json, "/metadata/managedFields") {
        owner["time"] = json!(now);
    }
    json
}

fn create(state: &mut State, object: &Value, author: Author<'_>) -> Outcome<()> {
    let version = object::text(object, "/apiVersion");
    let group = version.split_once('/').map_or("", |(group, _)| group);
    let Some(served) = state
        .types
        .of_kind(group, object::text(object, "/kind"))
        .cloned()
    else {
        return Ok(());
    };
    let wish = |part| Wish {
        new: object.clone(),
        part,
        ownership: Ownership::Changed,
    };
    let space = object::namespace(object);
    let written = write::create(state, &served, space, wish(Part::Main), author)?;
    if object["status"].is_object() && served.info.status {
        let made = std::sync::Arc::clone(written.object());
        write::update(state, &served, &made, wish(Part::Status), author)?;
    }
    Ok(())
}

fn node(cluster: &str, number: usize) -> Value {
    let name = format!("node-{number}");
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "topology.kubernetes.io/zone": format!("site-{cluster}"),
            },
        },
    })
}

/// A role with the rules of a user, and its binding.
fn granted(user: &str, rules: &[Value]) -> [Value; 2] {
    let version = "rbac.authorization.k8s.io/v1";
    let group = "rbac.authorization.k8s.io";
    let name = format!("rights:{user}");
    [
        json!({
            "apiVersion": version,
            "kind": "ClusterRole",
            "metadata": { "name": name },
            "rules": rules,
        }),
        json!({
            "apiVersion": version,
            "kind": "ClusterRoleBinding",
            "metadata": { "name": name },
            "roleRef": { "apiGroup": group, "kind": "ClusterRole", "name": name },
            "subjects": [{ "apiGroup": group, "kind": "User", "name": user }],
        }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_objects_of_every_cluster_can_be_read_and_are_made() {
        let user = User::admin();
        let author = author(&user, Timestamp::UNIX_EPOCH);
        let mut state = State::new(1, 10);
        for object in OBJECTS.iter() {
            let made = create(&mut state, object, author);
            assert!(made.is_ok(), "{object}: {made:?}");
        }
        assert_eq!(MADE.len(), OBJECTS.len());
    }
}
