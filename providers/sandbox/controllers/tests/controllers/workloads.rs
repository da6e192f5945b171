//! Deployments, ReplicaSets, StatefulSets and DaemonSets.

use serde_json::Value;
use serde_json::json;

use crate::fixture::condition;
use crate::fixture::deployment;
use crate::fixture::template;
use crate::world::World;

fn stateful_set(replicas: u64) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"},
        "spec": {"replicas": replicas, "serviceName": "db",
            "selector": {"matchLabels": {"app": "db"}}, "template": template("db"),
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
                "accessModes": ["ReadWriteOnce"], "storageClassName": "fast",
                "resources": {"requests": {"storage": "1Gi"}}}}]}})
}

#[test]
fn a_deployment_becomes_available() {
    let mut world = World::new();
    world.add(deployment("web", 3));
    world.pass(5);
    let web = world.see("apps", "Deployment", "web");
    assert_eq!(condition(&web, "Available")["status"], "False");
    assert_eq!(
        condition(&web, "Progressing")["reason"],
        "ReplicaSetUpdated"
    );
    world.pass(60);
    let web = world.see("apps", "Deployment", "web");
    let status = &web["status"];
    for field in [
        "replicas",
        "updatedReplicas",
        "readyReplicas",
        "availableReplicas",
    ] {
        assert_eq!(status[field], 3, "{status:#}");
    }
    assert_eq!(status["observedGeneration"], 1);
    assert!(status["unavailableReplicas"].is_null());
    assert_eq!(
        condition(&web, "Available")["reason"],
        "MinimumReplicasAvailable"
    );
    assert_eq!(
        condition(&web, "Progressing")["reason"],
        "NewReplicaSetAvailable"
    );
    assert_eq!(
        web["metadata"]["annotations"]["deployment.kubernetes.io/revision"],
        "1"
    );
    let sets = world.names("apps", "ReplicaSet");
    assert_eq!(sets.len(), 1);
    let pods = world.names("", "Pod");
    assert!(pods.iter().all(|pod| pod.starts_with(&sets[0])), "{pods:?}");
    let set = world.see("apps", "ReplicaSet", &sets[0]);
    let hash = &set["metadata"]["labels"]["pod-template-hash"];
    assert_eq!(sets[0], format!("web-{}", hash.as_str().expect("a hash")));
    assert_eq!(
        set["spec"]["selector"]["matchLabels"]["pod-template-hash"],
        *hash
    );
}

#[test]
fn a_rollout_keeps_its_bounds_and_ends_with_the_new_template() {
    let mut world = World::new();
    world.add(deployment("web", 4));
    world.pass(60);
    world.change("apps", "Deployment", "web", |web| {
        web["spec"]["template"]["spec"]["containers"][0]["image"] = "web:2".into();
    });
    for _ in 0..120 {
        world.pass(1);
        let pods = world.names("", "Pod");
        let live = pods.iter().map(|pod| world.see("", "Pod", pod));
        let live: Vec<_> = live
            .filter(|p| p["metadata"]["deletionTimestamp"].is_null())
            .collect();
        let ready = live
            .iter()
            .filter(|p| condition(p, "Ready")["status"] == "True");
        assert!(live.len() <= 5, "at most one more than wanted");
        assert!(ready.count() >= 3, "at most one less than wanted");
    }
    let web = world.see("apps", "Deployment", "web");
    assert_eq!(web["status"]["updatedReplicas"], 4);
    assert_eq!(web["status"]["replicas"], 4);
    assert_eq!(
        web["metadata"]["annotations"]["deployment.kubernetes.io/revision"],
        "2"
    );
    assert_eq!(world.names("apps", "ReplicaSet").len(), 2);
    assert_eq!(world.names("", "Pod").len(), 4);
}

#[test]
fn recreate_stops_the_old_before_the_new_starts() {
    let mut world = World::new();
    let mut web = deployment("web", 2);
    web["spec"]["strategy"] = json!({"type": "Recreate"});
    world.add(web);
    world.pass(60);
    world.log.clear();
    world.change("apps", "Deployment", "web", |web| {
        web["spec"]["template"]["spec"]["containers"][0]["image"] = "web:2".into();
    });
    world.pass(60);
    let pods: Vec<_> = world
        .log
        .iter()
        .filter(|line| line.contains("Pod"))
        .collect();
    let deletions = pods.iter().take(2).all(|line| line.starts_with("DELETE"));
    assert!(pods.len() == 4 && deletions, "{pods:?}");
    assert_eq!(
        world.see("apps", "Deployment", "web")["status"]["availableReplicas"],
        2
    );
}

#[test]
fn scaling_follows_and_deleting_takes_everything_along() {
    let mut world = World::new();
    world.add(deployment("web", 2));
    world.pass(60);
    for (replicas, pods) in [(5, 5), (1, 1), (0, 0)] {
        world.change("apps", "Deployment", "web", |web| {
            web["spec"]["replicas"] = replicas.into();
        });
        world.pass(60);
        assert_eq!(world.names("", "Pod").len(), pods);
        let web = world.see("apps", "Deployment", "web");
        assert_eq!(
            web["status"]["observedGeneration"],
            web["metadata"]["generation"]
        );
        assert_eq!(
            web["status"]["availableReplicas"].as_u64().unwrap_or(0),
            replicas
        );
    }
    world.remove("apps", "Deployment", "web");
    world.pass(60);
    assert!(world.names("apps", "ReplicaSet").is_empty());
}

#[test]
fn a_deployment_whose_image_is_missing_exceeds_its_deadline() {
    let mut world = World::new();
    world.settings.missing_images.insert("web:1".to_owned());
    world.add(deployment("web", 1));
    world.pass(590);
    let web = world.see("apps", "Deployment", "web");
    assert_eq!(condition(&web, "Progressing")["status"], "True");
    world.pass(30);
    let web = world.see("apps", "Deployment", "web");
    assert_eq!(
        condition(&web, "Progressing")["reason"],
        "ProgressDeadlineExceeded"
    );
    assert_eq!(web["status"]["unavailableReplicas"], 1);
}

#[test]
fn what_was_restored_without_owners_is_taken_in() {
    let mut old = World::new();
    old.add(deployment("web", 2));
    old.add(stateful_set(2));
    old.pass(120);
    let mut world = World::new();
    // The order in which Velero restores these kinds.
    for (group, kind) in [
        ("", "Pod"),
        ("apps", "ReplicaSet"),
        ("apps", "ControllerRevision"),
        ("apps", "Deployment"),
        ("apps", "StatefulSet"),
    ] {
        for name in old.names(group, kind) {
            let mut object = old.see(group, kind, &name);
            let metadata = object["metadata"].as_object_mut().expect("metadata");
            for field in ["ownerReferences", "uid", "resourceVersion", "finalizers"] {
                metadata.remove(field);
            }
            let fields = object.as_object_mut().expect("an object");
            fields.remove("status");
            if kind == "Pod" {
                object["spec"]["nodeName"] = Value::Null;
                let spec = object["spec"].as_object_mut().expect("a spec");
                spec.remove("nodeName");
                if name.starts_with("db") {
                    // Their claims come from elsewhere.
                    spec.remove("volumes");
                }
            }
            world.add(object);
            world.pass(1);
        }
    }
    world.pass(200);
    assert_eq!(world.names("", "Pod"), old.names("", "Pod"));
    assert_eq!(
        world.names("apps", "ReplicaSet"),
        old.names("apps", "ReplicaSet")
    );
    let web = world.see("apps", "Deployment", "web");
    assert_eq!(web["status"]["availableReplicas"], 2);
    let db = world.see("apps", "StatefulSet", "db");
    assert_eq!(db["status"]["readyReplicas"], 2, "{:#}", db["status"]);
    assert_eq!(
        db["status"]["currentRevision"],
        db["status"]["updateRevision"]
    );
    assert_eq!(world.names("apps", "ControllerRevision").len(), 1);
}

#[test]
fn a_stateful_set_starts_one_by_one_with_its_claims() {
    let mut world = World::new();
    world.add(stateful_set(3));
    world.pass(5);
    assert_eq!(world.names("", "Pod"), ["db-0"]);
    world.pass(120);
    assert_eq!(world.names("", "Pod"), ["db-0", "db-1", "db-2"]);
    let claims = world.names("", "PersistentVolumeClaim");
    assert_eq!(claims, ["data-db-0", "data-db-1", "data-db-2"]);
    let db = world.see("apps", "StatefulSet", "db");
    for field in [
        "replicas",
        "readyReplicas",
        "availableReplicas",
        "currentReplicas",
    ] {
        assert_eq!(db["status"][field], 3, "{field}");
    }
    let pod = world.see("", "Pod", "db-1");
    assert_eq!(pod["spec"]["hostname"], "db-1");
    assert_eq!(
        pod["metadata"]["labels"]["apps.kubernetes.io/pod-index"],
        "1"
    );
}

#[test]
fn a_stateful_set_rolls_from_the_last_and_shrinks_from_the_last() {
    let mut world = World::new();
    world.add(stateful_set(3));
    world.pass(200);
    world.log.clear();
    world.change("apps", "StatefulSet", "db", |db| {
        db["spec"]["template"]["spec"]["containers"][0]["image"] = "db:2".into();
    });
    world.pass(300);
    let deletions = world.log.iter().filter(|l| l.starts_with("DELETE Pod"));
    let deletions: Vec<_> = deletions.cloned().collect();
    assert_eq!(
        deletions,
        [
            "DELETE Pod shop/db-2",
            "DELETE Pod shop/db-1",
            "DELETE Pod shop/db-0"
        ]
    );
    let db = world.see("apps", "StatefulSet", "db");
    assert_eq!(
        db["status"]["currentRevision"],
        db["status"]["updateRevision"]
    );
    assert_eq!(db["status"]["updatedReplicas"], 3);
    world.change("apps", "StatefulSet", "db", |db| {
        db["spec"]["replicas"] = 1.into()
    });
    world.pass(60);
    assert_eq!(world.names("", "Pod"), ["db-0"]);
    assert_eq!(
        world.names("", "PersistentVolumeClaim").len(),
        3,
        "claims stay"
    );
}

#[test]
fn a_daemon_set_has_a_pod_on_each_node_that_takes_it() {
    let mut world = World::new();
    world.add(
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "tainted"},
        "spec": {"taints": [{"key": "gpu", "effect": "NoSchedule"}]}}),
    );
    world.add(
        json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "agent"},
        "spec": {"selector": {"matchLabels": {"app": "agent"}}, "template": template("agent"),
            "updateStrategy": {"type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}}}),
    );
    world.pass(60);
    let agent = world.see("apps", "DaemonSet", "agent");
    for field in [
        "desiredNumberScheduled",
        "updatedNumberScheduled",
        "numberAvailable",
    ] {
        assert_eq!(agent["status"][field], 3, "{:#}", agent["status"]);
    }
    world.add(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-d"}}));
    world.change("apps", "DaemonSet", "agent", |agent| {
        agent["spec"]["template"]["spec"]["containers"][0]["image"] = "agent:2".into();
    });
    world.pass(200);
    let agent = world.see("apps", "DaemonSet", "agent");
    for field in [
        "desiredNumberScheduled",
        "updatedNumberScheduled",
        "numberAvailable",
    ] {
        assert_eq!(agent["status"][field], 4, "{:#}", agent["status"]);
    }
}

#[test]
fn two_worlds_from_one_seed_are_the_same() {
    let run = || {
        let mut world = World::new();
        world.add(deployment("web", 5));
        world.add(stateful_set(2));
        world.pass(100);
        let pods = world.names("", "Pod");
        let all = pods.iter().map(|pod| world.see("", "Pod", pod).to_string());
        (world.log.clone(), all.collect::<Vec<_>>())
    };
    assert_eq!(run(), run());
}

#[test]
fn a_third_of_all_writes_refused_changes_nothing_in_the_end() {
    let run = |refuse: fn(usize) -> bool| {
        let mut world = World::new();
        world.refuse = refuse;
        world.add(deployment("web", 5));
        world.add(stateful_set(2));
        world.add(
            json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "load"},
            "spec": {"completions": 3, "parallelism": 2, "backoffLimit": 0,
                "template": {"spec": {"restartPolicy": "Never",
                    "containers": [{"name": "main", "image": "job:1"}]}}}}),
        );
        world.pass(2_000);
        world.change("apps", "Deployment", "web", |web| {
            web["spec"]["template"]["spec"]["containers"][0]["image"] = "web:2".into();
        });
        world.pass(2_000);
        let web = &world.see("apps", "Deployment", "web")["status"];
        let db = &world.see("apps", "StatefulSet", "db")["status"];
        let load = &world.see("batch", "Job", "load")["status"];
        let counts = [
            &web["updatedReplicas"],
            &web["availableReplicas"],
            &web["replicas"],
            &db["readyReplicas"],
            &load["succeeded"],
            &load["failed"],
        ];
        let pods = world.names("", "Pod").len();
        (
            counts.map(Value::clone),
            pods,
            world.names("", "PersistentVolumeClaim"),
        )
    };
    assert_eq!(run(|_| false), run(|write| write % 3 == 1));
}

#[test]
fn a_pod_that_was_restored_without_its_job_is_let_go() {
    let mut world = World::new();
    world.add(
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "load-x",
        "finalizers": ["batch.kubernetes.io/job-tracking"], "labels": {"job-name": "load"}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "job:1"}]}}),
    );
    world.pass(5);
    let pod = world.see("", "Pod", "load-x");
    assert_eq!(pod["metadata"]["finalizers"], json!([]));
}

/// Who wants far more pods than this machine could hold.
fn greedy(kind: &str) -> World {
    let mut world = World::new();
    world.add(match kind {
        "Deployment" => deployment("web", 100_000_000),
        "StatefulSet" => {
            let mut set = stateful_set(100_000_000);
            set["spec"]["podManagementPolicy"] = "Parallel".into();
            set
        }
        _ => json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "work"},
            "spec": {"completions": 100_000_000, "parallelism": 100_000_000,
                "completionMode": "Indexed", "template": template("work")}}),
    });
    world.pass(2);
    world
}

#[test]
fn whoever_wants_very_many_pods_gets_some_and_is_told() {
    for kind in ["Deployment", "StatefulSet", "Job"] {
        let world = greedy(kind);
        assert_eq!(world.names("", "Pod").len(), 1_000, "{kind}");
        let events = world.names("", "Event");
        assert_eq!(events.len(), 1, "{kind}");
        let event = world.see("", "Event", &events[0]);
        assert_eq!(event["reason"], "FailedCreate");
        assert_eq!(
            event["message"],
            "Error creating: the rehearsal makes at most 1000 pods of one owner"
        );
    }
}

#[test]
fn a_deployment_says_that_it_gets_no_more_pods_until_it_wants_fewer() {
    let mut world = greedy("Deployment");
    let web = world.see("apps", "Deployment", "web");
    assert_eq!(condition(&web, "ReplicaFailure")["reason"], "FailedCreate");
    world.change("apps", "Deployment", "web", |web| {
        web["spec"]["replicas"] = 3.into();
    });
    world.pass(60);
    assert_eq!(world.names("", "Pod").len(), 3);
    let web = world.see("apps", "Deployment", "web");
    assert!(web["status"]["conditions"].as_array().is_some_and(|all| {
        all.iter()
            .all(|condition| condition["type"] != "ReplicaFailure")
    }));
}
