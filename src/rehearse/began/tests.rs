//! Recordings that somebody edited.

use std::collections::BTreeMap;
use std::sync::Arc;

use drplan_api::Answer;
use drplan_api::Ask;
use drplan_api::ConnId;
use drplan_api::Json;
use drplan_api::TargetId;
use drplan_api::Timestamp;
use drplan_sandbox::world::Beginning;
use drplan_sandbox::world::Faults;
use drplan_sandbox::world::Recall;
use drplan_sandbox::world::World;
use drplan_sandbox::world::WorldError;
use serde_json::json;

/// Every question that systems read back, with arguments as they are asked.
fn asks() -> Vec<(&'static str, &'static str, Json)> {
    let of = json!({"group": "", "version": "v1", "plural": "pods", "name": "a", "namespace": "b"});
    let list = json!({"group": "", "version": "v1", "plural": "pods"});
    let mut trial = of.clone();
    trial["object"] = json!(1);
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
    let objects = json!([
        null,
        1,
        "x",
        [],
        {},
        pod(json!(1)),
        pod(json!({})),
        pod(owner)
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
        if let Ok(world) = world(Recall { at, connections }) {
            world.settle().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_recording_of_before_all_time_is_refused_as_one_to_make_again() {
    let recall = Recall {
        at: Timestamp::MIN,
        connections: BTreeMap::new(),
    };
    let refused = world(recall).err().expect("no world");
    assert!(matches!(refused, WorldError::Recording { .. }), "{refused}");
}
