//! A cluster that takes the place of another one, of which only answers are known.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use drplan_api::StandingType;
use drplan_sandbox_fields as fields;
use serde_json::Value;
use serde_json::json;

use crate::cluster::Cluster;
use crate::convert;
use crate::object;
use crate::state::State;
use crate::store::Name;
use crate::store::ResourceId;

const DEFINITIONS: &str = "customresourcedefinitions";
const DEFINITIONS_GROUP: &str = "apiextensions.k8s.io";
const IDENTITY_NAMESPACE: &str = "kube-system";
/// The groups whose controllers run in every cluster and make again what they own.
const OWN_CONTROLLERS: [&str; 3] = ["", "apps", "batch"];

/// What is known of a cluster.
#[derive(Debug, Default)]
pub struct Recalled {
    /// The uid of its namespace `kube-system`.
    pub uid: Option<String>,
    /// The types that it served.
    pub types: Vec<StandingType>,
    /// The types, by group and plural name, of which `objects` are all.
    pub whole: BTreeSet<(String, String)>,
    /// Its objects.
    pub objects: Vec<Value>,
    /// Who could have applied what, past nobody: a manager and an object.
    pub applied: Vec<(String, Value)>,
}

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// How many objects are here now.
    pub objects: usize,
    /// How many objects were left out, for a controller that runs here owned them and what they belong to
    /// is not known: it makes them again.
    pub owned: usize,
    /// How many objects belonged to something that is not known; they belong to nothing now.
    pub orphaned: usize,
    /// How many objects are of kinds that are not served, by `apiVersion` and kind.
    pub unserved: BTreeMap<String, usize>,
    /// How many objects have no kind or no name, so that they are none.
    pub nameless: usize,
    /// What an API server could not read as its kind, and why, so that it was left out.
    pub unreadable: Vec<String>,
    /// Types whose definition is not known, so that their objects may hold anything.
    pub invented: Vec<String>,
}

/// A kind of one group, a namespace and a name.
type Id = (String, String, String, String);

impl Cluster {
    /// Becomes another cluster, as far as that is known: its objects with their uids, its types and its
    /// identity. To be called before the cluster starts.
    pub fn become_other(&self, recalled: Recalled) -> Taken {
        let mut taken = Taken::default();
        let mut state = self.shared.state();
        let (objects, bent): (Vec<Value>, Vec<Value>) =
            recalled.objects.into_iter().partition(is_named);
        taken.nameless = bent.len();
        let (definitions, rest): (Vec<Value>, Vec<Value>) =
            each_once(objects).partition(|object| object["kind"] == "CustomResourceDefinition");
        let whole = |group: &str, plural: &str| {
            recalled
                .whole
                .contains(&(group.to_owned(), plural.to_owned()))
        };
        let named = definitions
            .iter()
            .map(|d| object::name(d).to_owned())
            .collect();
        for definition in definitions {
            put(&mut state, definition, &mut taken);
        }
        let follow = ResourceId::new(DEFINITIONS_GROUP, DEFINITIONS);
        state.follow_types(&follow);
        // Where all definitions are known, what none defines was served by somebody else.
        if !whole(DEFINITIONS_GROUP, DEFINITIONS) {
            for definition in invented(&state, &recalled.types, &named, &mut taken) {
                put(&mut state, definition, &mut taken);
                taken.objects -= 1;
            }
        }
        state.follow_types(&follow);
        for (group, plural) in &recalled.whole {
            if plural != DEFINITIONS {
                clear(&mut state, group, plural);
            }
        }
        for object in with_owners(rest, &mut taken) {
            put(&mut state, object, &mut taken);
        }
        for (manager, object) in recalled.applied {
            own(
                &mut state,
                &manager,
                &object,
                &crate::request::stamp(self.shared.now()),
            );
        }
        identify(&mut state, recalled.uid);
        taken
    }
}

/// Whether an object can be found again: anybody may have edited what was recorded.
fn is_named(object: &Value) -> bool {
    ["/apiVersion", "/kind", "/metadata/name"]
        .iter()
        .all(|field| !object::text(object, field).is_empty())
}

/// Leaves out what was said twice.
fn each_once(objects: Vec<Value>) -> impl Iterator<Item = Value> {
    let id = |object: &Value| -> Id {
        (
            group(object::text(object, "/apiVersion")).to_owned(),
            object::text(object, "/kind").to_owned(),
            object::namespace(object).to_owned(),
            object::name(object).to_owned(),
        )
    };
    let by_id: BTreeMap<Id, Value> = objects.into_iter().map(|o| (id(&o), o)).collect();
    by_id.into_values()
}

fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// Removes the objects of a type that every new cluster has.
fn clear(state: &mut State, group: &str, plural: &str) {
    let Some(id) = state.types.preferred(group, plural).map(|s| s.id.clone()) else {
        return;
    };
    let own: Vec<Value> = state
        .store
        .list(&id, None)
        .map(|o| o.json().clone())
        .collect();
    for object in own {
        state.store.remove(&id, object);
    }
}

fn put(state: &mut State, mut json: Value, taken: &mut Taken) {
    let api_version = object::text(&json, "/apiVersion").to_owned();
    let kind = object::text(&json, "/kind");
    let Some(served) = state.types.of_kind(group(&api_version), kind).cloned() else {
        let name = format!("{api_version} {kind}");
        *taken.unserved.entry(name).or_default() += 1;
        return;
    };
    // Controllers trust what is stored to have the form of its kind.
    if let Some(why) = fields::decode_error(&served.info, &json) {
        let of = Name::of(&json);
        let unreadable = format!("{} {}/{}: {why}", served.info.kind, of.namespace, of.name);
        taken.unreadable.push(unreadable);
        return;
    }
    fields::default(&served.info, &mut json);
    let stored = convert::to_stored(&served, json);
    state.store.put(&served.id, stored);
    taken.objects += 1;
}

/// Makes definitions for types of which nothing else is known, so that their objects have a place.
fn invented(
    state: &State,
    types: &[StandingType],
    named: &BTreeSet<String>,
    taken: &mut Taken,
) -> Vec<Value> {
    let mut versions: BTreeMap<String, Vec<&StandingType>> = BTreeMap::new();
    for one in types {
        let name = format!("{}.{}", one.plural, one.group);
        let is_known = named.contains(&name) || state.types.is_builtin_group(&one.group);
        if !one.group.is_empty() && !is_known {
            versions.entry(name).or_default().push(one);
        }
    }
    taken.invented = versions.keys().cloned().collect();
    versions
        .iter()
        .map(|(name, of)| definition(name, of))
        .collect()
}

fn definition(name: &str, versions: &[&StandingType]) -> Value {
    let first = versions[0];
    let one = |(n, of): (usize, &&StandingType)| {
        json!({
            "name": of.version,
            "served": true,
            "storage": n == 0,
            "subresources": { "status": {} },
            "schema": { "openAPIV3Schema": {
                "type": "object",
                "x-kubernetes-preserve-unknown-fields": true,
            } },
        })
    };
    let names = json!({
        "plural": first.plural,
        "singular": first.kind.to_ascii_lowercase(),
        "kind": first.kind,
        "listKind": format!("{}List", first.kind),
    });
    let scope = if first.namespaced {
        "Namespaced"
    } else {
        "Cluster"
    };
    let condition = |kind: &str| json!({ "type": kind, "status": "True" });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": name, "uid": format!("invented:{name}") },
        "spec": {
            "group": first.group,
            "names": names,
            "scope": scope,
            "versions": versions.iter().enumerate().map(one).collect::<Vec<_>>(),
        },
        "status": {
            "acceptedNames": names,
            "storedVersions": [first.version],
            "conditions": [condition("NamesAccepted"), condition("Established")],
        },
    })
}

/// Leaves out objects whose controller runs here and that belong to nothing known, and what belongs to
/// those; lets the others belong to nothing.
fn with_owners(objects: Vec<Value>, taken: &mut Taken) -> Vec<Value> {
    let mut there: BTreeSet<&str> = objects.iter().map(object::uid).collect();
    // Who has no uid owns nothing.
    there.remove("");
    let mut owned_by: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, object) in objects.iter().enumerate() {
        for owner in makers(object) {
            owned_by.entry(owner).or_default().push(i);
        }
    }
    let is_gone = |uid: &str| !there.contains(uid);
    let mut gone: BTreeSet<usize> = (0..objects.len())
        .filter(|i| makers(&objects[*i]).any(is_gone))
        .collect();
    let mut left: Vec<usize> = gone.iter().copied().collect();
    while let Some(i) = left.pop() {
        let uid = object::uid(&objects[i]);
        there.remove(uid);
        let owned = owned_by.get(uid).into_iter().flatten();
        left.extend(owned.copied().filter(|i| gone.insert(*i)));
    }
    let there: BTreeSet<String> = there.into_iter().map(str::to_owned).collect();
    taken.owned += gone.len();
    let stays = objects.into_iter().enumerate();
    let mut out: Vec<Value> = stays
        .filter(|(i, _)| !gone.contains(i))
        .map(|(_, object)| object)
        .collect();
    for object in &mut out {
        let owners = object.pointer_mut("/metadata/ownerReferences");
        if let Some(owners) = owners.and_then(Value::as_array_mut) {
            let before = owners.len();
            owners.retain(|owner| there.contains(object::text(owner, "/uid")));
            taken.orphaned += usize::from(owners.len() < before);
        }
    }
    out
}

/// The uids of the owners that make an object again, for their controller runs here.
fn makers(object: &Value) -> impl Iterator<Item = &str> {
    let owners = object["metadata"]["ownerReferences"].as_array();
    let makers = owners.into_iter().flatten().filter(|owner| {
        owner["controller"] == true
            && OWN_CONTROLLERS.contains(&group(object::text(owner, "/apiVersion")))
    });
    makers.map(|owner| object::text(owner, "/uid"))
}

/// Gives the fields of an object that was or could be applied to who did that.
fn own(state: &mut State, manager: &str, applied: &Value, now: &str) {
    let kind = object::text(applied, "/kind");
    let group = group(object::text(applied, "/apiVersion"));
    let Some(served) = state.types.of_kind(group, kind).cloned() else {
        return;
    };
    let Some(stored) = state.store.get(&served.id, &Name::of(applied)) else {
        return;
    };
    let mut live = stored.json().clone();
    fields::owners::granted(&served.info, &mut live, applied, manager, now);
    state.store.put(&served.id, live);
}

fn identify(state: &mut State, uid: Option<String>) {
    let namespace = state
        .namespace(IDENTITY_NAMESPACE)
        .map(|n| n.json().clone());
    let (Some(uid), Some(mut namespace)) = (uid, namespace) else {
        return;
    };
    object::metadata(&mut namespace).insert("uid".to_owned(), json!(uid));
    state
        .store
        .put(&ResourceId::new("", "namespaces"), namespace);
}

#[cfg(test)]
mod tests {
    use drplan_api::Clock;
    use drplan_api::Timestamp;

    use super::*;
    use crate::ClusterOptions;

    fn object(kind: &str, api: &str, name: &str, owner: Option<&Value>) -> Value {
        let mut out = json!({
            "apiVersion": api, "kind": kind,
            "metadata": { "name": name, "namespace": "shop", "uid": format!("{kind}-{name}") },
        });
        if let Some(owner) = owner {
            out["metadata"]["ownerReferences"] = json!([{
                "apiVersion": owner["apiVersion"], "kind": owner["kind"], "controller": true,
                "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"],
            }]);
        }
        out
    }

    fn cluster() -> Cluster {
        let mut options = ClusterOptions::new("b", 1, Clock::starting_at(Timestamp::UNIX_EPOCH));
        options.nodes = 3;
        Cluster::new(options)
    }

    #[test]
    fn what_a_controller_owned_stays_only_with_what_it_belongs_to() {
        let unknown = object("ReplicaSet", "apps/v1", "unknown", None);
        let set = object("ReplicaSet", "apps/v1", "web-1", None);
        let lost = object("ReplicaSet", "apps/v1", "lost", Some(&unknown));
        let foreign = object("Cluster", "db.example/v1", "db", None);
        let objects = vec![
            set.clone(),
            object("Pod", "v1", "kept", Some(&set)),
            object("Pod", "v1", "made-again", Some(&lost)),
            lost,
            object("Pod", "v1", "free", Some(&foreign)),
        ];
        let cluster = cluster();
        let taken = cluster.become_other(Recalled {
            objects,
            ..Recalled::default()
        });
        let pods = cluster.objects("", "pods");
        let names: Vec<&str> = pods.iter().map(|pod| object::name(pod)).collect();
        assert_eq!(names, ["free", "kept"]);
        assert_eq!((taken.objects, taken.owned, taken.orphaned), (3, 2, 1));
    }

    #[test]
    fn what_cannot_be_read_as_its_kind_is_left_out_and_told() {
        let mut bent = object("Pod", "v1", "bent", None);
        bent["status"] = json!("x");
        let cluster = cluster();
        let taken = cluster.become_other(Recalled {
            objects: vec![bent, object("Pod", "v1", "good", None)],
            ..Recalled::default()
        });
        assert_eq!(cluster.objects("", "pods").len(), 1);
        assert_eq!(taken.unreadable.len(), 1);
        let told = &taken.unreadable[0];
        assert!(told.starts_with("Pod shop/bent: "), "{told}");
    }

    #[test]
    fn a_type_that_is_known_whole_has_nothing_that_is_not_recalled() {
        let node = json!({
            "apiVersion": "v1", "kind": "Node", "metadata": { "name": "ip-10-0-0-1", "uid": "n" },
        });
        let price = object("Price", "shop.example/v1", "tea", None);
        let cluster = cluster();
        let taken = cluster.become_other(Recalled {
            uid: Some("the-other".to_owned()),
            types: vec![StandingType {
                group: "shop.example".to_owned(),
                version: "v1".to_owned(),
                kind: "Price".to_owned(),
                plural: "prices".to_owned(),
                namespaced: true,
            }],
            whole: BTreeSet::from([(String::new(), "nodes".to_owned())]),
            objects: vec![
                node,
                price,
                object("Ghost", "ghost.example/v1", "boo", None),
            ],
            applied: Vec::new(),
        });
        assert_eq!(cluster.uid(), "the-other");
        assert_eq!(cluster.objects("", "nodes").len(), 1);
        assert_eq!(cluster.objects("shop.example", "prices").len(), 1);
        assert_eq!(taken.invented, ["prices.shop.example"]);
        let unserved: Vec<&String> = taken.unserved.keys().collect();
        assert_eq!(unserved, ["ghost.example/v1 Ghost"]);
    }
}
