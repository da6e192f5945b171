//! Where pods run, what they wait for, and how they end.

use serde_json::Value;
use serde_json::json;

use crate::fixture::condition;
use crate::world::World;

fn pod(name: &str, spec: Value) -> Value {
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": [{"name": "main", "image": "app:1"}]}});
    for (key, value) in spec.as_object().into_iter().flatten() {
        pod["spec"][key] = value.clone();
    }
    pod
}

fn waits_with(pod: &Value) -> &str {
    let state = &pod["status"]["containerStatuses"][0]["state"];
    state["waiting"]["reason"].as_str().unwrap_or("nothing")
}

#[test]
fn a_pod_is_bound_started_and_ready_after_the_usual_time() {
    let mut world = World::new();
    world.add(pod(
        "one",
        json!({"containers": [{"name": "main", "image": "app:1",
        "readinessProbe": {"initialDelaySeconds": 5}}]}),
    ));
    world.pass(5);
    let one = world.see("", "Pod", "one");
    assert!(one["spec"]["nodeName"].is_string());
    assert_eq!(
        (&one["status"]["phase"], waits_with(&one)),
        (&json!("Pending"), "ContainerCreating")
    );
    world.pass(10);
    let one = world.see("", "Pod", "one");
    assert_eq!(one["status"]["phase"], "Running");
    assert_eq!(condition(&one, "Ready")["reason"], "ContainersNotReady");
    assert_eq!(
        condition(&one, "Ready")["message"],
        "containers with unready status: [main]"
    );
    world.pass(20);
    let one = world.see("", "Pod", "one");
    for kind in ["Ready", "ContainersReady", "Initialized", "PodScheduled"] {
        assert_eq!(condition(&one, kind)["status"], "True", "{kind}");
    }
    let address = one["status"]["podIP"].as_str().expect("an address");
    assert!(address.starts_with("10.244."), "{address}");
}

#[test]
fn a_pod_waits_for_what_is_missing_and_says_so_as_in_life() {
    let volume = |source: Value| {
        let mut volume = json!({"name": "v"});
        for (key, value) in source.as_object().into_iter().flatten() {
            volume[key] = value.clone();
        }
        json!({"volumes": [volume]})
    };
    let environment = |from: Value| {
        json!({"containers": [{"name": "main", "image": "app:1",
            "env": [{"name": "A", "valueFrom": from}]}]})
    };
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"},
        "data": {"k": "v"}});
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},
        "data": {"k": "dg=="}});
    let table = [
        (
            volume(json!({"configMap": {"name": "c"}})),
            "ContainerCreating",
            &map,
        ),
        (
            volume(json!({"secret": {"secretName": "s"}})),
            "ContainerCreating",
            &secret,
        ),
        (
            volume(json!({"projected": {"sources": [{"configMap": {"name": "c"}}]}})),
            "ContainerCreating",
            &map,
        ),
        (
            environment(json!({"configMapKeyRef": {"name": "c", "key": "k"}})),
            "CreateContainerConfigError",
            &map,
        ),
        (
            environment(json!({"secretKeyRef": {"name": "s", "key": "k"}})),
            "CreateContainerConfigError",
            &secret,
        ),
        (
            json!({"imagePullSecrets": [{"name": "s"}]}),
            "ImagePullBackOff",
            &secret,
        ),
    ];
    for (spec, reason, missing) in table {
        let mut world = World::new();
        world.add(pod("one", spec.clone()));
        world.pass(60);
        let one = world.see("", "Pod", "one");
        assert_eq!(waits_with(&one), reason, "{spec}");
        assert_eq!(one["status"]["phase"], "Pending");
        world.add(missing.clone());
        world.pass(20);
        let one = world.see("", "Pod", "one");
        assert_eq!(condition(&one, "Ready")["status"], "True", "{spec}");
    }
}

#[test]
fn a_key_that_is_missing_is_named() {
    let mut world = World::new();
    world.add(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}));
    world.add(pod(
        "one",
        json!({"containers": [{"name": "main", "image": "app:1",
        "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}]}),
    ));
    world.pass(60);
    let one = world.see("", "Pod", "one");
    assert_eq!(
        one["status"]["containerStatuses"][0]["state"]["waiting"]["message"],
        "couldn't find key k in Secret shop/s"
    );
}

#[test]
fn a_pod_without_a_node_is_unschedulable_until_there_is_one() {
    let mut world = World::new();
    world.add(pod("one", json!({"nodeSelector": {"disk": "fast"}})));
    world.pass(10);
    let one = world.see("", "Pod", "one");
    assert_eq!(condition(&one, "PodScheduled")["reason"], "Unschedulable");
    assert_eq!(
        condition(&one, "PodScheduled")["message"],
        "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector."
    );
    world.add(json!({"apiVersion": "v1", "kind": "Node",
        "metadata": {"name": "node-f", "labels": {"disk": "fast"}}}));
    world.pass(60);
    let one = world.see("", "Pod", "one");
    assert_eq!(one["spec"]["nodeName"], "node-f");
    assert_eq!(one["status"]["phase"], "Running");
}

#[test]
fn a_cordoned_node_takes_no_pods() {
    let mut world = World::new();
    world.pass(1);
    for node in ["node-a", "node-b", "node-c"] {
        world.change("", "Node", node, |node| {
            node["spec"]["unschedulable"] = true.into()
        });
    }
    world.add(pod("one", json!({})));
    world.pass(10);
    let one = world.see("", "Pod", "one");
    assert_eq!(
        condition(&one, "PodScheduled")["message"],
        "0/3 nodes are available: 3 node(s) were unschedulable."
    );
    let node = world.see("", "Node", "node-a");
    assert_eq!(
        node["spec"]["taints"][0]["key"],
        "node.kubernetes.io/unschedulable"
    );
    world.change("", "Node", "node-a", |node| {
        node["spec"]["unschedulable"] = false.into()
    });
    world.pass(10);
    assert_eq!(world.see("", "Pod", "one")["spec"]["nodeName"], "node-a");
    assert_eq!(world.see("", "Node", "node-a")["spec"]["taints"], json!([]));
}

#[test]
fn init_containers_run_first_and_restore_wait_waits_for_the_data() {
    let mut world = World::new();
    let uid = world.add(pod(
        "db",
        json!({"initContainers": [
            {"name": "restore-wait", "image": "velero:1",
                "volumeMounts": [{"name": "data", "mountPath": "/restores/data"}]},
            {"name": "migrate", "image": "app:1"},
        ]}),
    ));
    world.pass(600);
    let db = world.see("", "Pod", "db");
    let first = &db["status"]["initContainerStatuses"][0];
    assert!(first["state"]["running"].is_object(), "{first}");
    assert_eq!(waits_with(&db), "PodInitializing");
    assert_eq!(
        condition(&db, "Initialized")["reason"],
        "ContainersNotInitialized"
    );
    world.add(
        json!({"apiVersion": "velero.io/v1", "kind": "PodVolumeRestore",
        "metadata": {"name": "r-1", "namespace": "velero"},
        "spec": {"pod": {"namespace": "shop", "name": "db", "uid": uid}, "volume": "data"},
        "status": {"phase": "Completed"}}),
    );
    world.pass(20);
    let db = world.see("", "Pod", "db");
    assert_eq!(db["status"]["phase"], "Running");
    assert_eq!(condition(&db, "Ready")["status"], "True");
}

#[test]
fn a_pod_that_is_deleted_stops_first() {
    let mut world = World::new();
    world.add(pod("one", json!({})));
    world.pass(60);
    world.remove("", "Pod", "one");
    world.pass(1);
    assert_eq!(world.names("", "Pod"), ["one"]);
    world.pass(5);
    assert!(world.names("", "Pod").is_empty());
}

#[test]
fn a_pod_that_is_told_to_fail_loops() {
    let mut world = World::new();
    world.settings.failing_pods.insert("shop/one".to_owned(), 3);
    world.add(pod("one", json!({})));
    world.pass(25);
    let one = world.see("", "Pod", "one");
    assert_eq!(waits_with(&one), "CrashLoopBackOff");
    world.pass(600);
    let one = world.see("", "Pod", "one");
    let status = &one["status"]["containerStatuses"][0];
    assert!(
        status["restartCount"].as_u64().expect("a count") >= 3,
        "{status}"
    );
    assert_eq!(status["lastState"]["terminated"]["exitCode"], 3);
    assert_eq!(one["status"]["phase"], "Running");
}

#[test]
fn every_namespace_gets_its_account_and_certificate() {
    let mut world = World::new();
    world.pass(1);
    assert_eq!(world.names("", "ServiceAccount"), ["default"]);
    world.change("", "ConfigMap", "kube-root-ca.crt", |map| {
        map["data"]["ca.crt"] = "that of the lost cluster".into();
    });
    world.pass(1);
    let map = world.see("", "ConfigMap", "kube-root-ca.crt");
    assert_eq!(map["data"]["ca.crt"], "CERTIFICATE");
}
