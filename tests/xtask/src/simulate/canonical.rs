//! The state of a world without what differs from one life to the next: ids, revisions, times and
//! generated names. Addresses that the world draws stand for what has them; all others are compared.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use drplan::rehearse::Scene;
use drplan_api::Timestamp;
use drplan_sandbox_kubernetes::Cluster;
use drplan_sandbox_kubernetes::ObjectKey;
use drplan_sandbox_postgres::Server;
use serde_json::Value;

use super::foreign::RUN_BEFORE;

/// What comes and goes by itself.
const PASSING: &[&str] = &["events", "leases", "endpoints", "endpointslices"];
/// The type of the Secrets of Helm's revisions.
const HELM: &str = "helm.sh/release.v1";
/// The volume that every pod gets; letters are drawn for it.
const TOKEN_VOLUME: &str = "kube-api-access-";
/// How the volumes of claims begin; the claim's uid follows.
const VOLUME: &str = "pvc-";
/// What the server draws or counts.
const DRAWN: &[&str] = &[
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "generation",
    "observedGeneration",
    "managedFields",
    "nodeName",
    "nodePort",
    "restartCount",
    "drplan.io/run",
    "drplan.io/revision",
    "version",
    "containerID",
    "volumeHandle",
    // What a CronJob does depends on the time of day.
    "active",
    "lastScheduleTime",
    "lastSuccessfulTime",
    "modifiedAt",
    "createdAt",
];

/// A line for each thing in the world, in order.
pub(super) type State = BTreeMap<String, Vec<String>>;

/// Reads the state.
pub(super) fn state(scene: &Scene) -> State {
    let mut out = State::new();
    for (name, cluster) in scene.world().clusters() {
        objects(name, cluster, &mut out);
    }
    for (name, server) in scene.world().databases() {
        databases(name, server, &mut out);
    }
    let clusters = scene.world().clusters();
    let owners = Drawn {
        addresses: clusters
            .flat_map(|(name, c)| owners(name, &c.dump()))
            .collect(),
        names: BTreeMap::new(),
    };
    for zone in scene.world().zones() {
        let id = scene.world().dns().zone_id(zone).unwrap_or_default();
        for set in scene.world().dns().record_sets(&id) {
            let text = serde_json::to_value(&set).unwrap_or_default();
            let place = format!("record {} {}", set.name, set.rtype);
            let serial = set.rtype.as_str() == "SOA";
            let text = plain(&text, &owners).to_string();
            out.entry(place)
                .or_default()
                .push(if serial { String::new() } else { text });
        }
    }
    out
}

/// What a life draws, and what stands for it in every life.
#[derive(Default)]
struct Drawn {
    /// What has each address that the world gave out.
    addresses: BTreeMap<String, String>,
    /// What things with drawn names are called.
    names: BTreeMap<String, String>,
}

/// All objects of a cluster.
type Dump = BTreeMap<ObjectKey, Arc<Value>>;

fn lasting_names(dump: &Dump) -> BTreeMap<String, String> {
    let names = dump
        .iter()
        .filter_map(|(key, object)| Some((key.name.clone(), lasting_name(object)?)));
    names.collect()
}

/// What has the addresses that a cluster draws: pods, services, and whatever its load balancers lead to.
fn owners(cluster_name: &str, dump: &Dump) -> BTreeMap<String, String> {
    let names = lasting_names(dump);
    let mut out = BTreeMap::new();
    for (key, object) in dump {
        let name = names.get(&key.name).unwrap_or(&key.name);
        let what = format!("{cluster_name} {} {}/{name}", key.resource, key.namespace);
        let balancer = object["status"]["loadBalancer"]["ingress"].as_array();
        let balancer = balancer
            .into_iter()
            .flatten()
            .map(|i| (&i["ip"], "balancer"));
        let own = [
            (&object["status"]["podIP"], "pod"),
            (&object["spec"]["clusterIP"], "service"),
        ];
        for (address, sort) in balancer.chain(own) {
            if let Some(address) = address.as_str() {
                out.insert(address.to_owned(), format!("ADDRESS of {sort} {what}"));
            }
        }
        // Which pod lands on which node is drawn as well.
        let nodes = object["status"]["addresses"].as_array();
        let nodes = nodes.filter(|_| key.resource == "nodes");
        for address in nodes
            .into_iter()
            .flatten()
            .filter_map(|a| a["address"].as_str())
        {
            if address.parse::<IpAddr>().is_ok() {
                out.insert(
                    address.to_owned(),
                    format!("ADDRESS of a node of {cluster_name}"),
                );
            }
        }
    }
    out
}

fn objects(cluster_name: &str, cluster: &Cluster, out: &mut State) {
    let dump = cluster.dump();
    let drawn = Drawn {
        addresses: owners(cluster_name, &dump),
        names: lasting_names(&dump),
    };
    let jobs = dump
        .iter()
        .filter(|(_, o)| is_owned_by("CronJob", |_| true, o));
    let jobs: BTreeSet<String> = jobs.map(|(key, _)| key.name.clone()).collect();
    for (key, object) in dump {
        if PASSING.contains(&key.resource.as_str()) || is_attempt(&object) {
            continue;
        }
        // Which of them there are depends on the time of day.
        let by_the_clock = is_owned_by("CronJob", |_| true, &object);
        if by_the_clock || is_owned_by("Job", |name| jobs.contains(name), &object) {
            continue;
        }
        let name = drawn.names.get(&key.name).unwrap_or(&key.name);
        let place = format!(
            "{cluster_name} {} {} {}/{name}",
            key.group, key.resource, key.namespace
        );
        let mut value = plain(&object, &drawn);
        if is_of_last_year(&object) {
            // Velero ends what it finds unended when it starts, if it is there by then.
            value["status"] = Value::Null;
        }
        let sealed =
            value["type"] == HELM || value["type"] == "kubernetes.io/service-account-token";
        if let Some(map) = value.as_object_mut().filter(|_| sealed) {
            map.remove("data");
        }
        out.entry(place).or_default().push(value.to_string());
    }
    out.values_mut().for_each(|list| list.sort());
}

/// What an object is called in every life, if its name is drawn or counted.
fn lasting_name(object: &Value) -> Option<String> {
    let name = object["metadata"]["name"].as_str()?;
    if name.strip_prefix(VOLUME).is_some_and(is_uid) {
        return Some(format!("{VOLUME}*"));
    }
    if object["type"] == HELM {
        return Some(format!("{}.v*", name.rsplit_once(".v")?.0));
    }
    let base = object["metadata"]["generateName"].as_str()?;
    Some(format!("{base}*"))
}

fn is_owned_by(kind: &str, named: impl Fn(&str) -> bool, object: &Value) -> bool {
    let owners = object["metadata"]["ownerReferences"].as_array();
    let mut owners = owners.into_iter().flatten();
    owners.any(|o| o["kind"] == kind && o["name"].as_str().is_some_and(&named))
}

/// What each database holds, by the digests of its rows.
fn databases(server_name: &str, server: &Server, out: &mut State) {
    for name in server.databases() {
        let Some(database) = server.database(&name) else {
            continue;
        };
        let place = |what: &str| format!("{server_name} database {name} {what}");
        let mut add = |what: &str, text: String| out.insert(place(what), vec![text]);
        add("owner", database.owner);
        add("schemas", format!("{:?}", database.schemas));
        add("extensions", format!("{:?}", database.extensions));
        add("indexes", format!("{:?}", database.indexes));
        add("constraints", format!("{:?}", database.constraints));
        add("others", format!("{:?}", database.others));
        for ((schema, relation), held) in &database.relations {
            add(&format!("{schema}.{relation}"), format!("{held:?}"));
        }
    }
}

/// Whether it is a revision of a Helm release that did not come to its end. It stays for people.
fn is_attempt(object: &Value) -> bool {
    object["type"] == HELM && object["metadata"]["labels"]["status"] != "deployed"
}

/// Whether it was there before any life began.
fn is_of_last_year(object: &Value) -> bool {
    object["metadata"]["annotations"]["drplan.io/run"] == RUN_BEFORE
}

fn plain(value: &Value, drawn: &Drawn) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .filter(|(name, _)| !DRAWN.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), plain(value, drawn)))
            .collect(),
        Value::Array(list) => list.iter().map(|v| plain(v, drawn)).collect(),
        Value::String(text) => Value::String(text_of(text, drawn)),
        other => other.clone(),
    }
}

fn text_of(text: &str, drawn: &Drawn) -> String {
    if text.parse::<Timestamp>().is_ok() {
        return "TIME".to_owned();
    }
    let bare = text.split_once('/').map_or(text, |(address, _)| address);
    if let Some(owner) = drawn.addresses.get(bare) {
        return owner.clone();
    }
    if text.starts_with(TOKEN_VOLUME) {
        return format!("{TOKEN_VOLUME}*");
    }
    if is_uid(text) {
        return "UID".to_owned();
    }
    let name = drawn.names.get(text).cloned();
    name.unwrap_or_else(|| text.to_owned())
}

fn is_uid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

/// What differs between two states, a line each.
pub(super) fn differences(wanted: &State, found: &State) -> Vec<String> {
    let mut out = Vec::new();
    for (place, objects) in wanted {
        match found.get(place) {
            None => out.push(format!("missing: {place}")),
            Some(there) if there.len() != objects.len() => out.push(format!(
                "{} instead of {}: {place}",
                there.len(),
                objects.len()
            )),
            Some(there) if there != objects => {
                let pairs = objects.iter().zip(there).filter(|(a, b)| a != b);
                out.extend(pairs.map(|(a, b)| format!("differs: {place}: {}", first(a, b))));
            }
            Some(_) => {}
        }
    }
    let more = found.keys().filter(|place| !wanted.contains_key(*place));
    out.extend(more.map(|place| format!("too much: {place}")));
    out
}

/// Where two texts part, with a little of both.
fn first(a: &str, b: &str) -> String {
    const BEFORE: usize = 40;
    const SHOWN: usize = 120;
    let same = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    let from = same.saturating_sub(BEFORE);
    let part = |text: &str| text.chars().skip(from).take(SHOWN).collect::<String>();
    format!("`{}` became `{}`", part(a), part(b))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_drawn_is_left_out_and_the_rest_stays() {
        let drawn = Drawn {
            names: BTreeMap::from([("a-x1".to_owned(), "a-*".to_owned())]),
            addresses: BTreeMap::new(),
        };
        let object = json!({
            "metadata": { "name": "a-x1", "uid": "1", "labels": { "app": "a" } },
            "status": { "at": "2026-01-01T00:00:00Z", "ready": 2 },
        });
        let wanted = json!({
            "metadata": { "name": "a-*", "labels": { "app": "a" } },
            "status": { "at": "TIME", "ready": 2 },
        });
        assert_eq!(plain(&object, &drawn), wanted);
        assert!(is_uid("123e4567-e89b-42d3-a456-426614174000"));
    }

    #[test]
    fn an_address_stands_for_what_has_it_and_a_strange_one_for_itself() {
        let key = ObjectKey {
            group: String::new(),
            resource: "services".to_owned(),
            namespace: "web".to_owned(),
            name: "front".to_owned(),
        };
        let service =
            json!({ "status": { "loadBalancer": { "ingress": [{ "ip": "198.18.0.7" }] } } });
        let drawn = Drawn {
            addresses: owners("b", &Dump::from([(key, Arc::new(service))])),
            ..Drawn::default()
        };
        let record = |address: &str| plain(&json!({ "values": [address] }), &drawn).to_string();
        assert!(record("198.18.0.7").contains("balancer b services web/front"));
        assert!(record("192.0.2.10").contains("192.0.2.10"));
    }

    #[test]
    fn states_are_compared_in_both_directions() {
        let state = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter();
            pairs
                .map(|(k, v)| ((*k).to_owned(), vec![(*v).to_owned()]))
                .collect::<State>()
        };
        let a = state(&[("x", "1"), ("y", "1")]);
        let b = state(&[("y", "2"), ("z", "1")]);
        let lines = differences(&a, &b);
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(differences(&a, &a).is_empty());
    }
}
