//! Recordings that somebody edited.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use drplan_api::Answer;
use drplan_api::Ask;
use drplan_api::ConnId;
use drplan_api::Json;
use drplan_api::Standing;
use drplan_api::TargetId;
use drplan_api::Timestamp;
use drplan_sandbox::world::Beginning;
use drplan_sandbox::world::Faults;
use drplan_sandbox::world::Recall;
use drplan_sandbox::world::World;
use drplan_sandbox::world::WorldError;
use serde_json::json;

/// Whether what goes on by itself in every cluster of a world still does: a new namespace gets its account.
async fn lives(world: &World) -> bool {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "new"}});
    for (_, cluster) in world.clusters() {
        cluster.load([namespace.clone()]).expect("a namespace");
    }
    tokio::time::sleep(Duration::from_mins(1)).await;
    let mut accounts = world
        .clusters()
        .map(|(_, cluster)| cluster.object("", "serviceaccounts", "new", "default"));
    accounts.all(|account| account.is_some())
}

/// Every question that systems read back, with arguments as they are asked.
fn asks() -> Vec<(&'static str, &'static str, Json)> {
    let of = json!({"group": "", "version": "v1", "plural": "pods", "name": "a", "namespace": "b"});
    let list = json!({"group": "", "version": "v1", "plural": "pods"});
    let mut trial = of.clone();
    trial["object"] = json!({"apiVersion": "v1", "kind": "Pod", "metadata": 1, "spec": "x"});
    let mut apply = of.clone();
    apply["object"] =
        json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": {"name": 1}}});
    apply["force"] = json!(false);
    trial["force"] = json!(false);
    let database = json!({"database": "shop"});
    let key = json!({"bucket": "b", "key": "k", "lens": "gzip_json", "args": null});
    let check = json!({"argv": [], "env": {}, "cwd": "", "timeout_ms": 1});
    let files = json!({"files": {"a": {"path": "../a", "sensitive": false}}});
    vec![
        ("kubernetes.a", "discovery", Json::Null),
        ("kubernetes.a", "list", list),
        ("kubernetes.a", "get", of),
        ("kubernetes.a", "dry_run", trial),
        ("kubernetes.a", "dry_run", apply),
        ("s3.a", "keys", json!({"bucket": "b", "prefix": ""})),
        ("s3.a", "blob", key.clone()),
        ("s3.a", "lens", key),
        ("postgres.a", "roles", Json::Null),
        ("postgres.a", "databases", Json::Null),
        ("postgres.a", "tables", database.clone()),
        ("postgres.a", "marker", database),
        ("route53.a", "zones", Json::Null),
        ("route53.a", "records", json!({"zone": "Z"})),
        ("local.default", "check", check),
        ("local.default", "outputs", files),
    ]
}

fn bent() -> Vec<Json> {
    let pod = |metadata: Json| json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata});
    let owner = json!({"name": "c", "ownerReferences": 1});
    let names =
        json!({"plural": "prices", "singular": "price", "kind": "Price", "listKind": "PriceList"});
    let definition = |name: &str, spec: Json, status: Json| {
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": name}, "spec": spec, "status": status,
        })
    };
    let of = json!({"group": "a.example", "names": names, "scope": "Namespaced", "versions": [
        {"name": "v1", "served": true, "storage": true, "schema": 1}]});
    let mut schema = of.clone();
    schema["versions"][0]["schema"] =
        json!({"openAPIV3Schema": {"type": "object", "properties": 1}});
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": "x",
        "metadata": {"name": "d", "namespace": "default"}});
    let objects = json!([
        null,
        1,
        "x",
        [],
        {},
        pod(json!(1)),
        pod(json!({})),
        pod(owner),
        pod(json!({"name": "a", "namespace": "b"})),
        deployment,
        definition("bent.a.example", json!("x"), Json::Null),
        definition("prices.a.example", of, Json::Null),
        definition(
            "fees.a.example",
            schema,
            json!({"conditions": [1], "acceptedNames": {}})
        ),
        definition(
            "names.a.example",
            json!({"group": "b.example", "names": names}),
            json!("x")
        ),
    ]);
    let alias = json!({"Name": "a.", "Type": "A", "AliasTarget": {}});
    vec![
        Json::Null,
        json!(1),
        json!("x"),
        json!([]),
        json!({}),
        objects.clone(),
        json!({"items": objects, "resource_version": "1"}),
        json!([{"name": "shop", "sort": 1, "bytes": "x"}, {"name": {}}]),
        json!([{"id": "Z", "name": "shop.example", "private": false}]),
        json!({"a": [alias, 1, {}]}),
        json!({"keys": [1, {"key": "k"}], "prefixes": [1], "text": []}),
        json!({"code": 0, "stdout_tail": "", "stdout_cut": false, "stderr_tail": ""}),
        json!({"files": {"a": {"present": true, "content": "x"}}}),
    ]
}

fn world(recall: Recall) -> Result<World, WorldError> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = json!({
        "cluster": {"a": {"server": "https://a.example:6443"}},
        "postgres": {"a": {"address": "a.example:5432", "user": "u", "password": "p"}},
    });
    let from = Beginning {
        data_dir: folder.path(),
        base_dir: folder.path(),
        seed: 1,
        faults: Faults::none(),
        recall: Some(recall),
    };
    World::new(&serde_json::from_value(file).expect("a world file"), from)
}

#[tokio::test(start_paused = true)]
async fn a_recording_that_somebody_bent_lets_no_system_and_no_world_panic() {
    let registry = crate::registry::registry();
    let who = TargetId("x".to_owned());
    for said in bent() {
        let answer: Answer = Ok(Arc::new(said.clone()));
        let mut connections = BTreeMap::new();
        for (conn, op, args) in asks() {
            let conn = ConnId::new(conn);
            let system = registry.get_system(conn.system()).expect("a system");
            let (good, bad) = (Ask::new(op, &args), Ask::new(op, &said));
            let standing = system.recall(&who, &[(&good, &answer), (&bad, &answer)]);
            let all: &mut Vec<_> = connections.entry(conn).or_default();
            all.extend(standing);
        }
        let at = "2026-01-05T03:10:00Z".parse().expect("a time");
        let world = world(recall(at, connections));
        let world = world.unwrap_or_else(|refused| panic!("{said}: {refused}"));
        world.settle().await;
        assert!(lives(&world).await, "{said}");
    }
}

fn recall(at: Timestamp, connections: BTreeMap<ConnId, Vec<Standing>>) -> Recall {
    Recall {
        at,
        connections,
        commands: Vec::new(),
        reads: BTreeSet::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_recording_of_before_all_time_is_refused_as_one_to_make_again() {
    let recall = recall(Timestamp::MIN, BTreeMap::new());
    let refused = world(recall).err().expect("no world");
    assert!(matches!(refused, WorldError::Recording { .. }), "{refused}");
}
