//! Clusters with the objects that were listed.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use drplan_api::Json;
use drplan_api::PRIVATE_KEY;
use drplan_api::Standing;
use drplan_sandbox_kubernetes::Cluster;
use drplan_sandbox_kubernetes::Recalled;
use drplan_sandbox_kubernetes::Taken;

use super::LoadedConnection;
use super::Said;
use super::count;
use super::named;

/// What stands for a hidden value.
const DIGEST: &str = "$digest";

/// Puts what was listed into a cluster that has not started: at once what every connection listed that led
/// to it, for what one of them did not see may be there.
pub(in crate::world) fn cluster(
    name: &str,
    cluster: &Cluster,
    connections: &[Said<'_>],
) -> Vec<LoadedConnection> {
    let mut recalled = recalled(connections);
    let types = count(recalled.whole.len(), "type", "types");
    // What was listed and read alone, or by two connections, is one object.
    let mut hidden: BTreeMap<String, usize> = BTreeMap::new();
    for object in &mut recalled.objects {
        let values = stand_ins(object);
        if values > 0 {
            hidden.insert(title(object), values);
        }
    }
    let taken = cluster.become_other(recalled);
    let objects = count(taken.objects, "object", "objects");
    let mut holds = vec![format!("{objects} ({types} whole)")];
    let values: usize = hidden.values().sum();
    if values > 0 {
        let values = count(
            values,
            "value of Secrets is a stand-in",
            "values of Secrets are stand-ins",
        );
        holds.push(values);
    }
    LoadedConnection::of_server(connections, |loaded| {
        loaded.part = format!("cluster \"{name}\"");
        loaded.holds = holds;
        loaded.lacks = lacks(&taken);
        loaded.stand_ins = hidden.into_keys().collect();
    })
}

/// What all connections to a cluster say of it.
fn recalled(connections: &[Said<'_>]) -> Recalled {
    let mut recalled = Recalled::default();
    for one in connections.iter().flat_map(|(_, standing)| *standing) {
        match one {
            Standing::Identity(uid) => recalled.uid = Some(uid.clone()),
            Standing::Type(one) => recalled.types.push(one.clone()),
            Standing::Objects(objects) => recalled.objects.extend(objects.iter().cloned()),
            Standing::Applied {
                manager, object, ..
            } => recalled.applied.push((manager.clone(), object.clone())),
            Standing::All {
                group,
                plural,
                objects,
            } => {
                recalled.whole.insert((group.clone(), plural.clone()));
                recalled.objects.extend(objects.iter().cloned());
            }
            _ => {}
        }
    }
    recalled
}

fn lacks(taken: &Taken) -> Vec<String> {
    let mut out = Vec::new();
    if taken.owned > 0 {
        out.push(format!(
            "{}, for what owns them is not known: controllers make them again",
            count(taken.owned, "object", "objects")
        ));
    }
    if taken.orphaned > 0 {
        let what = count(taken.orphaned, "object", "objects");
        out.push(format!("the owners of {what}, which belong to nothing now"));
    }
    for (kind, n) in &taken.unserved {
        let what = count(*n, "object", "objects");
        out.push(format!("{what} of `{kind}`, which nothing serves here"));
    }
    if taken.nameless > 0 {
        let what = count(taken.nameless, "object", "objects");
        out.push(format!("{what} without a kind or a name"));
    }
    if let Some(first) = taken.unreadable.first() {
        let what = count(taken.unreadable.len(), "object", "objects");
        out.push(format!(
            "{what} that nobody can read as its kind, such as {first}"
        ));
    }
    if !taken.invented.is_empty() {
        let names = named(&taken.invented);
        out.push(format!(
            "the schemas of {names}: their objects may hold anything"
        ));
    }
    out
}

/// How plans name an object.
fn title(object: &Json) -> String {
    let text = |pointer| {
        object
            .pointer(pointer)
            .and_then(Json::as_str)
            .unwrap_or_default()
    };
    let (version, kind) = (text("/apiVersion"), text("/kind"));
    let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
    format!("{version}/{kind} {namespace}/{name}")
}

/// Puts a value in the place of each that was hidden. Whoever reads one as the key to a bucket finds that
/// of the world: a key that was right before the recording must open what is here.
fn stand_ins(object: &mut Json) -> usize {
    let (id, secret) = PRIVATE_KEY;
    let text = format!(
        "stand-in of a rehearsal\n[default]\naws_access_key_id={id}\naws_secret_access_key={secret}\n"
    );
    let mut hidden = 0;
    for (field, value) in [("data", STANDARD.encode(&text)), ("stringData", text)] {
        let values = object.get_mut(field).and_then(Json::as_object_mut);
        for old in values.into_iter().flat_map(|map| map.values_mut()) {
            if old.get(DIGEST).is_some() {
                *old = value.clone().into();
                hidden += 1;
            }
        }
    }
    // A copy of a Secret that nobody may read is no copy.
    let annotations = object.pointer_mut("/metadata/annotations");
    if let Some(Json::Object(map)) = annotations {
        map.retain(|_, value| value.get(DIGEST).is_none());
    }
    hidden
}

#[cfg(test)]
mod tests {
    use drplan_api::Clock;
    use drplan_api::ConnId;
    use drplan_api::Timestamp;
    use drplan_sandbox_kubernetes::ClusterOptions;
    use serde_json::json;

    use super::*;

    fn object(kind: &str, api: &str, name: &str, owner: Option<&Json>) -> Json {
        let owners = owner.map(|owner| {
            json!([{
                "apiVersion": owner["apiVersion"], "kind": owner["kind"], "controller": true,
                "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"],
            }])
        });
        json!({
            "apiVersion": api, "kind": kind,
            "metadata": {
                "name": name, "namespace": "shop", "uid": format!("{kind}-{name}"),
                "ownerReferences": owners,
            },
        })
    }

    fn all(group: &str, plural: &str, objects: &[&Json]) -> Standing {
        Standing::All {
            group: group.to_owned(),
            plural: plural.to_owned(),
            objects: objects.iter().copied().cloned().collect(),
        }
    }

    #[test]
    fn what_two_connections_to_one_cluster_listed_is_there_together_and_told_once() {
        let set = object("ReplicaSet", "apps/v1", "web-1", None);
        let pod = object("Pod", "v1", "web-1-a", Some(&set));
        let mut secret = object("Secret", "v1", "db", None);
        secret["data"] = json!({ "password": { DIGEST: "d" } });
        let applied = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "data": { "a": "1" },
            "metadata": { "name": "m", "namespace": "shop" },
        });
        let reader = [
            Standing::Identity("uid".to_owned()),
            Standing::Objects(vec![applied.clone(), secret.clone()]),
            Standing::Applied {
                manager: "drplan".to_owned(),
                object: applied,
            },
            all("apps", "replicasets", &[&set]),
        ];
        let watcher = [
            all("", "pods", &[&pod]),
            all("", "configmaps", &[]),
            all("", "secrets", &[&secret]),
        ];
        let (one, other) = (ConnId::new("kubernetes.a"), ConnId::new("kubernetes.b"));
        let clock = Clock::starting_at(Timestamp::UNIX_EPOCH);
        let site = Cluster::new(ClusterOptions::new("site", 1, clock));
        let loaded = cluster("site", &site, &[(&one, &reader), (&other, &watcher)]);
        assert_eq!(site.objects("", "pods").len(), 1, "its owner is known");
        let map = site.object("", "configmaps", "shop", "m");
        let map = map.expect("what the other listed");
        let fields = &map["metadata"]["managedFields"];
        assert_eq!(fields[0]["manager"], "drplan", "{fields}");
        assert_eq!(loaded[0].stand_ins, ["v1/Secret shop/db"]);
        assert_eq!(
            loaded[0].holds,
            [
                "4 objects (4 types whole)",
                "1 value of Secrets is a stand-in"
            ]
        );
        assert_eq!(loaded[1].part, "cluster \"site\"");
        assert_eq!(
            loaded[1].holds,
            ["what is told at kubernetes.a, which led to the same server"]
        );
    }
}
